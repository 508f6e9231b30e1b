"""What results cite. QIIME 2 writes it in the locale's encoding: of ASCII alone, in any locale."""

import pytest
from qiime2.sdk import PluginManager

PLUGIN = PluginManager().plugins["aam"]


def test_results_cite_the_plugin_aam_and_who_fits_the_heads_and_forests(aam):
    encoder = aam.load_encoder().encoder
    cited = (encoder._archiver.provenance_dir / "citations.bib").read_text("utf-8")
    for work in ("The q2-aam developers", "Attention All Microbes (AAM)"):
        assert work in cited.replace("{", "").replace("}", "")
    for name in ("fit_regressor", "fit_classifier", "regress_samples", "classify_samples"):
        cited = " ".join(one.fields["title"] for one in PLUGIN.actions[name].citations)
        assert "Scikit-learn" in cited
        assert ("q2-sample" in cited) == ("samples" in name)


@pytest.mark.parametrize("name", ["aam", *PLUGIN.actions])
def test_citations_can_be_written_in_any_locale(name):
    works = PLUGIN.citations if name == "aam" else PLUGIN.actions[name].citations
    for work in works:
        for field, text in work.fields.items():
            assert text.isascii(), (work.type, field, text)

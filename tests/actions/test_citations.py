"""What results cite. QIIME 2 writes it in the locale's encoding: of ASCII alone, in any locale."""

import pytest
from qiime2.sdk import PluginManager

PLUGIN = PluginManager().plugins["aam"]


@pytest.mark.parametrize("work", ["The q2-aam developers", "Attention All Microbes (AAM)"])
def test_results_cite_the_plugin_and_aam(aam, work):
    encoder = aam.load_encoder().encoder
    cited = (encoder._archiver.provenance_dir / "citations.bib").read_text("utf-8")
    assert work in cited.replace("{", "").replace("}", "")


@pytest.mark.parametrize("kind", ["regress", "classify"])
def test_who_fits_the_heads_and_whose_forest_runs_is_cited(kind):
    fit = {"regress": "fit_regressor", "classify": "fit_classifier"}[kind]
    for name, works in ((fit, ["Scikit-learn"]), (f"{kind}_samples", ["q2-sample", "Scikit"])):
        cited = " ".join(one.fields["title"] for one in PLUGIN.actions[name].citations)
        assert [work for work in works if work not in cited] == []


@pytest.mark.parametrize("name", ["aam", *PLUGIN.actions])
def test_citations_can_be_written_in_any_locale(name):
    works = PLUGIN.citations if name == "aam" else PLUGIN.actions[name].citations
    for work in works:
        for field, text in work.fields.items():
            assert text.isascii(), (work.type, field, text)

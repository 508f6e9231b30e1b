"""Which features matter, with sequences to copy, on the pages of both evaluations."""

import re
import shutil

import biom
import numpy as np
import pandas as pd
import pytest
from page_reading import HOSTILE, Page, imported, make_study
from simulated_study import column_of, sequences_artifact, table_artifact

from q2_aam.errors import AAMError
from q2_aam.report import importance
from q2_aam.report.importance import MOST_LISTED, join_important_features, label_feature

N_FEATURES = 130
DNA = {
    name: "".join(np.random.default_rng(place).choice(list("ACGT"), 60))
    for place, name in enumerate([*HOSTILE, *(f"asv-{n}" for n in range(N_FEATURES - 7))])
}
TAXA = {name: f"d__Bacteria; g__{name}" for name in DNA}
SIZE = np.linspace(2, 0.1, len(DNA))
RAISES = np.where(np.arange(len(DNA)) % 2, 0.2, 0.8) * SIZE
# the hostile features come first; every other one lowers
GIVEN = pd.DataFrame(
    {"importance": SIZE, "raises": RAISES, "lowers": SIZE - RAISES}, pd.Index(DNA, name="id")
)


SAMPLES = [f"sample {place}" for place in range(20)]


def abundances(ids) -> biom.Table:
    names = [name for name in DNA if name.isascii()]  # as HDF5 wants them
    counts = np.random.default_rng(0).poisson(4, (len(names), len(ids)))
    return biom.Table(counts + 1, names, list(ids))


def evaluate(aam, **named):
    """Evaluate a regressor through the action."""
    study = make_study(20)
    truth, predictions = (study[name].rename_axis("id") for name in ("truth", "predictions"))
    predictions = imported("SampleData[RegressorPredictions]", predictions)
    return aam.evaluate_regression(predictions, column_of(truth), **named)


@pytest.fixture(scope="module")
def page(aam, tmp_path_factory):
    taxonomy = pd.DataFrame({"Taxon": TAXA, "Confidence": "1"}, list(TAXA))
    # FASTA cannot hold all the others
    dna = pd.Series({name: one for name, one in DNA.items() if name not in HOSTILE})
    found = evaluate(
        aam, importance=imported("FeatureData[Importance]", GIVEN),
        sequences=sequences_artifact(dna), table=table_artifact(abundances(SAMPLES)),
        taxonomy=imported("FeatureData[Taxonomy]", taxonomy.rename_axis("Feature ID")),
    )  # fmt: skip
    return Page.of(found, tmp_path_factory.mktemp("importance") / "page")


def test_the_table_gives_rank_effect_taxon_and_sequence_as_text(page):
    rows = page.part("importance-table", "</table>")
    assert rows.count("<tr") == 1 + MOST_LISTED
    for name in ("asv-0", "asv-50"):
        assert f"<code>{DNA[name]}</code>" in rows
        assert f"g__{name}" in rows
    page.assert_says(
        "raises month", "lowers month", f"Listed are {MOST_LISTED} of {N_FEATURES} features",
        f"{len(HOSTILE)} of them have no sequence here", *HOSTILE,
    )  # fmt: skip
    page.assert_only_our_scripts()
    fasta = page.part("importance-fasta", "</pre>")
    assert f"&gt;asv-0\n{DNA['asv-0']}\n" in fasta
    assert fasta.count("&gt;asv-") == MOST_LISTED - len(HOSTILE)


def test_the_download_parses_back_to_the_numbers(page):
    table, listed = page.table("importance"), GIVEN[:MOST_LISTED]
    assert list(table.index) == list(listed.index)
    assert np.allclose(table["importance"], listed["importance"])
    assert np.allclose(table["share"], listed["importance"] / SIZE.sum())
    assert table.loc["asv-3", "sequence"] == DNA["asv-3"]
    assert table.loc["asv-3", "taxon"] == TAXA["asv-3"]
    raised = listed["raises"] >= listed["lowers"]
    assert (table["effect"] == np.where(raised, "raises", "lowers")).all()


def test_buttons_select_a_sequence_and_show_the_other_rows(page, tmp_path):
    clicks = """<script>
      document.querySelectorAll("#importance-table .aam-copy")[1].click();
      document.querySelector(".aam-show").click();
      document.title = window.getSelection().toString();
    </script>"""
    shutil.copytree(page.folder, tmp_path / "page")
    (tmp_path / "page" / "index.html").write_text(page.source + clicks)
    clicked = Page(tmp_path / "page")
    document = clicked.drawn_in_browser
    assert clicked.marks("importance-of-features", "rect") == 20
    assert f"<title>{DNA['asv-1']}</title>" in document
    assert 'class="aam-more" hidden' in page.source
    assert 'class="aam-more" hidden' not in document
    assert "Copied" in document or "Selected: now copy it" in document


def test_features_of_a_class_say_which(aam, tmp_path):
    ids = pd.Index([f"s{n}" for n in range(20)], name="id")
    classes = pd.Series(["milk", HOSTILE[0]] * 10, ids, name="diet")
    first, moved = np.where(np.arange(len(DNA)) % 2, 0, SIZE), GIVEN[["importance"]]
    for name, up in ((HOSTILE[0], first), ("milk", SIZE - first)):
        moved = moved.assign(**{f"raises {name}": up, f"lowers {name}": SIZE - up})
    found = aam.evaluate_classification(
        imported("SampleData[ClassifierPredictions]", classes.rename("prediction")),
        column_of(classes), importance=imported("FeatureData[Importance]", moved),
    )  # fmt: skip
    page = Page.of(found, tmp_path / "page")
    effects = page.table("importance")["effect"]
    assert list(effects[:4]) == [HOSTILE[0], "milk"] * 2
    assert f"makes '{HOSTILE[0]}' more probable" in page.text
    assert "<th>Sequence" not in page.source
    assert page.marks("importance-of-features", "rect") == 20
    assert "abundance-heatmap" not in page.figures


def test_on_a_phone_ticks_do_not_crowd_and_a_table_says_that_it_goes_on(page):
    found = page.run_browser("--window-size=500,900", "--dump-dom").stdout.decode()
    assert "Scroll this table sideways" in found
    assert 'class="aam-hint"' in found
    chart = found.split('id="importance-of-features"')[1].split("</svg>")[0]
    ticks = re.findall(r"<text[^>]*>(0(?:\.[0-9]+)?|[1-9](?:\.[0-9]+)?)</text>", chart)
    assert 2 <= len(ticks) <= 5


def test_ids_that_are_dna_need_no_sequences_and_a_forest_has_a_sum_and_no_effects():
    forest = pd.DataFrame({"a": RAISES, "b": SIZE - RAISES}, list(DNA.values()))
    found = join_important_features(forest.sample(frac=1, random_state=0))
    assert found.frame["importance"].tolist() == pytest.approx(SIZE[:MOST_LISTED].tolist())
    assert list(found.frame.index) == list(DNA.values())[:MOST_LISTED]
    assert (found.frame["sequence"] == found.frame.index).all()
    assert found.effects == []


def test_classes_have_the_order_and_so_the_colors_of_the_other_charts():
    effects = {f"{does} week {n}": [0.5] for n in (10, 2) for does in ("raises", "lowers")}
    found = join_important_features(pd.DataFrame({"importance": [1.0], **effects}, ["x"]))
    assert found.effects == ["week 2", "week 10"]


@pytest.mark.parametrize(
    ("given", "others", "message"),
    [
        (GIVEN[:0], {}, "no feature"),
        (GIVEN.assign(raises=np.inf), {}, "130 features of 130"),
        (GIVEN, {"sequences": DNA, "taxa": {"x": "g__X"}}, "the taxonomy have no ids in common"),
        (GIVEN, {"table": biom.Table(np.ones((1, 1)), ["x"], ["s1"])}, "the table have no ids in"),
    ],
)
def test_an_importance_that_says_nothing_and_other_features_are_refused(given, others, message):
    with pytest.raises(AAMError, match=message):
        join_important_features(given, **others)


def test_sequences_without_importance_are_refused(aam, refused):
    sequences = sequences_artifact(pd.Series({"a": "ACGT" * 9}))
    refused(evaluate, "'sequences'", "leave", aam=aam, sequences=sequences)


@pytest.mark.parametrize(
    ("taxon", "label"),
    [
        ("d__Bacteria; f__Lachnospiraceae; g__; s__", "f. Lachnospiraceae \u00b7 68c2c3"),
        ("d__B; f__X; g__uncultured; s__uncultured_bacterium", "f. X \u00b7 68c2c3"),
        ("k__B; g__Rothia; s__mucilaginosa", "s. Rothia mucilaginosa \u00b7 68c2c3"),
        ("d__B; g__Rothia; s__human_gut_metagenome", "g. Rothia \u00b7 68c2c3"),
        ("Unassigned", "68c2c3d4"),
        (None, "68c2c3d4"),
    ],
)
def test_a_label_is_the_last_rank_that_says_something_and_a_short_id(taxon, label):
    assert label_feature("68c2c3d4", taxon) == label
    of_dna = label_feature("ACGT" * 30, taxon)
    assert of_dna[-6:] == label_feature("acgt" * 30, taxon)[-6:]
    assert "ACGT" not in of_dna


def test_a_table_adds_a_heatmap_along_the_target(page):
    table = abundances(SAMPLES)
    assert page.marks("abundance-heatmap", "rect") == 29 * 20
    cells = page.table("abundance-heatmap")
    assert cells.loc["asv-1", "actual"].is_monotonic_increasing
    row = cells[cells["column"] == "sample 3"].loc["asv-1"]
    expected = 1e4 * table.get_value_by_ids("asv-1", "sample 3") / table.sum("sample")[3]
    assert row["reads"] == pytest.approx(expected)


def test_a_heatmap_of_classes_shows_means_and_of_many_samples_some():
    ids = [f"s{n}" for n in range(300)]
    features = join_important_features(GIVEN, table=abundances(ids))

    def heatmap(actual):
        (section,) = importance.section_of_importance(features, actual, str(actual.name))
        return section.blocks[0][1]

    by_class = heatmap(pd.Series(["b", "a"] * 150, ids, name="diet"))
    assert set(by_class.numbers["column"]) == {"a", "b"}
    along = heatmap(pd.Series(np.arange(300.0), ids, name="age"))
    assert along.numbers["column"].nunique() == 200
    assert "200 of 300, evenly spaced" in along.caption

"""Which features matter, with sequences to copy, on the pages of both evaluations."""

import re
import shutil

import biom
import numpy as np
import pandas as pd
import pytest
import qiime2
from page_reading import HOSTILE, Page, make_study

from q2_aam.errors import AAMError
from q2_aam.report.importance import (
    MOST_LISTED,
    join_important_features,
    label_feature,
    section_of_importance,
)

N_FEATURES = 130
DNA = {
    name: "".join(np.random.default_rng(place).choice(list("ACGT"), 60))
    for place, name in enumerate([*HOSTILE, *(f"asv-{n}" for n in range(N_FEATURES - 7))])
}
TAXA = {name: f"d__Bacteria; g__{name}" for name in DNA}


def of_a_number() -> pd.DataFrame:
    """Make the importance of features, the hostile ones first; every other one lowers."""
    size = np.linspace(2, 0.1, len(DNA))
    raises = np.where(np.arange(len(DNA)) % 2, 0.2, 0.8) * size
    columns = {"importance": size, "raises": raises, "lowers": size - raises}
    return pd.DataFrame(columns, pd.Index(DNA, name="id"))


def of_classes() -> pd.DataFrame:
    """Make the importance for two classes, of hostile names; every other feature is for one."""
    size = np.linspace(0.4, 0.1, len(DNA))
    first = np.where(np.arange(len(DNA)) % 2, 0, size)
    columns = {"importance": size}
    for name, up in ((HOSTILE[0], first), ("milk", size - first)):
        columns |= {f"raises {name}": up, f"lowers {name}": size - up}
    return pd.DataFrame(columns, pd.Index(DNA, name="id"))


def evaluate(aam, folder, importance=None, **named) -> Page:
    """Evaluate a regressor through the action."""
    study = make_study(20)
    index = study["truth"].index.rename("id")
    found = aam.evaluate_regression(
        predictions=qiime2.Artifact.import_data(
            "SampleData[RegressorPredictions]", study["predictions"].set_axis(index)
        ),
        truth=qiime2.NumericMetadataColumn(study["truth"].set_axis(index)),
        importance=importance,
        **named,
    )
    found.visualization.export_data(folder)
    return Page(folder)


def artifact(importance: pd.DataFrame) -> qiime2.Artifact:
    return qiime2.Artifact.import_data("FeatureData[Importance]", importance)


@pytest.fixture(scope="module")
def page(aam, tmp_path_factory):
    import skbio

    sequences = pd.Series({name: skbio.DNA(dna, {"id": name}) for name, dna in DNA.items()})
    ordinary = [name for name in DNA if name not in HOSTILE]  # FASTA cannot hold all the others
    taxonomy = pd.DataFrame(
        {"Taxon": list(TAXA.values()), "Confidence": "1"}, pd.Index(TAXA, name="Feature ID")
    )
    return evaluate(
        aam,
        tmp_path_factory.mktemp("importance") / "page",
        artifact(of_a_number()),
        sequences=qiime2.Artifact.import_data("FeatureData[Sequence]", sequences[ordinary]),
        taxonomy=qiime2.Artifact.import_data("FeatureData[Taxonomy]", taxonomy),
    )


def test_the_table_gives_rank_effect_taxon_and_sequence(page):
    rows = page.source.split('id="importance-table"')[1].split("</table>")[0]
    assert rows.count("<tr") == 1 + MOST_LISTED
    for name in ("asv-0", "asv-50"):
        assert f"<code>{DNA[name]}</code>" in rows
        assert f"g__{name}" in rows
    page.assert_says(
        "raises month", "lowers month", f"Listed are {MOST_LISTED} of {N_FEATURES} features",
        f"{len(HOSTILE)} of them have no sequence here",
    )  # fmt: skip


def test_the_download_parses_back_to_the_numbers(page):
    table, given = page.table("importance"), of_a_number()
    assert list(table.index) == list(given.index[:MOST_LISTED])
    assert np.allclose(table["importance"], given["importance"][table.index])
    assert np.allclose(table["share"], given["importance"][table.index] / given["importance"].sum())
    assert table.loc["asv-3", "sequence"] == DNA["asv-3"]
    assert table.loc["asv-3", "taxon"] == TAXA["asv-3"]
    raised = given["raises"] >= given["lowers"]
    assert (table["effect"] == np.where(raised[table.index], "raises", "lowers")).all()


def test_hostile_ids_and_taxa_are_text(page):
    page.assert_says(*HOSTILE)
    page.assert_only_our_scripts()


def test_sequences_can_be_copied_all_at_once(page):
    fasta = page.source.split('id="importance-fasta"')[1].split("</pre>")[0]
    assert f"&gt;asv-0\n{DNA['asv-0']}\n" in fasta
    assert fasta.count("&gt;asv-") == MOST_LISTED - len(HOSTILE)


def test_the_browser_draws_a_bar_for_each_of_the_first(page):
    assert page.marks("importance-of-features", "rect") == 20


def test_buttons_select_a_sequence_and_show_the_other_rows(page, tmp_path):
    clicks = """<script>
      document.querySelectorAll("#importance-table .aam-copy")[1].click();
      document.querySelector(".aam-show").click();
      document.title = window.getSelection().toString();
    </script>"""
    shutil.copytree(page.folder, tmp_path / "page")
    clicked = tmp_path / "page" / "index.html"
    clicked.write_text(page.source + clicks)
    document = Page(tmp_path / "page").drawn_in_browser
    assert f"<title>{DNA['asv-1']}</title>" in document
    assert 'class="aam-more" hidden' in page.source
    assert 'class="aam-more" hidden' not in document
    assert "Copied" in document or "Selected: now copy it" in document


def test_features_of_a_class_say_which(aam, tmp_path):
    classes = pd.Series(
        ["milk", HOSTILE[0]] * 10, pd.Index([f"s{n}" for n in range(20)], name="id"), name="diet"
    )
    found = aam.evaluate_classification(
        predictions=qiime2.Artifact.import_data(
            "SampleData[ClassifierPredictions]", classes.rename("prediction")
        ),
        truth=qiime2.CategoricalMetadataColumn(classes),
        importance=artifact(of_classes()),
    )
    found.visualization.export_data(tmp_path / "page")
    page = Page(tmp_path / "page")
    effects = page.table("importance")["effect"]
    assert list(effects[:4]) == [HOSTILE[0], "milk"] * 2
    assert f"makes '{HOSTILE[0]}' more probable" in page.text
    assert "<th>Sequence" not in page.source
    assert page.marks("importance-of-features", "rect") == 20


def test_ticks_do_not_crowd_on_a_phone(page):
    found = page.run_browser("--window-size=500,900", "--dump-dom").stdout.decode()
    chart = found.split('id="importance-of-features"')[1].split("</svg>")[0]
    ticks = re.findall(r"<text[^>]*>(0(?:\.[0-9]+)?|[1-9](?:\.[0-9]+)?)</text>", chart)
    assert 2 <= len(ticks) <= 5


def test_ids_that_are_dna_need_no_sequences():
    found = join_important_features(of_a_number().set_axis(list(DNA.values())))
    assert (found.frame["sequence"] == found.frame.index).all()


def test_the_importance_of_a_forest_is_shown_without_effects():
    forest = of_a_number()[["importance"]].sample(frac=1, random_state=0)
    found = join_important_features(forest)
    assert list(found.frame.index) == list(DNA)[:MOST_LISTED]
    assert found.effects == []


def test_classes_have_the_order_and_so_the_colors_of_the_other_charts():
    effects = {f"{does} week {n}": [0.5] for n in (10, 2) for does in ("raises", "lowers")}
    found = join_important_features(pd.DataFrame({"importance": [1.0], **effects}, ["x"]))
    assert found.effects == ["week 2", "week 10"]


def test_columns_without_a_total_are_summed():
    found = join_important_features(pd.DataFrame({"a": [0, 1.0], "b": [3.0, 1]}, ["x", "y"]))
    assert list(found.frame["importance"]) == [3, 2]


@pytest.mark.parametrize(
    ("importance", "others", "message"),
    [
        (of_a_number().iloc[:0], {}, "no feature"),
        (of_a_number().assign(raises=np.inf), {}, "130 features of 130"),
        (
            of_a_number(),
            {"sequences": DNA, "taxa": {"other": "g__Other"}},
            "the taxonomy have no ids in common",
        ),
        (
            of_a_number(),
            {"table": biom.Table(np.ones((1, 1)), ["other"], ["s1"])},
            "the table have no ids in common",
        ),
    ],
)
def test_an_importance_that_says_nothing_and_other_features_are_refused(
    importance, others, message
):
    with pytest.raises(AAMError, match=message):
        join_important_features(importance, **others)


def test_sequences_without_importance_are_refused(aam, tmp_path, refused):
    import skbio

    sequences = qiime2.Artifact.import_data(
        "FeatureData[Sequence]", pd.Series({"a": skbio.DNA("ACGT" * 9, {"id": "a"})})
    )
    refused(lambda: evaluate(aam, tmp_path / "page", sequences=sequences), "'sequences'", "leave")


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


def abundances(ids) -> biom.Table:
    names = [name for name in DNA if name.isascii()]  # as HDF5 wants them
    counts = np.random.default_rng(0).poisson(4, (len(names), len(ids)))
    return biom.Table(counts + 1, names, list(ids))


def test_a_table_adds_a_heatmap_along_the_target(aam, tmp_path):
    table = abundances(make_study(20)["truth"].index)
    given = qiime2.Artifact.import_data("FeatureTable[Frequency]", table)
    page = evaluate(aam, tmp_path / "page", artifact(of_a_number()), table=given)
    assert page.marks("abundance-heatmap", "rect") == 29 * 20
    cells = page.table("abundance-heatmap")
    assert cells.loc["asv-1", "actual"].is_monotonic_increasing
    row = cells[cells["column"] == "sample 3"].loc["asv-1"]
    expected = 1e4 * table.get_value_by_ids("asv-1", "sample 3") / table.sum("sample")[3]
    assert row["reads"] == pytest.approx(expected)


def test_a_heatmap_of_classes_shows_means_and_of_many_samples_some():
    ids = [f"s{n}" for n in range(300)]
    features = join_important_features(of_a_number(), table=abundances(ids))
    classes = pd.Series(["b", "a"] * 150, ids, name="diet")
    (section,) = section_of_importance(features, classes, "diet")
    by_class = section.blocks[0][1].numbers
    assert set(by_class["column"]) == {"a", "b"}
    (section,) = section_of_importance(features, pd.Series(np.arange(300.0), ids), "age")
    along = section.blocks[0][1]
    assert along.numbers["column"].nunique() == 200
    assert "200 of 300, evenly spaced" in along.caption

"""Every page of the demo, made from its own data, cut down, opens in a browser without network."""

import re

import biom
import pandas as pd
import pytest
import qiime2
from page_reading import LARGEST_QZV, Page
from simulated_study import TINY
from small_demo import compute_unifrac, write_small_demo

# A fit in closed form has no curves
FEWEST = {"evaluation": 4, "pretraining": 4, "fitting": 0}


@pytest.fixture(scope="module")
def demo_pages(aam, tmp_path_factory, runs_of_models_made_once):
    folder = tmp_path_factory.mktemp("demo")
    write_small_demo(folder, samples=30, asvs=60)
    table, sequences, tree = (
        qiime2.Artifact.load(str(folder / f"{name}.qza"))
        for name in ("table", "rep-seqs", "rooted-tree")
    )
    metadata = qiime2.Metadata.load(str(folder / "metadata.tsv"))
    month, child = metadata.get_column("month"), metadata.get_column("studyid")
    pretrained = aam.pretrain([table], [compute_unifrac(table, tree)], [sequences], **TINY)
    training, test, *_ = aam.split_samples(table, month, groups=child, test_size=0.4)
    quick = {name: TINY[name] for name in ("threads", "device")}
    fitted = aam.fit_regressor(
        training, month, sequences=sequences, encoder=pretrained.encoder, groups=child, **quick
    )
    found = aam.predict_regression(
        test, fitted.regressor, sequences=sequences, confidence_level=0.5
    )
    importance = aam.feature_importance(test, fitted.regressor, sequences=sequences).importance
    pages = {
        "evaluation": aam.evaluate_regression(
            found.predictions, month, intervals=found.intervals, importance=importance,
            sequences=sequences, baseline_predictions=found.predictions,
            training_log=fitted.training_log,
        ),
        "pretraining": aam.summarize_training(pretrained.training_log),
        "fitting": aam.summarize_training(fitted.training_log),
    }  # fmt: skip
    for name, (visualization,) in pages.items():
        visualization.save(str(folder / f"{name}.qzv"))
        visualization.export_data(folder / name)
    return folder, found, test


@pytest.mark.parametrize("name", FEWEST)
def test_each_page_opens_and_draws_every_chart(demo_pages, name):
    folder, _, _ = demo_pages
    page = Page(folder / name)
    assert page.drawn_in_browser
    assert page.tags.count("figure") >= FEWEST[name]
    assert (folder / f"{name}.qzv").stat().st_size < LARGEST_QZV


def test_the_evaluation_shows_and_gives_what_was_predicted(demo_pages):
    folder, found, test = demo_pages
    page = Page(folder / "evaluation")
    held = test.view(biom.Table).ids()
    # the same dummy as in the demo's terminal: the mean of the training samples
    ages = qiime2.Metadata.load(str(folder / "metadata.tsv")).get_column("month").to_series()
    labeled = qiime2.Artifact.load(str(folder / "table.qza")).view(biom.Table).ids()
    mean = ages[list(set(labeled) - set(held))].mean()
    assert re.search(rf"Always predicting {mean:.3g}\b.*, the mean of the training", page.text)
    assert page.marks("predicted-against-actual", "symbol") == len(held)
    predicted = found.predictions.view(pd.Series)
    listed = page.table("predictions")["predicted"]
    pd.testing.assert_series_equal(
        listed, predicted[listed.index], check_names=False, check_exact=False, rtol=1e-8
    )
    assert page.marks("importance-of-features", "rect") == 20

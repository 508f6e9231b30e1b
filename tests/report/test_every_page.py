"""What holds for every page: safe, whole, small, also of the smallest and of large inputs."""

import html
import json
import re
import struct
import time
from collections import Counter

import numpy as np
import page_reading as pages
import pandas as pd
import pytest
from page_reading import HOSTILE, LARGEST_QZV, Page, make_classes, make_distances, make_study

from q2_aam.report.samples import MOST_POINTS


def test_hostile_names_are_text(page):
    """Every hostile name stands on the page as it is, and nowhere as markup."""
    page.assert_says(*HOSTILE)
    assert "{{7*7}}" in page.source
    page.assert_only_our_scripts()


def test_nothing_is_loaded_from_elsewhere_and_no_link_leads_out(page):
    assert page.loads
    for address in page.loads:
        assert address.startswith("./"), address
        assert (page.folder / address).is_file(), address
    for style in page.folder.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?\s*(https?:)?//", style.read_text())
    script = (page.folder / "report.js").read_text()
    assert "http" not in script
    assert "$schema" not in page.source
    for link in page.links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in page.source, link
        elif link != "http://qiime2.org/":  # the logo of q2templates
            assert (page.folder / link).is_file(), link


def test_pictures_are_what_their_names_say(page):
    pictures = sorted(page.download("").glob("*.svg"))
    assert pictures
    for picture in pictures:
        assert picture.read_text(encoding="utf-8").startswith("<svg")
        assert picture.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
        content = picture.with_suffix(".png").read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">I", content[16:20])[0] > 1000  # pixels: fit for print


def test_a_page_is_small_and_a_browser_without_network_draws_every_chart(page):
    assert page.drawn_in_browser
    assert '<html lang="en"' in page.drawn_in_browser
    assert len(list(page.folder.rglob("vega*.js"))) == 1
    assert page.archive_size() < LARGEST_QZV


def test_every_chart_has_a_name_a_caption_and_a_table_and_every_head_its_scope(page):
    few = {"learning rate": 1, "recognition": 2}
    fewest = next((number for name, number in few.items() if name in str(page.folder)), 5)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page.source, re.S)
    names = re.findall(r'<div class="aam-chart" role="img" aria-label="([^"]+)"', page.source)
    tables = re.findall(r'and its numbers: <a href="./downloads/([^"]+).tsv"', page.source)
    assert len(captions) == len(names) == len(tables) == page.tags.count("figure") >= fewest
    assert all(len(caption) > 30 for caption in captions)
    assert all(len(name) > 40 for name in names)
    assert all(len(page.table(name.replace("&#39;", "'"))) for name in tables)
    heads = re.findall(r"<th[ >][^>]*", page.source)
    assert heads
    assert all('scope="col"' in head for head in heads)
    assert '<main class="aam" lang="en">' in page.source


def test_numbers_are_short_and_percent_is_written_alike(page):
    tooltips, drawn = [], page.text
    for chart in re.findall(r'-chart">(.*?)</script>', page.source, re.S):
        json.loads(chart, object_hook=lambda one: tooltips.append(one.get("tooltip")) or one)
    shown = [one for found in tooltips if isinstance(found, list) for one in found]
    numbers = [one for one in shown if one["type"] == "quantitative" and "aggregate" not in one]
    assert all("format" in one for one in numbers)
    for picture in page.download("").glob("*.svg"):
        drawn += " ".join(re.findall(r"<text [^>]*>([^<]+)", picture.read_text("utf-8")))
    assert not re.search(r"[0-9]%|\(s\)", drawn)


def test_nothing_is_said_twice_on_a_page_and_headlines_are_short(page):
    body = page.source.split("<main")[1].split("</main>")[0]
    headings = re.findall(r"<h[123][^>]*>(.*?)</h[123]>", body)
    assert len(headings) == len(set(headings))
    prose = re.findall(r"<(?:p|figcaption)[^>]*>(.*?)</(?:p|figcaption)>", body, re.S)
    sentences = [s.strip() for text in prose for s in text.split(". ") if len(s) > 50]
    assert len(sentences) == len(set(sentences)), sorted(sentences)
    headline = page.part("headline", "</p>").split(">", 1)[1]
    assert len(re.findall(r"[.!?](?= [A-Z]|$)", headline)) <= 2


def test_charts_are_printed_whole_and_once(regression_page):
    """All words of all charts, such as the last tick of each axis, lie on paper."""
    drawn, printed = Counter(), Counter(regression_page.words_on_paper)
    for path in regression_page.download("").glob("*.svg"):
        texts = re.findall(r"<text [^>]*>([^<]+)</text>", path.read_text("utf-8"))
        drawn += Counter(word for text in texts for word in html.unescape(text).split())
    assert sum(drawn.values()) > 100
    assert not drawn - printed
    # else the chart on the screen, cut, is printed beside its picture
    of_charts = set(drawn) - set(regression_page.text.split())
    assert len(of_charts) > 10
    assert {one: printed[one] for one in of_charts} == {one: drawn[one] for one in of_charts}


def test_the_evaluation_of_real_predictions_shows_them_and_opens(
    aam, tmp_path, mixed_study, fitted
):
    study, dna = mixed_study, {"sequences": mixed_study.sequences}
    given = study.table, fitted.regressor
    predicted = aam.predict_regression(*given, **dna, confidence_level=0.5)
    found = aam.evaluate_regression(
        predicted.predictions, study.age_column, intervals=predicted.intervals, **dna,
        importance=aam.feature_importance(*given, **dna).importance,
        training_log=fitted.training_log, baseline_predictions=predicted.predictions,
    )  # fmt: skip
    page = Page.of(found, tmp_path / "page")
    assert page.archive_size() < LARGEST_QZV
    assert page.marks("predicted-against-actual", "symbol") == len(study.ages)
    assert page.marks("importance-of-features", "rect") == 20
    # the same dummy as in the log: the mean of the training samples
    page.assert_says(f"Always predicting {study.ages.mean():.3g}", ", the mean of the training")
    listed = page.table("predictions")["predicted"]
    expected = predicted.predictions.view(pd.Series)[listed.index]
    pd.testing.assert_series_equal(listed, expected, check_names=False, rtol=1e-8)


def test_the_summary_of_a_real_log_opens(aam, pretrained, tmp_path):
    page = Page.of(aam.summarize_training(pretrained.training_log), tmp_path / "page")
    assert page.drawn_in_browser
    assert len(page.figures) >= 4
    assert page.archive_size() < LARGEST_QZV


@pytest.mark.parametrize(
    ("write", "given", "words"),
    [
        (pages.write_study_page, make_study(1), ["over 1 sample"]),
        (
            pages.write_classes_page,
            make_classes(1, ["a", "b"], noise=0),
            ["100 % of 1 sample;", "Every sample is predicted right."],
        ),
        (pages.write_distances, make_distances(3), ["3 pairs of 3 samples", "With only 3 samples"]),
    ],
)
def test_the_smallest_input_makes_a_page(tmp_path, write, given, words):
    if isinstance(given, dict):
        given = {name: given[name] for name in {"predictions", "truth", "probabilities"} & {*given}}
    page = write(tmp_path / "page", given)
    page.assert_says(*words)
    assert "baseline" not in page.source.split("<main")[1].split("</main>")[0].lower()
    assert page.drawn_in_browser


def write_large(folder, write, *given) -> Page:
    """Write a page of much, which must be quick, and see that it is small and opens."""
    started = time.monotonic()
    page = write(folder / "page", *given)
    assert time.monotonic() - started < 60
    assert page.archive_size() < LARGEST_QZV
    assert page.drawn_in_browser
    return page


def test_a_large_page_of_numbers_counts_every_sample_and_draws_the_worst(tmp_path):
    page = write_large(tmp_path, pages.write_study_page, make_study(8000))
    page.assert_says(f"Drawn are {MOST_POINTS:,} of the 8,000 samples")
    table = page.table("predictions")
    assert len(table) == 8000
    assert f'"sample":"{table["error"].abs().idxmax()}"' in page.source
    svg = page.download("error-distribution.svg").read_text()
    counts = [int(n.replace(",", "")) for n in re.findall(r"Samples: ([0-9,]+)", svg)]
    assert sum(counts) == 8000


def test_a_large_page_of_classes_draws_some_curves_and_every_cell(tmp_path):
    study = make_classes(1500, [f"site {n}" for n in range(30)])
    page = write_large(tmp_path, pages.write_classes_page, study)
    page.assert_says("Drawn are the 8 of 30 classes")
    assert page.marks("confusion-matrix", "rect") == 900
    assert page.source.count(",[1,0]]}") == 2  # the line of the micro average is solid


def test_a_large_page_of_distances_ordinates_some_samples(tmp_path):
    pair = make_distances(1200, noise=0.05)
    acidity = pd.Series(np.linspace(4, 9, 1200), pair[1][0], name="ph")
    page = write_large(tmp_path, pages.write_distances, pair, acidity)
    page.assert_says("719,400 pairs of 1,200", "Both show the same 1,000 of 1,200 samples")

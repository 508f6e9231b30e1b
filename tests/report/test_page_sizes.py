"""Pages of the smallest and of large inputs."""

import re
import time

import numpy as np
import page_reading as pages
import pandas as pd
import pytest
from page_reading import make_classes, make_distances, make_study

from q2_aam.report.samples import MOST_POINTS

WRITE = {
    "numbers": pages.write_study_page, "classes": pages.write_classes_page,
    "distances": pages.write_distances,
}  # fmt: skip


def one(study: dict, *names: str) -> dict:
    return {name: study[name].iloc[:1] for name in names}


def one_class() -> dict:
    study = one(make_classes(5, ["a", "b"]), "predictions", "truth", "probabilities")
    study["predictions"][:] = study["truth"]
    return study


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("numbers", one(make_study(1), "predictions", "truth"), ["over 1 sample"]),
        ("classes", one_class(), ["100 % of 1 sample;", "Every sample is predicted right."]),
        ("distances", make_distances(3), ["over 3 pairs of 3 samples", "With only 3 samples"]),
    ],
)
def test_the_smallest_input_makes_a_page(tmp_path, kind, given, words):
    page = WRITE[kind](tmp_path / "page", given)
    page.assert_says(*words)
    assert "baseline" not in page.source.split("<main")[1].split("</main>")[0].lower()
    assert page.drawn_in_browser


def large_distances() -> tuple:
    pair = make_distances(1200, noise=0.05)
    return pair, pd.Series(np.linspace(4, 9, 1200), pair[1][0], name="ph")


LARGE = {
    "numbers": lambda: (make_study(8000),),
    "classes": lambda: (make_classes(1500, [f"site {n}" for n in range(30)]),),
    "distances": large_distances,
}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("numbers", [f"Drawn are {MOST_POINTS:,} of the 8,000 samples"]),
        ("classes", ["Drawn are the 8 of 30 classes"]),
        ("distances", ["719,400 pairs of 1,200", "Both show the same 1,000 of 1,200 samples"]),
    ],
)
def test_large_pages_stay_small_and_quick_and_count_every_sample(tmp_path, kind, words):
    given, started = LARGE[kind](), time.monotonic()
    page = WRITE[kind](tmp_path / "page", *given)
    assert time.monotonic() - started < 60
    assert page.archive_size() < pages.LARGEST_QZV
    page.assert_says(*words)
    assert page.drawn_in_browser
    if kind == "classes":
        assert page.marks("confusion-matrix", "rect") == 900
        assert page.source.count(",[1,0]]}") == 2  # the line of the micro average is solid
    if kind == "numbers":  # those predicted worst are always drawn
        table = page.table("predictions")
        assert len(table) == 8000
        assert f'"sample":"{table["error"].abs().idxmax()}"' in page.source
        svg = page.download("error-distribution.svg").read_text()
        counts = [int(n.replace(",", "")) for n in re.findall(r"Samples: ([0-9,]+)", svg)]
        assert sum(counts) == 8000

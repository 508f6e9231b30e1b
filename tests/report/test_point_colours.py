import re

import numpy as np
import pandas as pd
import pytest
from page_reading import (
    HOSTILE,
    assert_only_our_scripts,
    drawn_marks,
    layers_of,
    make_study,
    write_study_page,
)

from q2_aam.errors import AAMError
from q2_aam.report.drawn_points import point_records
from q2_aam.report.evaluated_samples import join_evaluated_samples
from q2_aam.report.point_colours import MOST_CATEGORIES, OTHER, PointColours
from q2_aam.report.regression_charts import chart_predicted_against_actual

IDS = pd.Index([f"sample {place}" for place in range(60)])


def column(values, name="diet") -> pd.Series:
    return pd.Series(np.resize(np.array(values, dtype=object), len(IDS)), index=IDS, name=name)


def numbers(n_blank: int) -> pd.Series:
    values = pd.Series(np.linspace(3, 9, len(IDS)), index=IDS, name="ph")
    values.iloc[:n_blank] = np.nan
    return values


def coloured_study(colour_by: pd.Series):
    return join_evaluated_samples(**make_study(len(IDS)), colour_by=colour_by)


def test_many_categories_become_the_most_frequent_ones_and_others():
    values = column([f"site {n}" for n in range(12)])
    values.iloc[:20] = "site 11"
    colours = PointColours.of(values, IDS)
    assert len(colours.categories) == MOST_CATEGORIES
    assert {"site 11", OTHER} <= set(colours.categories)
    shades = {colours.fields_of(sample)["shade"] for sample in IDS}
    assert shades == set(colours.categories)
    assert [colours.fields_of(sample)["colour"] for sample in IDS] == list(values)
    assert "7 most frequent of the 12 values" in colours.describe()


def test_numbers_and_blanks_are_told_apart():
    colours = PointColours.of(numbers(5), IDS)
    assert colours.is_numeric
    assert colours.fields_of("sample 0") == {}
    assert colours.fields_of("sample 59") == {"colour": 9.0}
    assert colours.count_blanks().count == 5
    assert "Grey circles have no value" in colours.describe()


def test_every_point_has_its_colour_once():
    for values in (column(["a", "b"]), column(["a", None]), numbers(0), numbers(5)):
        samples = coloured_study(values)
        layers = layers_of(chart_predicted_against_actual(samples, len(IDS)))
        points = [layer for layer in layers if layer["mark"]["type"] == "point"]
        assert len(points) == (2 if values.isna().any() else 1)
        filters = [layer["transform"][0]["filter"] for layer in points]
        assert filters[-1] == "isValid(datum.colour)"
        assert filters[0] == ("!" if len(points) == 2 else "") + "isValid(datum.colour)"
        with_colour = [r for r in point_records(samples.frame, samples.colours) if "colour" in r]
        assert len(with_colour) == values.notna().sum()


def test_a_column_without_a_value_for_the_samples_is_refused():
    with pytest.raises(AAMError, match=r"None of the 60 samples shown.*'diet'.*leave it out"):
        coloured_study(column([None]))


@pytest.mark.parametrize("kind", ["categories", "numbers"])
def test_the_browser_draws_coloured_points(tmp_path, kind):
    values = column([*HOSTILE[:5], None]) if kind == "categories" else numbers(10)
    values.name = HOSTILE[1]
    page = write_study_page(tmp_path / "page", make_study(len(IDS)) | {"colour_by": values})
    assert drawn_marks(page, "predicted-against-actual", "symbol") == len(IDS)
    chart = page.drawn_in_browser.split('id="predicted-against-actual"')[1].split("</svg>")[0]
    points = re.findall(r'<g class="mark-symbol role-mark[^>]*>(.*?)</g>', chart, re.S)
    colours = set(re.findall(r'(?:fill|stroke)="((?:#|rgb)[^"]+)"', "".join(points)))
    assert len(colours) >= (6 if kind == "categories" else 20)
    assert "samples shown in grey: no value in" in page.text
    assert page.table("predictions")["colour_by"].isna().sum() == 10
    assert_only_our_scripts(page)
    if kind == "categories":
        shown = page.drawn_in_browser
        assert "&lt;script&gt;document.title" in shown
        assert "{{7*7}}" in chart

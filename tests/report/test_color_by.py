import re

import numpy as np
import pandas as pd
import pytest
from page_reading import HOSTILE, make_study, write_study_page

from q2_aam.report.samples import MOST_CATEGORIES, OTHER, ColorBy, describe_colors

IDS = pd.Index([f"sample {place}" for place in range(60)])


def column(values, name="diet") -> pd.Series:
    return pd.Series(np.resize(np.array(values, dtype=object), len(IDS)), index=IDS, name=name)


def numbers(n_blank: int) -> pd.Series:
    values = pd.Series(np.linspace(3, 9, len(IDS)), index=IDS, name="ph")
    values.iloc[:n_blank] = np.nan
    return values


def test_many_categories_become_the_most_frequent_ones_and_others():
    values = column([f"site {n}" for n in range(12)])
    values.iloc[:20] = "site 11"
    colors = ColorBy.of(values, IDS)
    assert len(colors.categories) == MOST_CATEGORIES
    assert {"site 11", OTHER} <= set(colors.categories)
    shades = {colors.fields_of(sample)["shade"] for sample in IDS}
    assert shades == set(colors.categories)
    assert [colors.fields_of(sample)["color"] for sample in IDS] == list(values)
    assert "7 most frequent of the 12 values" in describe_colors(colors)


@pytest.mark.parametrize("kind", ["categories", "numbers"])
def test_the_browser_draws_colored_points(tmp_path, kind):
    values = column([*HOSTILE[:5], None]) if kind == "categories" else numbers(10)
    values.name = HOSTILE[1]
    page = write_study_page(tmp_path / "page", make_study(len(IDS)) | {"color_by": values})
    assert page.marks("predicted-against-actual", "symbol") == len(IDS)
    chart = page.chart("predicted-against-actual")
    points = re.findall(r'<g class="mark-symbol role-mark[^>]*>(.*?)</g>', chart, re.S)
    colors = set(re.findall(r'(?:fill|stroke)="((?:#|rgb)[^"]+)"', "".join(points)))
    assert len(colors) >= (6 if kind == "categories" else 20)
    page.assert_says("samples shown in grey: no value in", "Grey circles have no value")
    assert page.table("predictions")["color_by"].isna().sum() == 10
    page.assert_only_our_scripts()
    if kind == "categories":
        assert "&lt;script&gt;document.title" in page.drawn_in_browser
        assert "{{7*7}}" in chart

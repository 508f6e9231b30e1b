import numpy as np
import pytest
from page_reading import Page, layers_of, make_rate_curve

from q2_aam.report import learning_rate


def test_the_suggestion_is_told_and_can_be_typed(learning_rate_page):
    learning_rate_page.assert_says(
        "the learning rate rose from 1e-05 to 1", "the loss fell most steeply at 0.012",
        "qiime aam fit-regressor --p-attention-head on --p-learning-rate 0.012",  # else refused
        "stopped at 1",
    )  # fmt: skip
    found, wanted = learning_rate_page.table("curve"), make_rate_curve()
    for name in wanted:
        assert found[name].tolist() == pytest.approx(wanted[name].tolist())
    assert learning_rate_page.table("settings").loc["device", "value"] == "cpu"


def test_the_chart_holds_every_step_and_marks_the_suggestion():
    curve = make_rate_curve()
    layers = layers_of(learning_rate.chart_learning_rate(curve, 0.0123))
    marks = ["point", "line", "rule", "text"]
    assert [layer["mark"]["type"] for layer in layers] == marks
    assert len(layers[0]["records"]) == len(curve)
    assert layers[2]["records"][0]["learning_rate"] == 0.0123
    domain = layers[1]["encoding"]["y"]["scale"]["domain"]
    assert domain[1] < 2  # the explosion of the last step does not flatten the curve
    without = layers_of(learning_rate.chart_learning_rate(curve, None))
    assert [layer["mark"]["type"] for layer in without] == marks[:2]


def test_a_range_that_is_too_short_is_said():
    curve = make_rate_curve()
    assert learning_rate.write_warnings(curve, 0.0123, True) == []
    falling = curve.assign(smoothed_loss=-np.arange(len(curve)))
    assert "raise 'highest_rate'" in learning_rate.write_warnings(falling, 0.5, False)[0]
    assert "lower 'lowest_rate'" in learning_rate.write_warnings(curve, 2e-5, True)[0]


def test_noise_is_no_advice(tmp_path):
    """A flat ragged curve gives no rate, whatever the steepest part of it is."""
    for seed in range(20):
        noise = 1 + 0.3 * np.random.default_rng(seed).normal(size=80)
        curve = make_rate_curve().assign(loss=noise)
        curve["smoothed_loss"] = curve["loss"].ewm(span=8).mean()
        assert not learning_rate.has_clear_slope(curve)
    falling = make_rate_curve()
    falling["loss"] *= 1 + 0.1 * np.random.default_rng(1).normal(size=80)
    assert learning_rate.has_clear_slope(falling)
    given = {"action": "pretrain", "target": None, "settings": [], "data": []}
    write = learning_rate.write_learning_rate_page
    page = Page.written(tmp_path / "page", write, curve, 0.00021, False, **given)
    page.assert_says(
        "No clear slope", "keep the default 'learning_rate' of pretrain", "Raise 'steps'"
    )
    assert "0.00021" not in page.text
    assert "--p-learning-rate" not in page.text

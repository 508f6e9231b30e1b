import sys

import numpy as np
import pytest
from simulated_study import describe_classes, describe_target
from sklearn import metrics

from q2_aam.training import prediction_figures
from q2_aam.training.prediction_figures import class_scores, confusion, draw_predictions
from q2_aam.training.shown_predictions import ShownPredictions

NAMES = ("cost $5$ <b>", "$\\frac{", "naïve ☃ and very long indeed")


def classified(samples=60, seed=0):
    random = np.random.default_rng(seed)
    actual = random.integers(0, 3, samples)
    answers = 0.3 * np.eye(3)[actual] + random.random((samples, 3))
    target = describe_classes(classes=NAMES, counts=(1, 1, 1), name="$ target $_")
    return ShownPredictions("validation", samples, target, answers, actual)


def regressed(samples=60):
    random = np.random.default_rng(0)
    actual = random.random(samples)
    answers = actual[:, None] + random.normal(0, 0.1, (samples, 1))
    target = describe_target(scaling="min-max", scale=24.0, maximum=24.0, name=NAMES[1])
    pairs = (random.random(9000), random.random(9000))
    return ShownPredictions("train", samples, target, answers, actual, pairs)


def titles_of(monkeypatch, shown):
    """Draw, and return what stands above each picture."""
    found = []
    as_image = prediction_figures._as_image

    def spy(draw, shown):
        def watched(axes, shown):
            draw(axes, shown)
            above = axes.figure._suptitle
            found.append(axes.get_title() or above.get_text())

        return as_image(watched, shown)

    monkeypatch.setattr(prediction_figures, "_as_image", spy)
    draw_predictions(shown, print)
    return found


def test_8_4_class_scores_are_those_of_scikit_learn():
    for seed in range(5):
        shown = classified(12, seed)
        predicted = shown.answers.argmax(axis=1)
        counts = confusion(predicted, shown.targets, 3)
        assert counts.tolist() == (
            metrics.confusion_matrix(shown.targets, predicted, labels=[0, 1, 2]).tolist()
        )
        wanted = metrics.precision_recall_fscore_support(
            shown.targets, predicted, average="macro", zero_division=0
        )[:3]
        accuracy = metrics.accuracy_score(shown.targets, predicted)
        assert class_scores(counts) == pytest.approx((accuracy, *wanted))


def test_8_4_the_confusion_matrix_tells_its_scores(monkeypatch):
    shown = classified()
    (title,) = titles_of(monkeypatch, shown)
    accuracy = metrics.accuracy_score(shown.targets, shown.answers.argmax(axis=1))
    assert f"accuracy {accuracy:.3f}, precision 0." in title
    assert "60 validation samples" in title


def test_8_4_values_are_drawn_in_original_units(monkeypatch):
    shown = regressed()
    of_values, of_distances = titles_of(monkeypatch, shown)
    predicted, actual = 24 * shown.answers[:, 0], 24 * shown.targets
    r_squared = metrics.r2_score(actual, predicted)
    assert f"R² {r_squared:.3f}, MAE {np.abs(predicted - actual).mean():.3g}" in of_values
    assert "60 training samples" in of_values
    assert "9,000 pairs of training samples, 4,000 drawn" in of_distances


@pytest.mark.parametrize("make", [classified, regressed])
def test_8_4_the_same_predictions_give_the_same_pictures(make):
    one, other = (draw_predictions(make(), print) for _ in range(2))
    assert list(one)
    for name, image in one.items():
        assert image.shape == (704, 704, 3)
        assert image.std() > 5  # something is drawn
        assert np.array_equal(image, other[name])


def test_8_4_one_value_alone_can_be_drawn():
    shown = ShownPredictions("validation", 1, describe_target(), np.ones((1, 1)), np.ones(1))
    assert set(draw_predictions(shown, print)) == {"predicted_against_actual"}


def test_8_4_many_classes_can_be_drawn():
    classes = tuple(f"class {number:03d}" for number in range(60))
    target = describe_classes(classes=classes, counts=(1,) * 60)
    shown = ShownPredictions("validation", 60, target, np.eye(60), np.arange(60))
    assert draw_predictions(shown, print)["confusion_matrix"].shape == (704, 704, 3)


def test_training_goes_on_without_matplotlib_and_says_so_once(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = []
    assert draw_predictions(regressed(), said.append) == {}
    assert len(said) == 1
    assert "matplotlib is not installed" in said[0]
    assert draw_predictions(ShownPredictions("train", 3), said.append) == {}
    assert len(said) == 1

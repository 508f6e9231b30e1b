"""The figures of evaluate-classification, each with the words that say how to read it."""

from __future__ import annotations

import pandas as pd

from .calibration_charts import chart_calibration, chart_sureness
from .classification_charts import (
    MOST_CLASSES_WITH_COUNTS,
    MOST_CLASSES_WITH_SHARES,
    chart_class_scores,
    chart_confusion,
    tabulate_confusion,
)
from .classification_scores import MODEL, ClassificationScores
from .classification_words import describe_calibration
from .classified_samples import ClassifiedSamples
from .figure import Figure
from .number_format import format_share
from .probability_curves import (
    chart_precision_recall,
    chart_roc,
    list_contests,
    positive_class,
)


def make_classification_figures(
    samples: ClassifiedSamples, scores: ClassificationScores, calibration: pd.DataFrame | None
) -> list[Figure]:
    """Make every figure of the page.

    Parameters
    ----------
    samples : ClassifiedSamples
    scores : ClassificationScores
    calibration : pd.DataFrame, optional
        From `tabulate_calibration`.

    Returns
    -------
    list of Figure
    """
    figures = [_confusion_figure(samples, "predicted"), _class_figure(samples, scores)]
    if samples.has_baseline:
        figures.append(_confusion_figure(samples, "baseline"))
    if samples.probabilities is None:
        return figures
    contests = list_contests(samples)
    if contests:
        figures += [_roc_figure(samples, contests), _recall_figure(samples, contests)]
    return [*figures, _calibration_figure(samples, calibration), _sureness_figure(samples)]


def _confusion_figure(samples: ClassifiedSamples, predictor: str) -> Figure:
    n_classes = len(samples.classes)
    caption = (
        "A row holds the samples of one true class, a column those predicted as one class: what "
        "is right lies on the diagonal from the upper left. "
    )
    if n_classes <= MOST_CLASSES_WITH_SHARES:
        caption += "Numbers are samples, and their share of the row; the colour is that share."
    elif n_classes <= MOST_CLASSES_WITH_COUNTS:
        caption += (
            "Numbers are samples (empty cells hold none); the colour is their share of the row."
        )
    else:
        caption += "The colour is the share of the row; hover for the numbers, or take the table."
    if predictor == "baseline":
        name, title = "baseline-confusion", "The baseline: which classes it confuses"
    else:
        name, title = "confusion", "Which classes are confused"
    table = tabulate_confusion(samples, predictor)
    chart = chart_confusion(table, samples.classes, samples.target)
    return Figure(name, title, chart, caption, 2 * len(table))


def _class_figure(samples: ClassifiedSamples, scores: ClassificationScores) -> Figure:
    return Figure(
        "class-scores",
        "How well each class is predicted",
        chart_class_scores(scores.row(MODEL), samples.classes),
        "Precision: of the samples predicted as this class, the share that is of it. Recall: of "
        "the samples of this class, the share that is found. F1 is high only if both are. Bars "
        "are 95 % bootstrap intervals; a long bar means too few samples to say. A score that is "
        "not defined (a class that was never predicted has no precision) is not drawn.",
        6 * len(samples.classes),
    )


def _whose(samples: ClassifiedSamples) -> str:
    positive = positive_class(samples)
    if positive is not None:
        return (
            f"The class looked for is '{positive}', the rarer of the two: a positive is a sample "
            "predicted as it. "
        )
    return "One curve for each class, told apart from all other classes together. "


def _left_out(samples: ClassifiedSamples, contests) -> str:
    if positive_class(samples) is not None or len(contests) == len(samples.classes):
        return ""
    return (
        f" Drawn are the {len(contests)} of {len(samples.classes)} classes that are most frequent "
        "among these samples and not all of them; the table has all."
    )


def _roc_figure(samples: ClassifiedSamples, contests) -> Figure:
    return Figure(
        "roc",
        "ROC: what is found, and what is taken for it",
        chart_roc(contests),
        f"{_whose(samples)}Each point of a curve is a threshold for the probability: the share of "
        "the class that is found (up) against the share of the others that is taken for it "
        "(right). The nearer the upper left corner, the better; the grey diagonal is guessing."
        f"{_left_out(samples, contests)}",
        len(contests),
    )


def _recall_figure(samples: ClassifiedSamples, contests) -> Figure:
    positive = positive_class(samples)
    caption = (
        f"{_whose(samples)}The more of a class is to be found (right), the more of what is found "
        "may be wrong (down). The nearer the upper right corner, the better; more telling than "
        "ROC where a class is rare."
    )
    if positive is not None:
        share = format_share(contests[0].is_class.mean())
        caption += f" The grey line is guessing: {share} of the samples are '{positive}'."
    return Figure(
        "precision-recall",
        "Precision and recall",
        chart_precision_recall(contests, with_prevalence=positive is not None),
        caption + _left_out(samples, contests),
        len(contests),
    )


def _calibration_figure(samples: ClassifiedSamples, table: pd.DataFrame) -> Figure:
    positive = positive_class(samples)
    if positive is None:
        axes = "Probability of the predicted class", "Share that was right"
        what = "the probability given to the predicted class against how often it was right"
    else:
        axes = f"Probability of '{positive}'", f"Share that is '{positive}'"
        what = f"the probability given to '{positive}' against how often it was true"
    return Figure(
        "calibration",
        "Whether probabilities mean what they say",
        chart_calibration(table, *axes),
        f"Each point holds about equally many samples: {what}, with 95 % intervals that take the "
        "samples as independent. Points on the grey line can be taken at their word; below it "
        f"the model is too sure. {describe_calibration(table)}",
        4 * len(table),
    )


def _sureness_figure(samples: ClassifiedSamples) -> Figure:
    positive = positive_class(samples)
    if positive is None:
        axis = "Probability of the predicted class"
        caption = (
            "Samples by the probability given to the class predicted. A model that knows when it "
            "is unsure has its mistakes on the left."
        )
    else:
        axis = f"Probability of '{positive}'"
        caption = (
            f"Samples by the probability given to '{positive}', and what they are. A model that "
            "tells the two classes apart has them at opposite ends."
        )
    chart = chart_sureness(samples, axis)
    return Figure("sureness", "How sure the model is", chart, caption, 40)

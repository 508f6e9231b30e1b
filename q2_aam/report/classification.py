"""The page of evaluate-classification."""

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from ..errors import counted
from ..storage.training_log import TrainingLog
from . import classification_scores, style
from .classification_scores import MOST_DETAILED, PredictedClasses, score_classification
from .evaluation import ALL_SAMPLES, BASELINE, DUMMY, LOOKS, MODEL, Evaluation, Scores, in_sentence
from .formatting import MISSING, format_count, format_decimals, format_fraction, words
from .importance import ImportantFeatures
from .metrics import CLASS_METRICS, OVERALL_METRICS, ScoreRow, in_percent, score_blocks
from .page import Column, Download, Figure, Section, Table, Text, define, figure, table_of
from .recognition import recognition_blocks
from .style import by_name, exact, themed, tips

MISTAKES_SHOWN, PAIRS_SHOWN, CLASSES_SHOWN = 10, 10, 30
MOST_WITH_SHARES = 8  # classes: more, and only the counts fit into the cells
MOST_WITH_COUNTS = 20
MOST_CURVES = len(style.CATEGORIES)
_ACCURACY, _BALANCED = OVERALL_METRICS[0], OVERALL_METRICS[2]
_MOST_TILTED = 12
_LABEL_LENGTH = 110  # pixels
_MOST_POINTS = 200  # of one curve: more than a screen resolves


def write_classification_page(
    output_dir: str | Path, samples: PredictedClasses, training_log: TrainingLog | None = None,
    important: ImportantFeatures | None = None,
) -> None:  # fmt: skip
    """Write the evaluation of a classifier, whose training log tells of its classes and design."""
    evaluation = Evaluation(samples, training_log)
    names = evaluation.names
    scores = score_classification(samples, names, evaluation.target.get("training_counts"))
    by_class = []
    if len(samples.classes) <= MOST_DETAILED:
        by_class = [_class_scores_figure(scores.rows[MODEL], samples.classes)]
    beside = [] if samples.has_baseline else by_class
    sections = [
        _classes_section(samples, names, beside),
        _scores_section(samples, scores, names, by_class if samples.has_baseline else []),
    ]
    if samples.probabilities is not None:
        table = classification_scores.tabulate_calibration(samples, names)
        figures = [
            *_curve_figures(samples, names),
            _calibration_figure(samples, table, names),
            _confidence_figure(samples),
        ]
        blocks = [figures, Download("calibration", "the points of the calibration", table)]
        sections.append(Section("probabilities", "Probabilities", "Probabilities", blocks))
    sections.append(_mistakes_section(samples, names))
    shown = _shown(OVERALL_METRICS, samples)
    defined = [metric for metric in shown if np.isfinite(scores.of(MODEL, metric).value)]
    cards = scores.rows[MODEL].cards(defined)
    headline = write_headline(samples, scores, names)
    evaluation.write(output_dir, "classifier", headline, sections, cards, important)


def write_headline(samples: PredictedClasses, scores: Scores, names: dict[str, str]) -> str:
    """Say in two sentences how good the model is and who wins, also where the model does not."""

    def share_of(metric) -> dict:
        found = scores.of(MODEL, metric)
        return {"share": format_fraction(found.value), "interval": in_percent(found)}

    n_samples = counted(scores.rows[MODEL].n_samples, "sample")
    values = {"target": samples.target, "samples": n_samples, **share_of(_ACCURACY)}
    parts = [words("classification", "opening", **values)]
    for other in scores.differences:
        share, name = format_fraction(scores.of(other, _ACCURACY).value), names.get(other, other)
        values = {"share": share, "dummy": scores.dummy}
        parts.append(scores.describe_difference("classification", other, _ACCURACY, name, **values))
    dummy = format_fraction(scores.of(DUMMY, _BALANCED).value)
    text = words("classification", "balanced", dummy=dummy, **share_of(_BALANCED))
    if scores.differences[DUMMY][_BALANCED.name].verdict != "better":
        text += words("classification", "not_better")
    return f"{'; '.join(parts)}. {text}."


def _shown(metrics, samples: PredictedClasses) -> list:
    """Leave out what needs probabilities if there are none."""
    has = samples.probabilities is not None or samples.baseline_probabilities is not None
    return [metric for metric in metrics if has or not metric.is_area]


def _classes_section(samples: PredictedClasses, names: dict, beside: list[Figure]) -> Section:
    detailed, figures, confused, tables = len(samples.classes) <= MOST_DETAILED, [], [], []
    for key, predictor in samples.predictors.items():
        table = classification_scores.tabulate_confusion(samples, predictor)
        figures += [_confusion_figure(samples, table, key, names[key])] if detailed else []
        wrong = table[(table["actual"] != table["predicted"]) & (table["samples"] > 0)]
        if key == MODEL and len(samples.classes) > 2 and len(wrong):
            wrong = wrong.sort_values("samples", ascending=False, kind="stable").head(PAIRS_SHOWN)
            columns = [
                ("Actual", wrong["actual"]), ("Predicted as", wrong["predicted"]),
                ("Samples", wrong["samples"].map(format_count), True),
                ("Share of actual", wrong["share_of_actual"].map(format_fraction), True),
            ]  # fmt: skip
            title = Text("Confused most often", tag="h3")
            confused = [title, table_of("pairs-table", columns)]
        pairs = zip(table["actual"], table["predicted"], strict=True)
        table.index = pd.Index([f"{key}: {a} as {b}" for a, b in pairs], name="id")
        table.insert(0, "predictor", names[key])
        tables.append(table)
    many = words("notes", "many_classes", classes=len(samples.classes))
    download = Download("confusion", "the numbers behind it", pd.concat(tables))
    blocks = [figures + beside if detailed else many, *confused, download]
    return Section("classes", "Classes", "Classes", blocks)


def _scores_section(samples, scores: Scores, names: dict, by_class: list[Figure]) -> Section:
    rows, n_samples = dict(scores.rows), scores.rows[MODEL].n_samples
    on_all = {key: rows.pop(key) for key in [ALL_SAMPLES] if key in rows}
    for other, differences in scores.differences.items():
        key, against = f"{MODEL} minus {other}", names.get(other, other)
        label = f"difference: {names[MODEL]} minus {against}"
        rows[key] = ScoreRow(key, label, n_samples, differences)
    found = [*rows.values(), *on_all.values()]
    notes = [samples.describe_bootstrap()]
    if BASELINE in scores.differences:
        cell = _BALANCED.cell(scores.differences[BASELINE][_BALANCED.name])
        values = {"model": names[MODEL], "baseline": in_sentence(names[BASELINE])}
        values["difference"] = cell.text + (f" [{cell.detail}]" if cell.detail else "")
        notes.append(words("notes", "differences", **values))
    blocks = score_blocks(found, _shown(OVERALL_METRICS, samples), notes)
    of_classes = [*([by_class] if by_class else []), *_class_blocks(samples, scores)]
    blocks = [*blocks, Text("By class", tag="h3"), *of_classes]
    return Section("scores", "Scores", "Scores", blocks)


def _class_blocks(samples: PredictedClasses, scores: Scores) -> list:
    metrics, rows, records = _shown(CLASS_METRICS, samples), [], []
    columns = [Column("Class"), Column("Predictor"), Column("Samples", True, "of this class")]
    columns += [Column("Predicted", True, "as this class"), *(m.column for m in metrics)]
    n_actual = samples.count("actual")
    predicted = {key: samples.count(column) for key, column in samples.predictors.items()}
    for place, name in enumerate(samples.classes):
        for key, n_predicted in predicted.items():
            row, counts = scores.rows[key], (int(n_actual[place]), int(n_predicted[place]))
            about = {"class": name, "actual_samples": counts[0], "predicted_samples": counts[1]}
            of_class = row._replace(estimates=row.by_class[place])
            rows.append([name, row.label, *map(format_count, counts), *of_class.cells(metrics)])
            records += of_class.records(metrics, f" of {name}", **about)
    frame = pd.DataFrame.from_records(records, index="id")
    table = Table("class-table", columns, rows, shown=CLASSES_SHOWN * len(samples.predictors))
    return [table, define(columns), Download("class-scores", "the scores of every class", frame)]


def _mistakes_section(samples: PredictedClasses, names: dict) -> Section:
    frame, has = samples.frame, samples.probabilities is not None
    table = frame[["actual", "predicted"]].copy()
    mistaken = table["actual"] != table["predicted"]
    table["correct"] = np.where(mistaken, "no", "yes")
    if has:
        for column in ("predicted", "actual"):
            table[f"probability_of_{column}"] = samples.given_to(column)
    table = table.join(frame[["baseline", "group"]].dropna(axis="columns", how="all"))
    wrong = table[mistaken]
    if has:
        wrong = wrong.sort_values("probability_of_predicted", ascending=False, kind="stable")
    worst = wrong.head(MISTAKES_SHOWN)
    columns = [("Sample", worst.index.map(str))]
    if samples.group_name is not None:
        columns.append((samples.group_name, worst["group"]))
    columns += [("Actual", worst["actual"]), ("Predicted", worst["predicted"])]
    if has:
        for label, of in (("Its probability", "predicted"), ("Probability of actual", "actual")):
            cells = [format_decimals(value, 2) for value in worst[f"probability_of_{of}"]]
            columns.append((label, cells, True))
    if samples.has_baseline:
        columns.append((names[BASELINE], [name or MISSING for name in worst["baseline"]]))
    sure = ", those that the model was surest of" if has else ""
    values = {"shown": len(worst), "samples": counted(len(wrong), "sample"), "sure": sure}
    blocks = [words("notes", "mistakes", **values), table_of("worst-table", columns)]
    blocks = blocks if len(wrong) else ["Every sample is predicted right."]
    blocks += recognition_blocks(samples.recognition, mistaken.astype(float), is_mistake=True)
    table = samples.with_recognition(table)
    blocks.append(Download("predictions", "every prediction", table))
    title = "The most confident mistakes" if has else "Mistakes"
    return Section("mistakes", "Mistakes", title, blocks)


def _confusion_figure(samples, table: pd.DataFrame, key: str, name: str) -> Figure:
    """Draw a confusion matrix: a row for each true class, colored by the share of that row."""
    n_classes, classes, target = len(samples.classes), list(samples.classes), samples.target
    axis = alt.Axis(labelLimit=_LABEL_LENGTH, grid=False, ticks=False, domain=False)
    # Too many or too long to stand side by side, on a phone at the latest.
    upright = max(len(name) for name in classes) * n_classes <= 24
    below = axis if upright else axis.copy()
    below["labelAngle"] = 0 if upright else -40 if n_classes <= _MOST_TILTED else -90
    below["labelOverlap"] = False
    scale = alt.Scale(domain=classes, paddingInner=0.03, paddingOuter=0)
    x = alt.X("predicted:N", title=f"Predicted {target}", scale=scale, axis=below)
    y = alt.Y("actual:N", title=f"Actual {target}", scale=scale, axis=axis)
    with_shares, with_counts = n_classes <= MOST_WITH_SHARES, n_classes <= MOST_WITH_COUNTS
    records = table[["actual", "predicted", "samples"]].to_dict("records")
    for record, share in zip(records, table["share_of_actual"].fillna(0), strict=True):
        count, record["share"] = record["samples"], style.short(share)
        record["text"] = f"{count:,}" if count and with_counts else ""
        if with_shares:
            record["text"] = f"{count:,}\n{format_fraction(share)}" if count else "0"
    base = style.chart_of(records).encode(x, y)
    legend = alt.Legend(format="%", gradientLength=200, tickCount=3)
    colors = alt.Scale(domain=[0, 0.5, 1], range=style.SHARES, interpolate="rgb")
    squares = base.mark_rect(stroke="#DDDDDD", strokeWidth=0.5).encode(
        alt.Color("share:Q", title="Share of the row", scale=colors, legend=legend),
        tooltip=tips("actual", "predicted", samples="d", share=("share of actual", ".0%")),
    )
    size = 12 if with_shares else 10
    numbers = base.mark_text(fontSize=size, lineBreak="\n", lineHeight=14, aria=False).encode(
        text="text:N",
        # 0.7: where white on blue becomes easier to read than black
        color=alt.condition("datum.share > 0.7", alt.value("white"), alt.value(style.BLACK)),
    )
    height = max(150, (56 if with_shares else 24 if with_counts else 17) * n_classes)
    cells = "shares" if with_shares else "counts" if with_counts else "colors"
    texts = {"cells": words("confusion-matrix", cells), "name": name, "whose": in_sentence(name)}
    file = "confusion-matrix" if key == MODEL else "baseline-confusion"
    chart = themed(squares, numbers, height=height)
    return figure(file, chart, "confusion", 2 * len(table), **texts)


def _class_scores_figure(scores: ScoreRow, classes: tuple[str, ...]) -> Figure:
    """Draw precision, recall and F1 of each class with their intervals."""
    metrics = [metric for metric in CLASS_METRICS if not metric.is_area]
    labels, records = [metric.column.label for metric in metrics], []
    for name, found in zip(classes, scores.by_class, strict=True):
        for metric, label in zip(metrics, labels, strict=True):
            score, cell = found[metric.name], metric.cell(found[metric.name])
            ends = {k: style.short(v) for k, v in score._asdict().items() if np.isfinite(v)}
            if "value" in ends:
                about = {"class": name, "metric": label, "score": cell.text}
                records.append({**about, "interval": cell.detail, **ends})
    axis = alt.Axis(labelLimit=_LABEL_LENGTH, grid=True, tickBand="extent")
    scale = alt.Scale(domain=list(classes), padding=0.25)
    base = style.chart_of(records).encode(
        alt.Y("class:N", title=None, scale=scale, axis=axis),
        alt.YOffset("metric:N", scale=alt.Scale(domain=labels, padding=0.3)),
        by_name(alt.Color, "metric:N", labels, [style.BLUE, style.SKY, style.BLACK]),
    )
    bars = base.mark_rule(strokeWidth=1.6, aria=False).transform_filter("isValid(datum.lower)")
    bars = bars.encode(alt.X("lower:Q", title="Score", scale=exact([0, 1])), alt.X2("upper:Q"))
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        alt.X("value:Q", title="Score", scale=exact([0, 1])),
        by_name(alt.Shape, "metric:N", labels, ["circle", "square", "triangle-up"]),
        tooltip=tips("class", "metric", "score", "interval"),
    )
    step = 46 if len(classes) <= MOST_WITH_COUNTS else 34
    chart = themed(bars, points, height=max(150, step * len(classes)))
    return figure("scores-by-class", chart, "class-scores", 6 * len(classes))


def _list_curves(samples: PredictedClasses, names: dict[str, str]) -> list[tuple]:
    """List the curves to draw: of two classes the rarer, else the model's for each class.

    Each has a name in the legend, whether decisions are of the class, and their probabilities.
    Without classes that no or every sample belongs to; of more than `MOST_CURVES` the most
    frequent, in the order of the classes. The micro average of all classes comes last, and is
    alone if there are very many.
    """
    actual, classes, found = samples.actual, samples.classes, []
    if samples.positive_class is not None:
        place = classes.index(samples.positive_class)
        for key, predictor in samples.predictors.items():
            given, known = samples.probabilities_of(predictor), samples.codes(predictor) >= 0
            if given is not None:
                found.append((names[key], actual[known] == place, given[known, place]))
        return [one for one in found if 0 < one[1].sum() < len(one[1])]
    frequency, given = np.bincount(actual, minlength=len(classes)), samples.probabilities
    usable = np.flatnonzero((frequency > 0) & (frequency < len(actual)))
    if len(classes) <= MOST_DETAILED:
        shown = sorted(usable[np.argsort(-frequency[usable], kind="stable")][:MOST_CURVES])
        found = [(classes[c], actual == c, given[:, c]) for c in shown]
    if len(usable):
        is_class = actual[:, None] == np.arange(len(classes))
        found.append(("micro average", is_class.ravel(), given.ravel()))
    return found


def _curve_figures(samples: PredictedClasses, names: dict[str, str]) -> list[Figure]:
    """Draw ROC and precision-recall curves, and guessing where it is the same for all of them."""
    curves = _list_curves(samples, names)
    if not curves:
        return []
    positive, n_classes, more, guessing = samples.positive_class, len(samples.classes), "", []
    if positive is not None:
        guess = float(curves[0][1].mean())
        how_rare = "as frequent as the other" if guess == 0.5 else "the rarer of the two"
        whose = words("roc", "of_two", positive=positive, how_rare=how_rare)
        share = format_fraction(guess)
        more = " " + words("precision-recall", "guess", share=share, positive=positive)
        guessing = [style.rule_at("y", guess)]
    else:
        whose = words("roc", "micro" if len(curves) == 1 else "of_many")
        if 1 < len(curves) <= n_classes:
            whose += " " + words("roc", "some", shown=len(curves) - 1, classes=n_classes)
    rates, recalls = [], []
    for name, is_class, probability in curves:
        false, true, _ = roc_curve(is_class, probability)
        precision, recall, _ = precision_recall_curve(is_class, probability)
        rates.append(_curve_points(name, false, true))
        # The last point (recall 0, precision 1) is no threshold's: it is scikit-learn's anchor.
        recalls.append(_curve_points(name, recall[-2::-1], precision[-2::-1]))
    rates, recalls = pd.concat(rates), pd.concat(recalls)
    looks = LOOKS.values()
    if positive is None:  # the last one, the micro average, as the model
        dashes = [*style.DASHES[1:], style.DASHES[0]]
        looks = [*zip(style.CATEGORIES, dashes, strict=True)][: len(curves) - 1] + [LOOKS[MODEL]]
    looks = dict(zip((name for name, *_ in curves), looks, strict=False))
    titles = ("False positive rate", "True positive rate")
    x, y = alt.X("x:Q", title=titles[0]), alt.Y("y:Q", title=titles[1])
    diagonal = style.line_through([(0, 0), (1, 1)], x, y)
    left = themed(diagonal, _lines(rates, looks, titles, "linear"), height=380)
    lines = _lines(recalls, looks, ("Recall", "Precision"), "step-before")
    right = themed(*guessing, lines, height=380)
    return [
        figure("roc", left, rates, len(curves), whose=whose),
        figure("precision-recall", right, recalls, len(curves), guess=more),
    ]


def _curve_points(name: str, x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    places = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_POINTS)).round().astype(int))
    index = [f"{name} {place}" for place in range(len(places))]
    return pd.DataFrame({"curve": name, "x": x[places].round(4), "y": y[places].round(4)}, index)


def _lines(points: pd.DataFrame, looks: dict, titles: tuple, interpolate: str) -> alt.Chart:
    records = points.assign(order=np.arange(len(points))).to_dict("records")
    # Long names of classes: two columns are what a phone has room for.
    columns = 2 if max(map(len, looks)) > 12 else 4
    lines = style.chart_of(records).mark_line(strokeWidth=2.2, interpolate=interpolate)
    return lines.encode(
        alt.X("x:Q", title=titles[0], scale=alt.Scale(domain=[0, 1])),
        alt.Y("y:Q", title=titles[1], scale=alt.Scale(domain=[0, 1])),
        *style.lines_by_name("curve:N", looks, columns=columns),
        alt.Order("order:Q"),
        tooltip=tips("curve", x=(titles[0], ".2f"), y=(titles[1], ".2f")),
    )


def _calibration_figure(samples: PredictedClasses, table: pd.DataFrame, names: dict) -> Figure:
    """Draw a table of `tabulate_calibration` with the line of perfect calibration."""
    positive, whose, was = samples.positive_class, "the predicted class", "right"
    share = "Share that was right"
    if positive is not None:
        whose, was, share = f"'{positive}'", "true", f"Share that is '{positive}'"
    looks = dict(zip(table["predictor"].unique(), LOOKS.values(), strict=False))
    color, dash = style.lines_by_name("predictor:N", looks)
    x = alt.X("probability:Q", title=f"Probability of {whose}", scale=exact([0, 1]))
    y = alt.Y("share:Q", title=share, scale=exact([0, 1]))
    base = style.chart_of(table.round(4).to_dict("records")).encode(x, color)
    ends = alt.Y("lower:Q", scale=exact([0, 1]), title=share), alt.Y2("upper:Q")
    numbers = {"probability": ("mean probability", ".2f"), "share": ".2f"}
    numbers |= {"lower": ("95 % interval from", ".2f"), "upper": ("to", ".2f"), "samples": "d"}
    points = base.mark_point(filled=True, size=60, opacity=1)
    chart = themed(
        style.line_through([(0, 0), (1, 1)], x, y),
        base.mark_rule(strokeWidth=1.4, aria=False).encode(*ends),
        base.mark_line(strokeWidth=1.6).encode(y, dash),
        points.encode(y, tooltip=tips("predictor", **numbers)),
        height=380,
    )
    name = names[MODEL]
    of_model = table[table["predictor"] == name]
    off = format_decimals(100 * classification_scores.calibration_error(of_model), 0)
    values = {"what": whose, "was": was, "name": name, "off": off}
    return figure("calibration-curve", chart, "calibration", 4 * len(table), **values)


def _confidence_figure(samples: PredictedClasses) -> Figure:
    positive = samples.positive_class
    if positive is None:
        of, kinds, colors = "the predicted class", ["right", "wrong"], [style.SKY, style.BLACK]
        right = samples.codes("predicted") == samples.actual
        kind, probability = np.where(right, "right", "wrong"), samples.given_to("predicted")
    else:
        of, kinds, colors = f"'{positive}'", list(samples.classes), style.CATEGORIES
        kind = samples.frame["actual"]
        probability = samples.probabilities[:, samples.classes.index(positive)]
    what = words("confidence", "of_many" if positive is None else "of_two", positive=positive)
    records = [
        {"kind": k, "probability": style.short(p)} for k, p in zip(kind, probability, strict=True)
    ]
    bins, tenths = alt.Bin(extent=[0, 1], step=0.05), [place / 10 for place in range(11)]
    axis = alt.Axis(format=".1f", values=tenths)
    bars = style.chart_of(records).mark_bar(stroke="white", strokeWidth=1).encode(
        alt.X("probability:Q", bin=bins, title=f"Probability of {of}", axis=axis),
        style.count_samples(),
        by_name(alt.Color, "kind:N", kinds, colors),
        tooltip=[*tips("kind"), alt.Tooltip("count()", title="samples")],
    )  # fmt: skip
    return figure("confidence", themed(bars, height=380), "predictions", 40, what=what)

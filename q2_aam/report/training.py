"""The page of summarize-training: what was learned, the curves of the run, every setting."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
from markupsafe import Markup

from ..errors import counted
from ..storage.training_log import TENSORBOARD_EVENTS, Setting, TrainingLog, heads_table
from . import formatting, page, style
from .evaluation import describe_heads
from .formatting import format_count, format_fraction, format_number, format_setting, parts, words
from .metrics import OVERALL_METRICS, REGRESSION_METRICS
from .samples import count_blocks

TENSORBOARD_ARCHIVE = "tensorboard.zip"
DESCENT_HEAD = "attention"  # the head that is trained in epochs
PARTS = {"train": "training samples", "validation": "validation samples"}
CHOOSERS = {
    "user": "you", "encoder": "the encoder given", "automatic": "q2-aam, for this data",
    "default": "default",
}  # fmt: skip
_LOOKS = {"train": (style.BLACK, [1, 0]), "validation": (style.ORANGE, [7, 3])}
_OF_KEPT_EPOCH = {
    "validation_unifrac_r": "UniFrac r", "validation_mean_absolute_error": "MAE",
    "validation_accuracy": "accuracy", "validation_balanced_accuracy": "balanced accuracy",
}  # fmt: skip
_SINGLES = ("learning_rate", "gradient_norm", "samples_per_second", "skipped_steps")
_MOST_DOTTED_EPOCHS = 60
_LOGARITHMIC_FROM = 100  # largest over smallest value
_MOST_CLASSES = 20  # named with their samples
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def write_training_page(output_dir: str | Path, log: TrainingLog, log_folder: str | Path) -> None:
    """Write the summary of a training run, with the TensorBoard events of the log's folder."""
    summary, history = log.summary, log.history
    heads, n_epochs = summary.get("heads") or [], len(history)
    trained = [head for head in heads if head["name"] == DESCENT_HEAD and head["weight"]]
    counts_nothing = bool(heads) and not trained
    curves = [_curves_section(log, counts_nothing)] if n_epochs else []
    data = count_blocks(summary.get("data") or [], "data-table", "data")
    versions = summary.get("environment") or {}
    columns = [("What", map(str, versions)), ("Value", map(format_setting, versions.values()))]
    environment = [words("notes", "environment"), page.table_of("environment-table", columns)]
    sections = [
        *_heads_section(log),
        *([] if counts_nothing else curves),
        page.Section("model", "Model", "The model in words", _model_blocks(log)),
        page.Section("data", "Data", "Data used and dropped", data),
        section_of_settings(log.settings),
        page.Section("environment", "Environment", "Environment", environment),
        *(curves if counts_nothing else []),
    ]
    if n_epochs:
        link = Markup('{} <a href="./{}/{}" download>{}</a>, unpack it, and run:').format(
            words("notes", "tensorboard"), page.DOWNLOADS, TENSORBOARD_ARCHIVE, TENSORBOARD_ARCHIVE
        )
        events = [link, page.Text("tensorboard --logdir tensorboard", tag="pre")]
        sections.append(page.Section("tensorboard", "TensorBoard", "TensorBoard", events))
    action, encoder = summary.get("action"), summary.get("encoder")
    title, heading = "Summary of a training run", f"Training: {action}" if action else "Training"
    headline, cards = write_headline(summary, history), _cards(log, counts_nothing)
    warnings = write_warnings(summary, history) if n_epochs and not counts_nothing else []
    lines = [f"Encoder: {encoder}"] if encoder else []
    page.write_page(output_dir, title, heading, headline, sections, cards, warnings, lines)
    if n_epochs:
        archive = Path(output_dir) / page.DOWNLOADS / TENSORBOARD_ARCHIVE
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
            for name in TENSORBOARD_EVENTS.values():
                # A fixed date: the same log gives the same page, byte for byte.
                content = (Path(log_folder) / name).read_bytes()
                target.writestr(zipfile.ZipInfo(name, _ZIP_DATE), content)


def write_headline(summary: dict, history: pd.DataFrame) -> str:
    """Say what predictions come from, how long the training ran and what was kept."""
    heads = describe_heads(summary)
    if heads and len(history) and all(one["name"] != DESCENT_HEAD for one in summary["heads"]):
        heads += f"; {DESCENT_HEAD} head off"  # it was trained, and did not help
    parts = [f"Predictions: {heads}."] if heads else []
    if not len(history):
        return " ".join([*parts, "Fitted without epochs of training."])
    what = f"Training of the {DESCENT_HEAD} head" if heads else "Training"
    text = f"{what} ran for {counted(summary.get('epochs_run') or len(history), 'epoch')}"
    if summary.get("stop_reason"):
        text += f" and stopped: {str(summary['stop_reason']).strip().rstrip('.')}"
    kept = summary.get("kept_epoch")
    if kept is not None:
        at = history[history["epoch"] == kept].iloc[:1]
        found = [
            f"{label} loss {format_number(value)}"
            for column, label in (("validation_loss", "validation"), ("train_loss", "training"))
            for value in at.reindex(columns=[column])[column].dropna()
        ]
        losses = f" ({', '.join(found)})" if found else ""
        text += f"{'; the' if heads else '. The'} weights of epoch {kept} were kept{losses}"
    return " ".join([*parts, f"{text}."])


def write_warnings(summary: dict, history: pd.DataFrame) -> list[str]:
    """Point at what a run's history suggests to do differently."""
    kept, last = summary.get("kept_epoch"), int(history["epoch"].max())
    found = {
        "last_epoch": kept is not None and kept == last > 1,
        "first_epoch": kept is not None and kept <= 1 < last,
        "no_validation": not history.get("validation_loss", pd.Series(dtype=float)).notna().any(),
    }
    return [words("notes", name) for name, holds in found.items() if holds]


def _cards(log: TrainingLog, counts_nothing: bool) -> list[page.Card]:
    summary, history = log.summary, log.history
    heads, n_epochs = summary.get("heads") or [], len(history)
    cards = {f"{head['name']} head": _write_weight(head["weight"]) for head in heads}
    if n_epochs:
        cards["epochs"] = format_count(summary.get("epochs_run") or n_epochs)
    if n_epochs and not counts_nothing:
        cards["kept epoch"] = format_count(summary.get("kept_epoch"))
    cards["parameters"] = format_count((summary.get("model") or {}).get("parameters"))
    kept = history[history["epoch"] == summary.get("kept_epoch")]
    for name, label in _OF_KEPT_EPOCH.items():
        if len(kept) and name in kept and not counts_nothing:
            cards[f"{label}, validation"] = format_number(kept[name].iloc[0])
    if "seconds" in history and n_epochs:
        cards["time"] = formatting.format_duration(history["seconds"].sum())
    return [page.Card(*card) for card in cards.items()]


def _write_weight(weight: float) -> str:
    return format_fraction(weight) if weight else "off"


def _heads_section(log: TrainingLog) -> list[page.Section]:
    frame = heads_table(log)
    if not len(frame):
        return []
    labels = {one.name: one.column.label for one in (*REGRESSION_METRICS, *OVERALL_METRICS)}
    columns = [("Head", frame.index), ("Weight", frame["weight"].map(_write_weight), True)]
    for name, scores in frame.drop(columns="weight").items():
        label = labels.get(name, name.replace("_", " ").capitalize())
        columns.append((label, scores.map(format_number), True))
    blocks = [page.table_of("heads-table", columns), words("notes", "heads")]
    blocks.append(page.Download("heads", "the heads and their scores", frame))
    return [page.Section("heads", "Heads", "What predictions come from", blocks)]


def _model_blocks(log: TrainingLog) -> list:
    summary = log.summary
    model, target = summary.get("model") or {}, summary.get("target") or {}
    blocks = [str(sentence) for sentence in model.get("description") or []]
    if model.get("parameters") is not None:
        number = format_count(model["parameters"])
        blocks.append(words("notes", "parameters", parameters=number))
    values = {"target": target.get("name")}
    if target.get("training_counts"):
        counts = sorted(target["training_counts"].items(), key=lambda item: (-item[1], item[0]))
        named = ", ".join(f"{name} ({count:,})" for name, count in counts[:_MOST_CLASSES])
        rest = len(counts) - _MOST_CLASSES
        values["classes"] = f"{named} and {rest:,} more" if rest > 0 else named
        blocks.append(page.Text(words("notes", "classes_learned", **values), "classes"))
    elif target:
        names = {"low": "training_min", "high": "training_max", "mean": "training_mean"}
        values |= {key: format_number(target.get(name)) for key, name in names.items()}
        blocks.append(words("notes", "numbers_learned", **values))
    return [*blocks, *describe_target_settings(log.settings)]


def describe_target_settings(settings: Sequence[Setting]) -> list[str]:
    """Say in sentences how the target was learned; other settings are passed over."""
    value = {setting.name: setting.value for setting in settings}

    def choice(name: str) -> str:
        known = isinstance(value.get(name), (str, bool))  # a log may hold any JSON
        return words("settings", f"{name} {value[name]}") if known else ""

    names = ("target_loss", "target_scaling", "class_weights", "bound_predictions")
    sentences = [choice(name) for name in names]
    columns = value.get("covariate_columns")
    if columns and isinstance(columns, (list, tuple)):
        columns, effect = formatting.join_words(map(str, columns)), choice("covariate_fusion")
        text = f"The columns {columns} are read beside the microbes"
        sentences.append(f"{text}; {effect}" if effect else f"{text}.")
    return list(filter(None, [*sentences, choice("freeze_encoder")]))


def section_of_settings(settings: Sequence[Setting]) -> page.Section:
    """Show what the user chose first and the defaults last."""
    records = [[one.name, format_setting(one.value), one.chosen_by, one.why] for one in settings]
    frame = pd.DataFrame(records, columns=["name", "value", "chosen_by", "why"]).set_index("name")
    shown = frame.sort_values("chosen_by", key=lambda by: by.map([*CHOOSERS].index), kind="stable")
    columns = [
        ("Setting", shown.index), ("Value", [page.Cell(codes=[value]) for value in shown["value"]]),
        ("Chosen by", shown["chosen_by"].map(CHOOSERS)), ("Why", shown["why"]),
    ]  # fmt: skip
    table = page.table_of("settings-table", columns)
    blocks = [words("notes", "settings"), table, page.Download("settings", "the settings", frame)]
    return page.Section("settings", "Settings", "Every setting in force", blocks)


def _curves_section(log: TrainingLog, counts_nothing: bool) -> page.Section:
    summary, history, not_kept = log.summary, log.history, _epochs_not_kept(log)
    heads, kept = summary.get("heads"), summary.get("kept_epoch")
    head = f"{DESCENT_HEAD.capitalize()} head: " if heads else ""
    classes, figures = bool((summary.get("target") or {}).get("training_counts")), []
    singles = [name for name in _SINGLES if name in history and history[name].notna().any()]
    for place, name in enumerate(paired_names(history) + singles, 1):
        title, axis, caption = words_for(name, classes)
        chart = chart_curve(history, name, axis, kept, not_kept)
        # File names are ours: a column's own name may hold anything.
        file, texts = f"curve-{place}", (head + title, caption)
        figures.append(page.figure(file, chart, "history", texts=texts))
    blocks = [words("notes", "head_off")] if counts_nothing else []
    blocks += [words("notes", "not_kept")] if not_kept > 1 else []
    blocks += [figures, page.Download("history", "every number of every epoch", history)]
    title = f"Curves of the {DESCENT_HEAD} head" if heads else "Curves"
    return page.Section("curves", "Curves", title, blocks)


def _epochs_not_kept(log: TrainingLog) -> float:
    """Return the last epoch that may not be kept: half of those asked for, unless it was chosen."""
    settings, epochs_run = {one.name: one.value for one in log.settings}, len(log.history)
    epochs = settings.get("epochs") if isinstance(settings.get("epochs"), int) else epochs_run
    limit = settings.get("min_epochs")
    if limit is None and "min_epochs" in settings:
        limit = epochs // 2
    if isinstance(limit, bool) or not isinstance(limit, int):
        return 0.0
    return float(min(limit, epochs_run))


def words_for(name: str, classes: bool = False) -> list[str]:
    """Return title, axis and reading of a curve; one that is unknown is called by its own name."""
    found = parts("curves", "class_loss" if classes and name == "target_loss" else name)
    label = name[:1].upper() + name[1:].replace("_", " ")
    return found if len(found) == 3 else [label, label, f"{label} over the epochs."]


def paired_names(history: pd.DataFrame) -> list[str]:
    """Name losses and metrics, without a total that is nothing but one loss."""
    names = dict.fromkeys(
        column.removeprefix(f"{part}_")
        for column in history.dropna(axis="columns", how="all")
        for part in PARTS
        if column.startswith(f"{part}_")
    )
    totals = [part for part in PARTS if f"{part}_loss" in history]
    for one in [name for name in names if name.endswith("_loss")]:
        pairs = [(history[f"{part}_loss"], history.get(f"{part}_{one}")) for part in totals]
        if all(loss is not None and np.allclose(a, loss, equal_nan=True) for a, loss in pairs):
            names.pop("loss", None)
    return list(names)


def chart_curve(
    history: pd.DataFrame, name: str, label: str, kept: int | None = None, not_kept: float = 0
) -> alt.LayerChart:
    """Draw a column of the history, or one of both parts; shade up to `not_kept`, mark the kept."""
    paired = [part for part in PARTS if name not in history and f"{part}_{name}" in history]
    columns = {f"{part}_{name}": PARTS[part] for part in paired} or {name: ""}
    records = [
        {"epoch": int(epoch), "value": style.short(value), "samples": samples}
        for column, samples in columns.items()
        for epoch, value in history[["epoch", column]].dropna().to_numpy()
    ]
    epochs, values = ({record[key] for record in records} for key in ("epoch", "value"))
    spans = min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC_FROM
    scale = alt.Scale(type="log", nice=False) if spans else alt.Scale(zero=not paired)
    point = {"size": 26, "filled": True} if len(epochs) <= _MOST_DOTTED_EPOCHS else False
    axis = alt.Axis(tickMinStep=1, format="d")
    x = alt.X("epoch:Q", title="Epoch", axis=axis, scale=alt.Scale(zero=False, nice=False))
    line = style.chart_of(records).mark_line(strokeWidth=2.2, point=point, color=style.BLUE)
    line = line.encode(
        x, alt.Y("value:Q", title=label, scale=scale),
        tooltip=style.tips(*(["samples"] if paired else []), epoch="d", value=".4~g"),
    )  # fmt: skip
    if paired:
        looks = {PARTS[part]: _LOOKS[part] for part in paired}
        line = line.encode(*style.lines_by_name("samples:N", looks))
    layers = [line]
    if kept in epochs:
        late, x = kept > (min(epochs) + max(epochs)) / 2, alt.X("epoch:Q", title="Epoch")
        rule = {"color": style.GREY, "strokeWidth": 1.5, "strokeDash": [3, 3]}
        text = {"dy": -8, "fontSize": 12, "color": "#444"}
        layers = [*style.mark_at(kept, f"kept: epoch {kept}", x, late, rule, text), line]
        if not_kept > min(epochs):
            band = style.chart_of([{"from": min(epochs), "to": not_kept}])
            band = band.mark_rect(color=style.GREY, opacity=0.12)
            layers.insert(0, band.encode(alt.X("from:Q", title="Epoch"), alt.X2("to:Q")))
    # Room above the plot for the words at the kept epoch; a legend makes that room itself.
    padding = {"left": 6, "right": 6, "bottom": 6, "top": 6 if paired else 20}
    return style.themed(*layers, height=280).properties(padding=padding)

"""The page of summarize-training: words and tables."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd

from ...errors import counted
from ...storage.training_log import TENSORBOARD_EVENTS, TrainingLog
from ..formatting import (
    format_count,
    format_duration,
    format_fraction,
    format_number,
    format_setting,
)
from ..metrics import OVERALL_METRICS, REGRESSION_METRICS
from ..page import (
    DOWNLOADS,
    Card,
    Column,
    Command,
    Download,
    Figures,
    FileLink,
    Note,
    Section,
    Table,
    write_page,
)
from ..samples import counts_table, describe_heads, table_of_counts, training_counts
from ..words import words
from .charts import make_figures
from .settings import describe_class_counts, describe_target_settings, section_of_settings

TENSORBOARD_ARCHIVE = "tensorboard.zip"
DESCENT_HEAD = "attention"  # the head that is trained in epochs
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_LABELS = {metric.name: metric.label for metric in (*REGRESSION_METRICS, *OVERALL_METRICS)}


def write_training_page(output_dir: str | Path, log: TrainingLog, log_folder: str | Path) -> None:
    """Write the summary of a training run as index.html with its downloads.

    Parameters
    ----------
    log_folder : str or Path
        Where the log lies: its TensorBoard events are offered as a download.
    """
    summary, history = log.summary, log.history
    curves = [_curves_section(log)] if len(history) else []
    counts_nothing = bool(summary.get("heads")) and not _descent_weight(summary)
    sections = [
        *_heads_section(summary),
        *([] if counts_nothing else curves),
        Section("model", "Model", "The model in words", _model_blocks(log)),
        _data_section(summary),
        section_of_settings(log.settings),
        _environment_section(summary),
        *(curves if counts_nothing else []),
    ]
    if len(history):
        sections.append(_tensorboard_section())
    action = summary.get("action")
    write_page(
        output_dir,
        "Summary of a training run",
        f"Training: {action}" if action else "Training",
        write_headline(summary, history),
        sections,
        _cards(log, counts_nothing),
        [] if counts_nothing or not len(history) else write_warnings(summary, history),
        [f"Encoder: {summary['encoder']}"] if summary.get("encoder") else [],
    )
    if len(history):
        archive = Path(output_dir) / DOWNLOADS / TENSORBOARD_ARCHIVE
        _write_tensorboard(Path(log_folder), archive)


def write_headline(summary: dict, history: pd.DataFrame) -> str:
    """Say what predictions come from, how long the training ran and what was kept."""
    heads = describe_heads(summary)
    parts = [f"Predictions: {heads}."] if heads else []
    if not len(history):
        return " ".join([*parts, "Fitted without epochs of training."])
    text = f"Training ran for {counted(summary.get('epochs_run') or len(history), 'epoch')}"
    if summary.get("stop_reason"):
        text += f" and stopped: {str(summary['stop_reason']).strip().rstrip('.')}"
    kept = summary.get("kept_epoch")
    if kept is not None:
        separator = "; the" if heads else ". The"
        text += f"{separator} weights of epoch {kept} were kept{_losses_at(history, kept)}"
    return " ".join([*parts, f"{text}."])


def _losses_at(history: pd.DataFrame, epoch: int) -> str:
    row = history[history["epoch"] == epoch]
    parts = [
        f"{words} loss {format_number(float(row[column].iloc[0]))}"
        for column, words in (("validation_loss", "validation"), ("train_loss", "training"))
        if len(row) and column in row and pd.notna(row[column].iloc[0])
    ]
    return f" ({', '.join(parts)})" if parts else ""


def write_warnings(summary: dict, history: pd.DataFrame) -> list[str]:
    """Point at what a run's history suggests to do differently."""
    kept, warnings, last = summary.get("kept_epoch"), [], int(history["epoch"].max())
    if kept is not None and kept == last and last > 1:
        warnings.append(words("notes", "last_epoch"))
    if kept is not None and kept <= 1 < last:
        warnings.append(words("notes", "first_epoch"))
    if "validation_loss" not in history or history["validation_loss"].isna().all():
        warnings.append(words("notes", "no_validation"))
    return warnings


def _descent_weight(summary: dict) -> float:
    weights = {head["name"]: head["weight"] for head in summary.get("heads") or []}
    return weights.get(DESCENT_HEAD, 0.0)


def _heads_section(summary: dict) -> list[Section]:
    heads = summary.get("heads") or []
    if not heads:
        return []
    names = list(dict.fromkeys(name for head in heads for name in head.get("scores") or {}))
    columns = [Column("Head"), Column("Weight", number=True)]
    columns += [Column(_LABELS.get(n, n.replace("_", " ")), number=True) for n in names]
    rows, records = [], []
    for head in heads:
        scores = head.get("scores") or {}
        weight = format_fraction(head["weight"]) if head["weight"] else "off"
        rows.append([head["name"], weight, *(format_number(scores.get(n)) for n in names)])
        records.append({"id": head["name"], "weight": head["weight"], **scores})
    frame = pd.DataFrame.from_records(records, index="id")
    blocks = [Table("heads-table", columns, rows), Note(words("notes", "heads"))]
    blocks.append(Download("heads", "the heads and their scores", frame))
    return [Section("heads", "Heads", "What predictions come from", blocks)]


def _curves_section(log: TrainingLog) -> Section:
    summary, history = log.summary, log.history
    settings = {setting.name: setting.value for setting in log.settings}
    not_kept = _epochs_not_kept(settings, len(history))
    heads, weight = summary.get("heads"), _descent_weight(summary)
    head = f"{DESCENT_HEAD.capitalize()} head" if heads else ""
    classes = bool((summary.get("target") or {}).get("training_counts"))
    figures = make_figures(history, classes, summary.get("kept_epoch"), not_kept, head)
    notes = []
    if heads and not weight:
        notes.append(words("notes", "head_off"))
    if not_kept > 1:
        notes.append(words("notes", "not_kept"))
    title = f"Curves of the {DESCENT_HEAD} head" if heads else "Curves"
    blocks = [*map(Note, notes), Figures(figures)]
    frame = history.rename_axis("id")
    blocks.append(Download("history", "every number of every epoch", frame))
    return Section("curves", "Curves", title, blocks)


def _epochs_not_kept(settings: dict, epochs_run: int) -> float:
    """Return the last epoch that may not be kept: a number, or a fraction of the epochs asked."""
    limit, epochs = settings.get("min_epochs", settings.get("settling")), settings.get("epochs")
    if isinstance(limit, bool) or not isinstance(limit, (int, float)):
        return 0.0
    if limit <= 1 and isinstance(epochs, int):
        limit = limit * epochs
    return float(min(limit, epochs_run))


def _model_blocks(log: TrainingLog) -> list:
    summary = log.summary
    model, target = summary.get("model") or {}, summary.get("target") or {}
    blocks = [Note(str(sentence)) for sentence in model.get("description") or []]
    if model.get("parameters") is not None:
        number = format_count(model["parameters"])
        blocks.append(Note(words("notes", "parameters", parameters=number)))
    values = {"target": target.get("name")}
    if target.get("training_counts"):
        values["classes"] = describe_class_counts(target["training_counts"])
        blocks.append(Note(words("notes", "classes_learned", **values), "classes"))
    elif target:
        names = {"low": "training_min", "high": "training_max", "mean": "training_mean"}
        values |= {key: format_number(target.get(name)) for key, name in names.items()}
        blocks.append(Note(words("notes", "numbers_learned", **values)))
    return blocks + [Note(sentence) for sentence in describe_target_settings(log.settings)]


def _data_section(summary: dict) -> Section:
    counts = training_counts(summary)
    download = Download("data", "these counts", counts_table(counts))
    blocks = [table_of_counts(counts, "data-table"), download]
    return Section("data", "Data", "Data used and dropped", blocks)


def _environment_section(summary: dict) -> Section:
    rows = [(str(n), format_setting(v)) for n, v in (summary.get("environment") or {}).items()]
    table = Table("environment-table", [Column("What"), Column("Value")], rows)
    return Section(
        "environment", "Environment", "Environment", [Note(words("notes", "environment")), table]
    )


def _tensorboard_section() -> Section:
    link = FileLink(words("notes", "tensorboard"), TENSORBOARD_ARCHIVE, ", unpack it, and run:")
    blocks = [link, Command("tensorboard --logdir tensorboard")]
    return Section("tensorboard", "TensorBoard", "TensorBoard", blocks)


def _cards(log: TrainingLog, counts_nothing: bool) -> list[Card]:
    summary, history = log.summary, log.history
    cards = [
        Card(f"{head['name']} head", format_fraction(head["weight"]) if head["weight"] else "off")
        for head in summary.get("heads") or []
    ]
    if len(history):
        cards.append(Card("epochs", format_count(summary.get("epochs_run") or len(history))))
    if len(history) and not counts_nothing:
        cards.append(Card("kept epoch", format_count(summary.get("kept_epoch"))))
    parameters = (summary.get("model") or {}).get("parameters")
    cards.append(Card("parameters", format_count(parameters)))
    kept = history[history["epoch"] == summary.get("kept_epoch")]
    for column, label in (
        ("validation_unifrac_r", "UniFrac r, validation"),
        ("validation_mean_absolute_error", "MAE, validation"),
        ("validation_accuracy", "accuracy, validation"),
        ("validation_balanced_accuracy", "balanced accuracy, validation"),
    ):
        if len(kept) and column in kept and not counts_nothing:
            cards.append(Card(label, format_number(float(kept[column].iloc[0]))))
    if "seconds" in history and len(history):
        cards.append(Card("time", format_duration(float(history["seconds"].sum()))))
    return cards


def _write_tensorboard(log_folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name in TENSORBOARD_EVENTS.values():
            # A fixed date: the same log gives the same page, byte for byte.
            target.writestr(zipfile.ZipInfo(name, _ZIP_DATE), (log_folder / name).read_bytes())

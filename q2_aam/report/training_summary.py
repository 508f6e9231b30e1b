"""The page of summarize-training."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd

from ..storage.training_log import TENSORBOARD_EVENTS, TrainingLog
from .figure import DOWNLOADS, Figure
from .number_format import format_number
from .page import write_page
from .setting_words import describe_class_counts, describe_target_settings
from .settings_table import as_text, setting_rows, settings_table
from .training_charts import chart_pair, chart_single, paired_names
from .training_words import single_names, words_for, write_headline, write_warnings

TENSORBOARD_ARCHIVE = "tensorboard.zip"
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def write_training_page(output_dir: str | Path, log: TrainingLog, log_folder: str | Path) -> None:
    """Write the summary of a training run as index.html with its downloads.

    Parameters
    ----------
    output_dir : str or Path
    log : TrainingLog
    log_folder : str or Path
        Where the log lies: its TensorBoard events are offered as a download.
    """
    figures = _figures(log)
    summary = log.summary
    context = {
        "title": "Summary of a training run",
        "action": summary.get("action"),
        "headline": write_headline(summary, log.history),
        "warnings": write_warnings(summary, log.history),
        "tiles": _tiles(log),
        "figures": figures,
        "settings": setting_rows(log.settings),
        "data": summary.get("data") or [],
        "target": summary.get("target"),
        "class_counts": describe_class_counts(_class_counts(summary)),
        "of_target": describe_target_settings(log.settings),
        "model": summary.get("model") or {},
        "environment": {
            str(name): as_text(value) for name, value in (summary.get("environment") or {}).items()
        },
        "tensorboard_archive": TENSORBOARD_ARCHIVE,
    }
    tables = {
        "history": log.history.rename_axis("id"),
        "settings": settings_table(log.settings),
        "data": _data_table(summary.get("data") or []),
    }
    write_page(output_dir, "training_summary.html", context, figures, tables)
    _write_tensorboard(Path(log_folder), Path(output_dir) / DOWNLOADS / TENSORBOARD_ARCHIVE)


def _figures(log: TrainingLog) -> list[Figure]:
    kept = log.summary.get("kept_epoch")
    figures, classes = [], bool(_class_counts(log.summary))
    for name in paired_names(log.history) + single_names(log.history):
        words = words_for(name, classes)
        draw = chart_single if name in log.history else chart_pair
        chart = draw(log.history, name, words.axis, kept)
        # File names are ours: a column's own name may hold anything.
        figures.append(Figure(f"curve-{len(figures) + 1}", words.title, chart, words.caption))
    return figures


def _class_counts(summary: dict) -> dict:
    return (summary.get("target") or {}).get("training_counts") or {}


def _tiles(log: TrainingLog) -> list[dict]:
    summary, history = log.summary, log.history
    tiles = [
        ("epochs", format_number(summary.get("epochs_run") or len(history))),
        ("kept epoch", format_number(summary.get("kept_epoch"))),
        ("parameters", format_number((summary.get("model") or {}).get("parameters"))),
    ]
    kept = history[history["epoch"] == summary.get("kept_epoch")]
    for column, label in (
        ("validation_unifrac_r", "UniFrac r, validation"),
        ("validation_mean_absolute_error", "MAE, validation"),
        ("validation_accuracy", "accuracy, validation"),
        ("validation_balanced_accuracy", "balanced accuracy, validation"),
    ):
        if len(kept) and column in kept:
            tiles.append((label, format_number(float(kept[column].iloc[0]))))
    if "seconds" in history:
        tiles.append(("time", _duration(float(history["seconds"].sum()))))
    return [{"label": label, "value": value, "detail": ""} for label, value in tiles]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _data_table(data: list[dict]) -> pd.DataFrame:
    records = [
        {
            "id": str(entry["what"]),
            "count": entry["count"],
            "examples": ", ".join(map(str, entry.get("examples") or [])),
        }
        for entry in data
    ]
    return pd.DataFrame.from_records(records, columns=["id", "count", "examples"]).set_index("id")


def _write_tensorboard(log_folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name in TENSORBOARD_EVENTS.values():
            # A fixed date: the same log gives the same page, byte for byte.
            target.writestr(zipfile.ZipInfo(name, _ZIP_DATE), (log_folder / name).read_bytes())

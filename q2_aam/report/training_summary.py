"""The page of summarize-training."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pandas as pd

from ..storage.training_log import TENSORBOARD_EVENTS, TrainingLog
from .figure import DOWNLOADS, Figure
from .number_format import format_number
from .page import write_page
from .training_charts import chart_pair, chart_single, paired_names
from .training_words import single_names, words_for, write_headline, write_warnings

CHOOSERS = {
    "user": "you",
    "encoder": "the encoder given",
    "automatic": "q2-aam, for this data",
    "default": "default",
}
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
        "settings": _setting_rows(log),
        "data": summary.get("data") or [],
        "target": summary.get("target"),
        "model": summary.get("model") or {},
        "environment": {
            str(name): _text(value) for name, value in (summary.get("environment") or {}).items()
        },
        "tensorboard_archive": TENSORBOARD_ARCHIVE,
    }
    tables = {
        "history": log.history.rename_axis("id"),
        "settings": _settings_table(log),
        "data": _data_table(summary.get("data") or []),
    }
    write_page(output_dir, "training_summary.html", context, figures, tables)
    _write_tensorboard(Path(log_folder), Path(output_dir) / DOWNLOADS / TENSORBOARD_ARCHIVE)


def _figures(log: TrainingLog) -> list[Figure]:
    kept = log.summary.get("kept_epoch")
    figures = []
    for name in paired_names(log.history) + single_names(log.history):
        words = words_for(name)
        draw = chart_single if name in log.history else chart_pair
        chart = draw(log.history, name, words.axis, kept)
        # File names are ours: a column's own name may hold anything.
        figures.append(Figure(f"curve-{len(figures) + 1}", words.title, chart, words.caption))
    return figures


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


def _setting_rows(log: TrainingLog) -> list[dict]:
    order = list(CHOOSERS)
    settings = sorted(log.settings, key=lambda setting: order.index(setting.chosen_by))
    return [
        {
            "name": setting.name,
            "value": _text(setting.value),
            "chosen_by": CHOOSERS[setting.chosen_by],
            "why": setting.why,
        }
        for setting in settings
    ]


def _text(value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, ensure_ascii=False)


def _settings_table(log: TrainingLog) -> pd.DataFrame:
    records = [
        {
            "id": setting.name,
            "value": _text(setting.value),
            "chosen_by": setting.chosen_by,
            "why": setting.why,
        }
        for setting in log.settings
    ]
    columns = ["id", "value", "chosen_by", "why"]
    return pd.DataFrame.from_records(records, columns=columns).set_index("id")


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

"""A training log on disk: history.tsv, settings.json, summary.json, events and their sums."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import AAMError, examples
from .manifest import MANIFEST, check_sum, read_json, read_manifest, shortened

HISTORY, SETTINGS, SUMMARY = "history.tsv", "settings.json", "summary.json"
TENSORBOARD_EVENTS = {
    part: f"tensorboard/{part}/events.out.tfevents.aam" for part in ("train", "validation")
}
FILES = (HISTORY, SETTINGS, SUMMARY, *TENSORBOARD_EVENTS.values())
CHOSEN_BY = ("user", "default", "encoder", "automatic")
SAMPLES_USED_FOR_TRAINING = "samples used for training"
LARGEST_TEXT = 2**24  # bytes: the history of 50,000 epochs
_NUMBER, _ANY = (int, float), ""  # any name of a table

# What a summary may hold, all of it optional: types, tables by name, and lists of tables.
_SUMMARY_KINDS = {
    "action": str, "kept_epoch": int, "epochs_run": int, "stop_reason": str, "encoder": str,
    "environment": dict, "scores": dict, "sample_ids": list,
    "model": {"description": list, "parameters": int},
    "target": {
        "name": str, "training_mean": _NUMBER, "training_min": _NUMBER, "training_max": _NUMBER,
        "training_counts": {_ANY: int},
    },
    "heads": [{"name": str, "weight": _NUMBER, "scores": {_ANY: _NUMBER}}],
    "data": [{"what": str, "count": int, "examples": list}],
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One value in force during training, who chose it (see `CHOSEN_BY`) and why."""

    name: str
    value: object
    chosen_by: str
    why: str = ""


@dataclass(frozen=True)
class TrainingLog:
    """What happened in one training run.

    ``history`` has one row per epoch (index ``epoch 1``, ``epoch 2``, …), none if nothing was
    trained in epochs. Numeric columns: ``epoch`` and any of learning_rate, gradient_norm, seconds,
    samples_per_second, and losses and metrics as pairs ``train_X`` and ``validation_X``; NaN where
    missing. ``summary`` has any of `_SUMMARY_KINDS`: sample_ids are those fitted on, heads stand by
    their weight in the blend, with out-of-fold scores; scores are of the blend.
    """

    history: pd.DataFrame
    settings: list[Setting]
    summary: dict


def write_training_log(folder: str | Path, log: TrainingLog) -> None:
    """Write a training log into an existing folder; ValueError if JSON cannot hold it.

    Infinite values of the history are written as blanks: QIIME 2 metadata has no infinity.
    """
    history = log.history.replace([np.inf, -np.inf], np.nan)
    history.to_csv(Path(folder, HISTORY), sep="\t", index_label="id", encoding="utf-8")
    settings = [asdict(setting) for setting in log.settings]
    for name, content in ((SETTINGS, settings), (SUMMARY, log.summary)):
        text = json.dumps(content, indent=2, allow_nan=False, default=np.generic.item)
        Path(folder, name).write_text(text + "\n", encoding="utf-8")


def read_training_log(folder: str | Path) -> TrainingLog:
    """Read a training log; AAMError for what `write_training_log` would not write."""
    folder = Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise _damaged(f"it lacks {examples(missing)}")
    for name in (*FILES, MANIFEST):
        if (folder / name).is_symlink():
            raise _damaged(name, "is a link, not a plain file")
    if (folder / MANIFEST).exists():  # q2-aam wrote none at first
        manifest = read_manifest(folder, FILES, _damaged)
        for name in FILES:
            check_sum(folder, name, manifest, _damaged)
    history, settings = _read_history(folder / HISTORY), _read_settings(folder / SETTINGS)
    return TrainingLog(history, settings, _read_summary(folder / SUMMARY))


def heads_table(log: TrainingLog) -> pd.DataFrame:
    """Return one row for each head: its weight, and its out-of-fold scores."""
    heads = log.summary.get("heads") or []
    rows = [{"weight": one["weight"], **one["scores"]} for one in heads]
    return pd.DataFrame(rows, index=pd.Index([one["name"] for one in heads], name="id"))


def _damaged(*what: str) -> AAMError:
    return AAMError(
        f"The training log is damaged: {shortened(' '.join(what))}. Use a training log as q2-aam "
        "wrote it, or train again."
    )


def _read_history(path: Path) -> pd.DataFrame:
    if path.stat().st_size > LARGEST_TEXT:
        raise _damaged(HISTORY, f"is larger than {LARGEST_TEXT:,} bytes")
    try:
        history = pd.read_csv(
            path, sep="\t", dtype={"id": str}, keep_default_na=False, na_values=[""],
            float_precision="round_trip",
        ).set_index("id")  # fmt: skip
    except (ValueError, KeyError) as error:
        raise _damaged(HISTORY, "is not a table with a column 'id'") from error
    if "epoch" not in history:
        raise _damaged(HISTORY, "has no epochs")
    if not len(history):  # nothing was trained by epochs
        return history.astype(float)
    words = [name for name in history if not pd.api.types.is_numeric_dtype(history[name])]
    if words:
        raise _damaged(HISTORY, f"has text in the columns {examples(words)}")
    if history["epoch"].isna().any():
        raise _damaged(HISTORY, "has rows without an epoch")
    history = history.astype(float)
    if np.isinf(history.to_numpy()).any():
        raise _damaged(HISTORY, "has infinite numbers")
    if not history.index.is_unique or "" in history.index:
        raise _damaged(HISTORY, "has rows without an id of their own")
    return history


def _read_settings(path: Path) -> list[Setting]:
    content = read_json(path, _damaged, LARGEST_TEXT)
    names = {"name", "value", "chosen_by", "why"}
    if not isinstance(content, list):
        raise _damaged(SETTINGS, "is not a list")
    for item in content:
        if not isinstance(item, dict) or set(item) != names:
            raise _damaged(SETTINGS, f"has an entry without exactly {examples(sorted(names))}")
        if not isinstance(item["name"], str) or item["chosen_by"] not in CHOSEN_BY:
            raise _damaged(SETTINGS, f"does not say properly who chose {item['name']!r}")
    return [Setting(**item) for item in content]


def _read_summary(path: Path) -> dict:
    summary = read_json(path, _damaged, LARGEST_TEXT)
    if not isinstance(summary, dict):
        raise _damaged(SUMMARY, "is not a table of names and values")
    _check_kind("summary", summary, _SUMMARY_KINDS)
    for item in summary.get("heads") or []:
        if set(item or ()) != {"name", "weight", "scores"} or None in item.values():
            raise _damaged(SUMMARY, "has a head without exactly 'name', 'weight' and 'scores'")
    for item in summary.get("data") or []:
        if not {"what", "count"} <= set(item or ()):
            raise _damaged(SUMMARY, "has an entry of 'data' without 'what' and 'count'")
    return summary


def _check_kind(name: str, value, kind) -> None:
    """Hold a value, and what it holds in turn, to a kind of `_SUMMARY_KINDS`; None fits any."""
    outer = type(kind) if isinstance(kind, (dict, list)) else kind
    if value is not None and not isinstance(value, outer):
        raise _damaged(SUMMARY, f"holds something unexpected under '{name}'")
    if outer is list and kind is not list:
        for item in value or []:
            _check_kind(name, item, kind[0])
    if outer is dict and kind is not dict:
        for key, item in (value or {}).items():
            _check_kind(key, item, kind.get(key, kind.get(_ANY, object)))

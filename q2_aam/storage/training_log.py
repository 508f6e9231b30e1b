"""A training log on disk: history.tsv, settings.json, summary.json, events and their sums."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import AAMError, examples
from .manifest import MANIFEST, describe, once, write_manifest

HISTORY, SETTINGS, SUMMARY = "history.tsv", "settings.json", "summary.json"
TENSORBOARD_EVENTS = {
    part: f"tensorboard/{part}/events.out.tfevents.aam" for part in ("train", "validation")
}
FILES = (HISTORY, SETTINGS, SUMMARY, *TENSORBOARD_EVENTS.values())
CHOSEN_BY = ("user", "default", "encoder", "automatic")
SAMPLES_USED_FOR_TRAINING = "samples used for training"
_SUMMARY_KINDS = {
    "action": str,
    "kept_epoch": int,
    "epochs_run": int,
    "stop_reason": str,
    "model": dict,
    "data": list,
    "target": dict,
    "environment": dict,
    "heads": list,
    "encoder": str,
    "sample_ids": list,
    "design": dict,
}
LARGEST_TEXT = 2**24  # bytes: the history of 50,000 epochs
_LONGEST_REASON = 400  # characters: it may quote a file
_NUMBER = (int, float)
_HEAD_KINDS = {"name": str, "weight": _NUMBER, "scores": dict}
_DESIGN_KINDS = {
    "folds": int, "groups": str, "test_size": _NUMBER, "baseline": str, "version": str,
    "samples_used": int, "samples_dropped": int,
}  # fmt: skip
_TARGET_KINDS = {
    "training_counts": dict,
    "name": str,
    "training_mean": _NUMBER,
    "training_min": _NUMBER,
    "training_max": _NUMBER,
}


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

    Attributes
    ----------
    history : pd.DataFrame
        One row per epoch (index ``epoch 1``, ``epoch 2``, …), none if nothing was trained in
        epochs. Numeric columns: ``epoch`` and any of learning_rate, gradient_norm, seconds,
        samples_per_second, and losses and metrics as pairs ``train_X`` and ``validation_X``.
        Missing values are NaN.
    settings : list of Setting
    summary : dict
        JSON types only; any may be missing: action, kept_epoch, epochs_run, stop_reason, model,
        data, target, environment, encoder (a sentence), sample_ids (of the samples fitted on),
        heads (name, weight in the blend, out-of-fold scores; by weight) and design (how samples
        were divided and compared).
    """

    history: pd.DataFrame
    settings: list[Setting]
    summary: dict


def write_training_log(folder: str | Path, log: TrainingLog) -> None:
    """Write a training log into an existing folder.

    Parameters
    ----------
    folder : str or Path
    log : TrainingLog
        Infinite values of the history are written as blanks: QIIME 2 metadata has no infinity.
    """
    folder = Path(folder)
    history = log.history.replace([np.inf, -np.inf], np.nan)
    history.index.name = "id"
    history.to_csv(folder / HISTORY, sep="\t", na_rep="", encoding="utf-8")
    _write_json(folder / SETTINGS, [asdict(setting) for setting in log.settings])
    _write_json(folder / SUMMARY, log.summary)


def seal_training_log(folder: str | Path) -> None:
    """Write the sums of a training log's files, when all of them are there."""
    write_manifest(Path(folder), FILES)


def read_training_log(folder: str | Path) -> TrainingLog:
    """Read a training log, refusing what `write_training_log` would not write.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    TrainingLog

    Raises
    ------
    AAMError
        If a file is missing, is not in its format, holds a value of the wrong kind, or differs
        from its sum.
    """
    folder = Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise _damaged(f"it lacks {examples(missing)}")
    for name in (*FILES, MANIFEST):
        if (folder / name).is_symlink():
            raise _damaged(f"{name} is a link, not a plain file")
    for name in (*FILES[:3], MANIFEST):
        if (folder / name).exists() and (folder / name).stat().st_size > LARGEST_TEXT:
            raise _damaged(f"{name} is larger than {LARGEST_TEXT:,} bytes")
    if (folder / MANIFEST).exists():  # q2-aam wrote none at first
        _check_sums(folder)
    return TrainingLog(
        history=_read_history(folder / HISTORY),
        settings=_read_settings(folder / SETTINGS),
        summary=_read_summary(folder / SUMMARY),
    )


def _check_sums(folder: Path) -> None:
    manifest = _read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or sorted(manifest) != sorted(FILES):
        raise _damaged(f"{MANIFEST} does not list exactly {examples(sorted(FILES))}")
    for name in FILES:
        if manifest[name] != describe(folder / name):
            raise _damaged(f"{name} differs from what the manifest says of it")


def _read_history(path: Path) -> pd.DataFrame:
    try:
        history = pd.read_csv(
            path,
            sep="\t",
            dtype={"id": str},
            keep_default_na=False,
            na_values=[""],
            float_precision="round_trip",
        ).set_index("id")
    except (ValueError, KeyError) as error:
        raise _damaged(f"{HISTORY} is not a table with a column 'id'") from error
    if "epoch" not in history:
        raise _damaged(f"{HISTORY} has no epochs")
    if not len(history):
        return history.astype(float)
    words = [name for name in history if not pd.api.types.is_numeric_dtype(history[name])]
    if words:
        raise _damaged(f"{HISTORY} has text in the columns {examples(words)}")
    if history["epoch"].isna().any():
        raise _damaged(f"{HISTORY} has rows without an epoch")
    history = history.astype(float)
    if np.isinf(history.to_numpy()).any():
        raise _damaged(f"{HISTORY} has infinite numbers")
    if not history.index.is_unique or "" in history.index:
        raise _damaged(f"{HISTORY} has rows without an id of their own")
    return history


def _read_settings(path: Path) -> list[Setting]:
    content = _read_json(path)
    names = {"name", "value", "chosen_by", "why"}
    if not isinstance(content, list):
        raise _damaged(f"{SETTINGS} is not a list")
    for item in content:
        if not isinstance(item, dict) or set(item) != names:
            raise _damaged(f"{SETTINGS} has an entry without exactly {examples(sorted(names))}")
        if not isinstance(item["name"], str) or item["chosen_by"] not in CHOSEN_BY:
            raise _damaged(f"{SETTINGS} does not say properly who chose {item['name']!r}")
    return [Setting(**item) for item in content]


def _read_summary(path: Path) -> dict:
    summary = _read_json(path)
    if not isinstance(summary, dict):
        raise _damaged(f"{SUMMARY} is not a table of names and values")
    _check_kinds(summary, _SUMMARY_KINDS)
    _check_kinds(summary.get("model") or {}, {"description": list, "parameters": int})
    _check_kinds(summary.get("target") or {}, _TARGET_KINDS)
    counts = (summary.get("target") or {}).get("training_counts") or {}
    _check_kinds(counts, dict.fromkeys(counts, int))
    _check_kinds(summary.get("design") or {}, _DESIGN_KINDS)
    for head in summary.get("heads") or []:
        if not isinstance(head, dict) or not {"name", "weight"} <= set(head):
            raise _damaged(f"{SUMMARY} has an entry of 'heads' without 'name' and 'weight'")
        _check_kinds(head, _HEAD_KINDS)
        _check_kinds(head.get("scores") or {}, dict.fromkeys(head.get("scores") or {}, _NUMBER))
    for item in summary.get("data") or []:
        if not isinstance(item, dict) or not {"what", "count"} <= set(item):
            raise _damaged(f"{SUMMARY} has an entry of 'data' without 'what' and 'count'")
        _check_kinds(item, {"what": str, "count": int, "examples": list})
    return summary


def _check_kinds(content: dict, kinds: dict[str, type | tuple[type, ...]]) -> None:
    for name, kind in kinds.items():
        if content.get(name) is not None and not isinstance(content[name], kind):
            raise _damaged(f"{SUMMARY} holds something unexpected under '{name}'")


def _write_json(path: Path, content) -> None:
    text = json.dumps(content, indent=2, allow_nan=False, default=_plain)
    path.write_text(text + "\n", encoding="utf-8")


def _plain(value):
    """Turn numpy scalars, which `json` does not know, into Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"A training log cannot hold {type(value).__name__}.")


def _read_json(path: Path):
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise _damaged(f"{path.name} is not valid JSON ({error})") from error


def _refuse_constant(name: str):
    raise ValueError(f"{name} is not a JSON number")


def _damaged(what: str) -> AAMError:
    if len(what) > _LONGEST_REASON:
        what = f"{what[:_LONGEST_REASON]}…"
    return AAMError(
        f"The training log is damaged: {what}. Use a training log as q2-aam wrote it, "
        "or train again."
    )

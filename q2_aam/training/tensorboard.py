"""TensorBoard events from a history: training and validation overlay under one name."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from torch.utils.tensorboard import SummaryWriter

from ..storage.training_log import TENSORBOARD_EVENTS

PARTS = ("train", "validation")


@dataclass(frozen=True)
class Pictures:
    """Pictures of what a model predicts.

    Attributes
    ----------
    part : str
        Of `PARTS`: which samples they show.
    epoch : int
        Whose weights predicted.
    images : dict of str to ndarray of uint8, (height, width, 3)
        By name.
    """

    part: str
    epoch: int
    images: dict[str, np.ndarray]


def write_events(
    folder: str | Path, history: pd.DataFrame, pictures: Pictures | None = None
) -> None:
    """Write a history as TensorBoard events.

    A loss or metric stands under one name in both runs, ``train`` and ``validation``, so that
    TensorBoard draws both curves into one chart. The files' names carry no host name.

    Parameters
    ----------
    folder : str or Path
        Of the training log.
    history : pd.DataFrame
        One row an epoch.
    pictures : Pictures, optional
    """
    for part in PARTS:
        target = Path(folder) / TENSORBOARD_EVENTS[part]
        target.parent.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as scratch:
            with SummaryWriter(scratch) as writer:
                for name in history:
                    _write_column(writer, part, name, history)
                if pictures is not None and pictures.part == part:
                    for name, image in pictures.images.items():
                        writer.add_image(
                            name,
                            image,
                            pictures.epoch,
                            walltime=history["seconds"].sum(),
                            dataformats="HWC",
                        )
            (events,) = Path(scratch).iterdir()
            target.write_bytes(events.read_bytes())


def write_live_events(run_folder: Path, history: list[dict[str, float]]) -> None:
    """Write the events of an unfinished run anew; a viewer sees the same file, longer."""
    with tempfile.TemporaryDirectory(dir=run_folder) as scratch:
        write_events(scratch, pd.DataFrame(history))
        for name in TENSORBOARD_EVENTS.values():
            target = run_folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(scratch) / name).replace(target)


def _write_column(writer: SummaryWriter, part: str, name: str, history: pd.DataFrame) -> None:
    prefix, _, rest = name.partition("_")
    shared = prefix not in PARTS
    if name == "epoch" or (shared and part != "train") or (not shared and prefix != part):
        return
    elapsed = history["seconds"].cumsum()  # as wall time: the same events from the same history
    for epoch, value, seconds in zip(history["epoch"], history[name], elapsed, strict=True):
        if pd.notna(value):
            writer.add_scalar(name if shared else rest, value, int(epoch), walltime=seconds)

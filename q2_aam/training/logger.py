"""What is printed while a model is trained, and kept in its training log."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from .. import __version__
from ..config import ClassificationTarget, Target
from ..data.study import Studies
from ..errors import counted, examples
from ..model.network import Network
from ..storage.training_log import Setting, TrainingLog
from . import distributed
from .checkpoint import Progress

# of each epoch, as training and validation scored them
SHOWN = ("loss", "unifrac_loss", "nucleotide_loss", "abundance_loss", "target_loss")
SHOWN += ("clade_loss", "unifrac_r", "unifrac_r2", "mean_absolute_error", "accuracy")


class TrainingLogger:
    """Collect settings and facts about the data; print them; build the training log.

    Parameters
    ----------
    action : str
        Such as ``pretrain``.
    epochs : int
        The most that can be trained.
    """

    def __init__(self, action: str, epochs: int):
        self.action = action
        self.epochs = epochs
        self.settings: list[Setting] = []
        self.data: list[dict] = []
        self.moved_by_cuts: float | None = None
        self._bar: tqdm | None = None
        self._waiting: list[str] | None = []

    def log_param(self, name: str, value, chosen_by: str, why: str = "") -> None:
        """Record a value in force, and print it if we chose it."""
        self.settings.append(Setting(name, value, chosen_by, why))
        if chosen_by == "automatic":
            self.info(f"{name}: {value} ({why})")

    def log_threads(self, threads: int) -> None:
        """Record the CPU threads in force."""
        chosen_by, why = ("user", "") if threads else ("automatic", "PyTorch's number")
        self.log_param("threads", torch.get_num_threads(), chosen_by, why)

    def log_count(self, what: str, count: int, ids=()) -> None:
        """Record and print how many of something there are, with up to five ids."""
        shown = [str(value) for value in list(ids)[:5]]
        self.data.append({"what": what, "count": int(count), "examples": shown})
        self.info(f"{what}: {count:,}" + (f" (such as {', '.join(shown)})" if shown else ""))

    def log_dropped(self, reasons: dict[str, list[str]]) -> None:
        """Record samples that are not used, by reason."""
        for reason, ids in reasons.items():
            self.log_count(f"samples dropped: {reason}", len(ids), ids)

    def log_asvs(self, studies: Studies) -> None:
        """Record what was read of the ASVs."""
        self.log_count("distinct ASVs", len(studies.asvs))
        if studies.merged:
            self.log_count("sequences that overlap with others, read as one", studies.merged)
        if studies.asvs.unknown:
            self.log_count(
                "letters other than A, C, G and T, read as unknown", studies.asvs.unknown
            )
        if studies.asvs.shortened:
            self.log_count("sequences cut at the length limit", studies.asvs.shortened)
        if studies.asvs.joined:
            self.log_count("sequences that differ only behind it, read as one", studies.asvs.joined)
        if studies.cut_samples:
            share = f"at most {studies.cut_share:.2%} of a sample's reads lost"
            self.log_count(f"samples cut to their most abundant ASVs, {share}", studies.cut_samples)

    def begin(self, objective, folder: Path | None, epochs_done: int, finished: bool) -> None:
        """Print what has been collected; a resumed run says so in its first line.

        Parameters
        ----------
        objective : q2_aam.training.trainer.Objective
        folder : Path or None
            Of the run, if its state can be saved.
        epochs_done : int
        finished : bool
            Whether training had come to its end before.
        """
        waiting = self.speak()
        if finished:
            self.info("This command had finished its training before: its result is used again.")
        elif epochs_done:
            self.info(f"Resuming an interrupted run of this command after epoch {epochs_done}.")
        for line in waiting:
            self.info(line)
        unit = getattr(objective, "unit", "samples")
        self.log_count(f"{unit} used for training", sum(objective.sizes))
        self.log_count(f"{unit} used for validation", objective.validated)
        if folder is not None and not finished:
            self.info(f"To watch the losses: tensorboard --logdir {folder / 'tensorboard'}")

    def interrupted(self, epochs_done: int, saved: bool) -> None:
        """Say what an interrupted run leaves behind."""
        if saved and epochs_done:
            self.info(f"Interrupted: the same command resumes after epoch {epochs_done}.")
        else:
            self.info("Interrupted: nothing was saved, and the same command starts again.")

    def speak(self) -> list[str]:
        """Return the lines that have waited, and print at once from now on."""
        waiting, self._waiting = self._waiting, None
        return waiting or []

    def info(self, text: str) -> None:
        """Print a line, at once after `begin`."""
        if distributed.rank():
            return
        if self._waiting is None:
            print(text, flush=True)
        else:
            self._waiting.append(text)

    def on_step(self, step: int, steps: int) -> None:
        """Move the bar of an epoch, on a terminal only."""
        if sys.stderr.isatty() and not distributed.rank():
            if step == 1:
                self._bar = tqdm(total=steps, leave=False, unit="batch")
            self._bar.update()
            if step == steps:
                self._bar.close()

    def on_epoch(self, progress: Progress) -> None:
        """Print one line for an epoch."""
        row = progress.history[-1]
        parts = [f"epoch {row['epoch']}/{self.epochs}"]
        for name in SHOWN:
            if f"train_{name}" in row:
                validation = row.get(f"validation_{name}")
                of_others = "" if validation is None else f" (validation {validation:.4g})"
                parts.append(f"{name} {row[f'train_{name}']:.4g}{of_others}")
        parts.append(f"learning rate {row['learning_rate']:.2g}")
        if row.get("skipped_steps"):
            parts.append(f"{counted(row['skipped_steps'], 'step')} skipped (normal in fp16)")
        seconds = np.mean([row["seconds"] for row in progress.history])
        left = seconds * (self.epochs - row["epoch"])
        if left >= 60:
            parts.append(f"at most {left / 60:.1f} min left")
        elif left:
            parts.append(f"at most {max(1, left):.0f} s left")
        kept = " (best so far)" if progress.best_epoch == row["epoch"] else ""
        self.info("  ".join(parts) + kept)

    def log_fit(self, network: Network, sample_ids: tuple[str, ...], fitted) -> TrainingLog:
        """Build the training log of a fit, and say first what predictions come from.

        Parameters
        ----------
        network : Network
        sample_ids : tuple of str
            Of the samples fitted on.
        fitted : q2_aam.training.fit.Fitted
        """
        waiting = self.speak()
        self.info(describe_heads(fitted.heads))
        for line in waiting:
            self.info(line)
        log = self.log(network, fitted.progress, fitted.reason)
        named = {one.name: one.value for one in self.settings}
        summary = {
            "heads": fitted.heads,
            "scores": fitted.scores,
            "sample_ids": list(sample_ids),
            "encoder": f"{named.get('encoder', 'as given')}, {network.config.hidden_size} wide",
        }
        return TrainingLog(log.history, log.settings, log.summary | summary)

    def log_moved(self, kept: float, moved: float) -> None:
        """Record how far embeddings move when reads are cut."""
        self.moved_by_cuts = moved
        self.info(
            f"Reads cut to {kept:.0%} of their length move embeddings by {moved:.0%} of the mean "
            "distance between ASVs."
        )

    def log(self, network: Network, progress: Progress, reason: str) -> TrainingLog:
        """Build the training log of a finished run; without epochs its history has no rows."""
        history = pd.DataFrame({"epoch": []})
        if progress.history:
            self.info(f"kept epoch {progress.best_epoch}: {reason}")
            history = pd.DataFrame(progress.history)
        history.index = [f"epoch {epoch}" for epoch in history["epoch"]]
        target = network.config.target
        summary = {
            "action": self.action,
            "kept_epoch": progress.best_epoch,
            "epochs_run": len(progress.history),
            "stop_reason": reason,
            "model": describe_model(network),
            "data": self.data,
            "target": target and describe_target(target),
            "environment": describe_environment(),
        }  # fmt: skip
        if self.moved_by_cuts is not None:
            summary["moved_by_cuts"] = self.moved_by_cuts
        return TrainingLog(history, self.settings, summary)


def describe_heads(heads: list[dict]) -> str:
    """Say what predictions come from, by weight."""
    counted = [f"{one['name']} {one['weight']:.0%}" for one in heads if one["weight"]]
    words = f"predictions: {', '.join(counted)}"
    if not any(one["name"] == "attention" for one in heads):
        words += "; attention head off"
    return words.replace("%", " %")


def describe_target(target: Target) -> dict:
    """Say what is predicted, and how it was spread among the training samples."""
    if isinstance(target, ClassificationTarget):
        counts = dict(zip(target.classes, target.counts, strict=True))
        return {"name": target.name, "training_counts": counts}
    return {
        "name": target.name,
        "training_mean": target.mean,
        "training_min": target.minimum,
        "training_max": target.maximum,
    }


_READ = {
    "asvs": "It reads ASVs that it recognizes, and not the clades that they lie in.",
    "clades": "It reads the clades of its encoder alone, and holds no sequence of the study.",
}


def describe_model(network: Network) -> dict:
    """Describe a model in sentences."""
    config = network.config
    number = sum(weight.numel() for weight in network.parameters())
    token = config.nucleotides_per_token
    read = "1 nucleotide" if token == 1 else f"{token} nucleotides"
    sentences = [
        f"Each ASV is read once, {read} at a time, up to {config.max_sequence_length} nucleotides, "
        f"by {counted(config.asv_layers, 'transformer layer')} of width {config.hidden_size} with "
        f"{config.heads} heads.",
        f"Each sample is read as a set of up to {config.max_asvs:,} ASVs with their abundances, by "
        f"{counted(config.sample_layers, 'transformer layer')}.",
        f"Distances between samples have the form '{config.distance_form}' and are "
        f"{config.distance_state}; there are {config.branches:,} learned branches.",
    ]
    if config.target is not None:
        sentences.append(f"It predicts '{config.target.name}'{_of_what(config.target)}.")
        sentences += [_READ[config.target.features]] if config.target.features in _READ else []
        weights = [
            {"name": name, "weight": weight} for name, weight in network.target_head.weights.items()
        ]
        sentences.append(
            f"Of its {describe_heads(sorted(weights, key=lambda one: -one['weight']))}."
        )
    return {"parameters": number, "description": sentences}


def _of_what(target: Target) -> str:
    words = ""
    if isinstance(target, ClassificationTarget):
        words += f", one of {len(target.classes)} classes"
    if target.covariates:
        words += f", and reads the covariates {examples(one.name for one in target.covariates)}"
    return words


def describe_environment() -> dict:
    """Name the versions and threads that a result depends on; no host names, no paths."""
    return {
        "q2-aam": __version__,
        "torch": torch.__version__,
        "accelerate": version("accelerate"),
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "cpu_cores": os.cpu_count(),
        "machine": platform.machine(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none",
    }

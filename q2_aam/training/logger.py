"""What is printed while a model is trained, and kept in its training log."""

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
from ..config.target import ClassificationTarget
from ..data.study import Studies
from ..errors import counted, examples, percent
from ..model.network import Network
from ..storage.training_log import SAMPLES_USED_FOR_TRAINING, Setting, TrainingLog
from . import distributed
from .checkpoint import Progress

# of each epoch, as training and validation scored them
SHOWN = ("loss", "unifrac_loss", "nucleotide_loss", "abundance_loss", "target_loss")
SHOWN += ("clade_loss", "unifrac_r", "unifrac_r2", "mean_absolute_error", "accuracy")
_hinted: set[Path] = set()  # folders of runs that this process has pointed TensorBoard at


class TrainingLogger:
    """Collect settings and facts about the data; print them; build the training log.

    Lines wait until training begins, as a resumed run says so first.
    """

    def __init__(self, action: str, epochs: int):
        self.action, self.epochs = action, epochs
        self.settings: list[Setting] = []
        self.data: list[dict] = []
        self.moved_by_cuts: float | None = None
        self._bar: tqdm | None = None
        self._waiting: list[str] | None = []

    def info(self, text: str) -> None:
        """Print a line, at once after `speak`; of several processes the first one prints."""
        if self._waiting is not None:
            self._waiting.append(text)
        elif not distributed.rank():
            print(text, flush=True)

    def speak(self, *first: str) -> None:
        """Print some lines, then those that have waited, and print at once from now on."""
        waiting, self._waiting = self._waiting or [], None
        for line in (*first, *waiting):
            self.info(line)

    def log_param(self, name: str, value, chosen_by: str, why: str = "") -> None:
        """Record a value in force, and print it if we chose it."""
        self.settings.append(Setting(name, value, chosen_by, why))
        if chosen_by == "automatic":
            self.info(f"{name}: {value} ({why})")

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
        asvs, share = studies.asvs, f"{100 * studies.cut_share:.2g} % of a sample's reads lost"
        counts = {
            "distinct ASVs": len(asvs),
            "sequences that overlap with others, read as one": studies.merged,
            "letters other than A, C, G and T, read as unknown": asvs.unknown,
            "sequences cut at the length limit": asvs.shortened,
            "sequences that differ only behind it, read as one": asvs.joined,
            f"samples cut to their most abundant ASVs, at most {share}": studies.cut_samples,
        }
        for what, count in counts.items():
            if count:
                self.log_count(what, count)

    def begin(self, objective, folder: Path | None, progress: Progress) -> None:
        """Print what was collected, first if a run is resumed; a run that saves has a folder."""
        done, finished = len(progress.history), bool(progress.stop_reason)
        first = []
        if finished:
            first = ["This command had finished its training before: its result is used again."]
        elif done:
            first = [f"Resuming an interrupted run of this command after epoch {done}."]
        self.speak(*first)
        self.log_count(f"{objective.unit} used for training", sum(objective.sizes))
        self.log_count(f"{objective.unit} used for validation", objective.validated)
        if folder is not None and not finished and folder.parent not in _hinted:
            _hinted.add(folder.parent)  # once, though every fold of a pipeline has a run
            self.info(f"To watch the losses: tensorboard --logdir {folder.parent}")

    def interrupted(self, epochs_done: int) -> None:
        """Say what an interrupted run leaves behind."""
        what = "nothing was saved, and the same command starts again"
        if epochs_done:
            what = f"the same command resumes after epoch {epochs_done}"
        self.info(f"Interrupted: {what}.")

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
        row, shown = progress.history[-1], []
        for name in SHOWN:
            if f"train_{name}" in row:
                shown.append(f"{name} {row[f'train_{name}']:.4g}")
                if f"validation_{name}" in row:
                    shown[-1] += f" (validation {row[f'validation_{name}']:.4g})"
        shown.append(f"learning rate {row['learning_rate']:.2g}")
        if row.get("skipped_steps"):
            shown.append(f"{counted(row['skipped_steps'], 'step')} skipped (normal in fp16)")
        seconds = np.mean([row["seconds"] for row in progress.history])
        left = seconds * (self.epochs - row["epoch"])
        if left:
            time = f"{left / 60:.1f} min" if left >= 60 else f"{max(1, left):.0f} s"
            shown.append(f"at most {time} left")
        best = " (kept so far)" if progress.best_epoch == row["epoch"] else ""
        self.info(f"epoch {row['epoch']}/{self.epochs}  {'  '.join(shown)}{best}")

    def log(self, network: Network, progress: Progress) -> TrainingLog:
        """Build the training log of a finished run; without epochs its history has no rows."""
        history = pd.DataFrame({"epoch": []})
        if progress.history:
            self.info(f"kept epoch {progress.best_epoch}: {progress.stop_reason}")
            history = pd.DataFrame(progress.history)
        history.index = [f"epoch {epoch}" for epoch in history["epoch"]]
        summary = {
            "action": self.action,
            "kept_epoch": progress.best_epoch,
            "epochs_run": len(progress.history),
            "stop_reason": progress.stop_reason,
            "model": describe_model(network),
            "data": self.data,
            "target": None,
            "environment": {  # what a result depends on; no host names, no paths
                "q2-aam": __version__,
                "torch": torch.__version__,
                "accelerate": version("accelerate"),
                "python": platform.python_version(),
                "threads": torch.get_num_threads(),
                "cpu_cores": os.cpu_count(),
                "machine": platform.machine(),
                "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none",
            },
        }
        target = network.config.target
        if isinstance(target, ClassificationTarget):
            counts = dict(zip(target.classes, target.counts, strict=True))
            summary["target"] = {"name": target.name, "training_counts": counts}
        elif target is not None:
            summary["target"] = {
                "name": target.name, "training_mean": target.mean, "training_min": target.minimum,
                "training_max": target.maximum,
            }  # fmt: skip
        if self.moved_by_cuts is not None:
            summary["moved_by_cuts"] = self.moved_by_cuts
        return TrainingLog(history, self.settings, summary)

    def log_fit(self, network: Network, sample_ids: tuple[str, ...], fitted) -> TrainingLog:
        """Say what predictions of a `Fitted` come from; build its log, with the ids fitted on."""
        self.speak(describe_heads(fitted.heads))
        if not fitted.progress.history:
            self.log_count(SAMPLES_USED_FOR_TRAINING, len(sample_ids))
        log = self.log(network, fitted.progress)
        named = {one.name: one.value for one in self.settings}
        encoder = f"{named.get('encoder', 'as given')}, {network.config.hidden_size} wide"
        results = {"heads": fitted.heads, "scores": fitted.scores}
        log.summary.update(results, sample_ids=list(sample_ids), encoder=encoder)
        return log


def describe_heads(heads: list[dict]) -> str:
    """Say what predictions come from, by weight."""
    shares = [f"{one['name']} {percent(one['weight'])}" for one in heads if one["weight"]]
    off = "" if any(one["name"] == "attention" for one in heads) else "; attention head off"
    return f"predictions: {', '.join(shares)}{off}"


_READ = {
    "asvs": "It reads ASVs that it recognizes, and not the clades that they lie in.",
    "clades": "It reads the clades of its encoder alone, and holds no sequence of the study.",
}


def describe_model(network: Network) -> dict:
    """Describe a model in sentences."""
    config, target = network.config, network.config.target
    attended = f", read by {counted(config.sample_layers, 'transformer layer')}"
    attended = attended if target is None or network.target_head.attends else ""
    sentences = [
        f"Each ASV is read once, {counted(config.nucleotides_per_token, 'nucleotide')} at a time, "
        f"up to {config.max_sequence_length} nucleotides, by "
        f"{counted(config.asv_layers, 'transformer layer')} of width {config.hidden_size} with "
        f"{config.heads} heads.",
        f"Each sample is a set of up to {config.max_asvs:,} ASVs with their abundances{attended}.",
        f"Distances between samples have the form '{config.distance_form}' and are "
        f"{config.distance_state}; there are {config.branches:,} learned branches.",
    ]
    if target is not None:
        of_classes, names = isinstance(target, ClassificationTarget), target.covariates
        what = f", one of {len(target.classes)} classes" if of_classes else ""
        if names:
            what += f", and reads the covariates {examples(one.name for one in names)}"
        sentences.append(f"It predicts '{target.name}'{what}.")
        sentences += [_READ[target.features]] if target.features in _READ else []
    parameters = sum(weight.numel() for weight in network.parameters())
    return {"parameters": parameters, "description": sentences}

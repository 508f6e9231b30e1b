"""The training loop: epochs of shuffled batches, validation, one best model, early stopping."""

from __future__ import annotations

import copy
import gc
import math
import time

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from ..config import AUTO, TrainingConfig
from ..data.batches import Batch, epoch_order
from ..data.study import held_asvs
from ..errors import AAMError, examples
from ..inference import embed_held
from ..model.network import Network
from .batch_size import settle_batch_size
from .checkpoint import load_checkpoint, save_checkpoint
from .epoch_predictions import EpochPredictions
from .fingerprint import fingerprint
from .hardware import attention_kernel, compile_encoder
from .objectives import objective_of
from .optimiser import build_optimiser
from .out_of_memory import EpochStart, smaller_pieces, what_to_lower
from .prefetch import prepared_batches
from .progress import Progress
from .randomness import seed_step
from .run_folder import RunFolder
from .schedule import learning_rate_at
from .step_memory import is_out_of_memory
from .steps import Task, batch_losses
from .tensorboard import write_live_events
from .validation import validate

CHECK_EVERY = 10  # steps between looks at losses, each of which waits for the device


class Trainer:
    """Train a network until the epochs are over or validation stops improving.

    Parameters
    ----------
    network : Network
        Changed in place; `run` leaves the weights of the best epoch, in evaluation mode.
    task : Task
        What is learned from which samples.
    config : TrainingConfig
    accelerator : Accelerator
        Decides device and precision.
    journal : Journal
        Told of the split, of each step and of each epoch.
    """

    def __init__(
        self,
        network: Network,
        task: Task,
        config: TrainingConfig,
        accelerator: Accelerator,
        journal,
    ):
        self.network = network
        self.task = task
        self.config = config
        self.accelerator = accelerator
        self.journal = journal
        self.embedded = task.embedded
        self.automatic = config.batch_size == AUTO
        self.seen: EpochPredictions | None = None
        network.set_dropout(config.dropout)
        network.set_checkpointing(config.gradient_checkpointing)
        if config.compile:
            compile_encoder(network, journal.say)
        self.config = settle_batch_size(network, task, config, accelerator.autocast, journal)
        self.optimiser = accelerator.prepare(build_optimiser(network, config))

    def run(self) -> tuple[Progress, str]:
        """Train, saving the state after each epoch.

        The same run in a new process goes on from there and ends with the same weights.

        Returns
        -------
        progress : Progress
        reason : str
            Why training stopped, in words.

        Raises
        ------
        AAMError
            If a loss, gradient or weight is not finite.
        """
        with attention_kernel(self.config.attention):
            return self._run()

    def _run(self) -> tuple[Progress, str]:
        name = fingerprint(self.network, self.task, self.config)
        folder = RunFolder(name, self.journal.say)
        scaler = self.accelerator.scaler
        saved = load_checkpoint(folder.state, self.network, self.optimiser, scaler)
        progress, reason = saved or (Progress(), "")
        self.journal.begin(self.task, folder.path, len(progress.history), bool(reason))
        if self.config.freeze_encoder and self.embedded is None:
            self.embedded = self._embed(np.arange(len(self.task.studies.asvs)))
        while not reason:
            self._keep_best(progress, self._epoch_within_memory(progress))
            reason = self._reason_to_stop(progress)
            state = (self.network, self.optimiser, scaler, progress, reason)
            folder.replace(lambda path, state=state: save_checkpoint(path, *state))
            folder.attempt(lambda path: write_live_events(path, progress.history))
            self.journal.on_epoch(progress)
        folder.finish()
        self.network.load_state_dict(progress.best)
        self.network.eval()
        return progress, reason

    def _embed(self, chosen: np.ndarray) -> Tensor:
        """Embed some ASVs: (asvs, D), with zeros for the others."""
        return embed_held(self.network.eval(), self.task.studies.asvs, chosen)

    def _reason_to_stop(self, progress: Progress) -> str:
        trained, patience = len(progress.history), self.config.patience
        if trained - max(progress.best_epoch, self._settling()) >= patience:
            return f"{self.task.monitored} had not improved for {patience} epochs"
        all_trained = trained >= self.config.epochs
        return f"all {self.config.epochs} epochs were trained" if all_trained else ""

    def _keep_best(self, progress: Progress, row: dict[str, float]) -> None:
        progress.history.append(row)
        score = self._score(row)
        if not math.isfinite(score):
            raise AAMError(
                f"Training stopped in epoch {row['epoch']}, because {self.task.monitored} on the "
                f"validation samples is {score}. Nothing of this state is kept. Lower "
                "'learning_rate'."
            )
        if row["epoch"] > self._settling() and score < progress.best_score:
            progress.best_score, progress.best_epoch = score, row["epoch"]
            progress.best = copy.deepcopy(self.network.state_dict())

    def _settling(self) -> float:
        """Epochs at the start of which none is kept: few validation samples favour one by luck."""
        chosen = self.config.min_epochs
        return self.config.epochs // 2 if chosen is None else chosen

    def _score(self, row: dict[str, float]) -> float:
        monitored = self.task.monitored
        return row.get(f"validation_{monitored}", row[f"train_{monitored}"])

    def _epoch_within_memory(self, progress: Progress) -> dict[str, float]:
        """Train an epoch; where the batch size is ours, in smaller pieces if memory runs out."""
        start = None
        if self.automatic:
            start = EpochStart(self.network, self.optimiser, self.accelerator.scaler)
        while True:
            try:
                return self._epoch(progress)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # only here, when the failed step's tensors are no longer held by its traceback, but
            # may be by cycles
            gc.collect()
            if start is None or self.config.batch_size == 1:
                autocast = self.accelerator.autocast
                raise what_to_lower(self.network, self.task, self.config, autocast)
            start.restore()
            self.config = smaller_pieces(self.config)
            self.journal.say(
                "Memory ran out: the epoch starts again with a batch_size of "
                f"{self.config.batch_size} and a gradient_accumulation of "
                f"{self.config.gradient_accumulation}, which is the same step in smaller pieces."
            )

    def _epoch(self, progress: Progress) -> dict[str, float]:
        """Train and validate one epoch, and return its row of the history."""
        started = time.perf_counter()
        epoch = len(progress.history)
        size = self.config.batch_size * self.config.gradient_accumulation
        order = epoch_order(self.task.training, size, self.config.random_seed, epoch)
        row = self._train(epoch, order, [self._score(past) for past in progress.history])
        trained = time.perf_counter() - started
        row["samples_per_second"] = sum(len(samples) for _, samples in order) / trained
        row |= self._finish_epoch()
        return row | {"seconds": time.perf_counter() - started}

    def _finish_epoch(self) -> dict[str, float]:
        """Score the validation samples, where there are any."""
        task, embedded = self.task, self.embedded
        if not any(len(samples) for samples in task.validation):
            return {}
        if embedded is None:  # once for all that is scored
            embedded = self._embed(held_asvs(task.studies, task.validation))
        scores = validate(self.network, task, self.config.random_seed, embedded)
        return {f"validation_{name}": value for name, value in scores.items()}

    def _train(
        self, epoch: int, order: list[tuple[int, np.ndarray]], scores: list[float]
    ) -> dict[str, float]:
        """Take one step for each batch; return the epoch's means, weighted by samples."""
        self.network.train()
        self.seen = EpochPredictions()
        watched: list[tuple[int, np.ndarray, Tensor]] = []
        sums: dict[str, Tensor] = {}
        skipped: list[int] = []
        batches = prepared_batches(self.task.studies, order, self.config.workers)
        for step, ((study, samples), batch) in enumerate(zip(order, batches, strict=True)):
            seed_step(self.config.random_seed, epoch, step)
            position = epoch * len(order) + step
            rate = learning_rate_at(position, len(order), self.config, scores)
            found = self._step(study, samples, rate, batch)
            if self.optimiser.step_was_skipped:  # normal in fp16, which lowers its loss scale then
                found["gradient_norm"] = torch.zeros_like(found["gradient_norm"])
                skipped.append(len(samples))
            for name, value in found.items():
                sums[name] = sums.get(name, 0) + value * len(samples)
            seen = torch.stack([found["loss"], found["gradient_norm"]])
            watched.append((study, samples, seen))
            if len(watched) == CHECK_EVERY or step + 1 == len(order):
                self._check_finite(watched, f"epoch {epoch + 1}", step + 2 - len(watched))
                watched.clear()
            self.journal.on_step(step + 1, len(order))
        number = sum(len(samples) for _, samples in order)
        norm = float(sums.pop("gradient_norm")) / max(1, number - sum(skipped))
        row = {"epoch": epoch + 1, "learning_rate": rate, "gradient_norm": norm}
        if self.accelerator.scaler is not None:
            row["skipped_steps"] = len(skipped)
        means = {name: float(value) / number for name, value in sums.items()}
        target = self.network.config.target
        means |= self.seen.scores(target and objective_of(target))
        return row | {f"train_{name}": value for name, value in means.items()}

    def _step(
        self, study: int, samples: np.ndarray, rate: float, batch: Batch | None = None
    ) -> dict[str, Tensor]:
        """Update the weights once; return the losses and the norm of the gradient."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        pieces = self.config.gradient_accumulation
        with self.accelerator.autocast():
            found = batch_losses(
                self.network, self.task, study, samples, self.embedded, pieces, self.seen, batch
            )
        self.accelerator.backward(found["loss"])
        norm = self.accelerator.clip_grad_norm_(self._weights(), self.config.gradient_clipping)
        self.optimiser.step()
        self.optimiser.zero_grad()
        return {name: value.detach() for name, value in found.items()} | {"gradient_norm": norm}

    def _weights(self) -> list[Tensor]:
        return [weight for group in self.optimiser.param_groups for weight in group["params"]]

    def _check_finite(self, watched, epoch: str, first_step: int) -> None:
        """Stop if a loss, a gradient or a weight of the steps watched is not finite."""
        finite = torch.isfinite(torch.stack([seen for *_, seen in watched])).all(dim=1)
        sound = torch.stack([torch.isfinite(weight).all() for weight in self._weights()]).all()
        if bool(sound) and bool(finite.all()):
            return
        faulty = 0 if bool(finite.all()) else int(finite.logical_not().nonzero()[0, 0])
        study, samples, _ = watched[faulty]
        ids = self.task.studies.studies[study].sample_ids
        names = examples([ids[position] for position in samples])
        rate = self.config.learning_rate
        raise AAMError(
            "Training stopped, because a loss, gradient or weight is no longer a finite number "
            f"({epoch}, step {first_step + faulty}; learning rate {rate:.2g}).\nThe batch held the "
            f"samples {names}.\nNothing of this state is kept. Lower 'learning_rate', or check "
            "these samples' values."
        )

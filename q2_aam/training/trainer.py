"""The training loop: epoch → step → validate → keep the best → stop."""

import copy
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..config.training import AUTO, TrainingConfig
from ..errors import AAMError
from . import device, distributed
from .checkpoint import Progress, RunFolder, digest_inputs, fingerprint, save_checkpoint
from .figures import write_events
from .init import TRAINING, seed_torch
from .optim import build_optimizer, learning_rate_at

CHECK_EVERY = 10  # steps between looks at losses, each of which waits for the device
_AHEAD = 2  # batches that wait for each thread's next one


class Objective:
    """What is learned. The loop knows no samples and no ASVs: a step is whatever this makes it."""

    network: nn.Module  # what is trained, in place
    monitored: str  # the loss that decides which epoch is kept, such as ``unifrac_loss``
    sizes: list[int]  # samples of each study that trains
    validated: int  # samples that do not train but are scored
    unit = "samples"  # what samples are called

    def batches(self, epoch: int, size: int) -> Sequence[Any]:
        """Return the steps of an epoch, of up to `size` samples: a function of seed and epoch."""

    def count(self, step: Any) -> int:
        """Count the samples of a step."""
        return len(step.samples)

    def describe(self, step: Any) -> str:
        """Name some samples of a step, for messages."""

    def prepare(self, step: Any) -> Any:
        """Build a step's batch on the CPU: a pure function, called by threads."""

    def losses(self, step: Any, prepared: Any, chunks: int) -> dict[str, Tensor]:
        """Return the losses of a step by name, computed in chunks; ``loss`` is their sum."""

    def epoch_scores(self) -> dict[str, float]:
        """Score what was predicted of the training batches of the epoch."""
        return {}

    def validate(self) -> dict[str, float]:
        """Score the samples that do not train; empty if there are none."""

    def inputs(self) -> Iterator[Any]:
        """Yield all that is learned from, as arrays and JSON, for the run's name."""


class Trainer:
    """Train a network until the epochs are over or validation stops improving."""

    def __init__(
        self, objective: Objective, config: TrainingConfig, accelerator: Accelerator, logger
    ):
        self.objective, self.network = objective, objective.network
        self.accelerator, self.logger = accelerator, logger
        self.automatic = config.batch_size == AUTO
        self.config = device.find_batch_size(objective.sizes, config, logger)
        self.network.set_dropout(config.dropout)
        self.network.set_checkpointing(config.gradient_checkpointing)
        if config.compile:
            device.compile_encoder(self.network, logger.info)
        self.optimizer = accelerator.prepare(build_optimizer(self.network, config))
        self.weights = [w for group in self.optimizer.param_groups for w in group["params"]]
        self.parts = (self.network, self.optimizer, accelerator.scaler)

    def run(self) -> Progress:
        """Train, saving the state after each epoch; leave the weights of the best one.

        The same run in a new process goes on from there and ends with the same weights. Raises
        AAMError if a loss, gradient or weight is not finite.
        """
        with device.attention_kernel(self.config.attention):
            folder, progress = self._resume()
            try:
                while not progress.stop_reason:
                    row = self._run_epoch(progress)
                    self._keep_best(progress, row)
                    progress.stop_reason = self._reason_to_stop(progress)
                    folder.replace(lambda path: save_checkpoint(path, *self.parts, progress))
                    folder.attempt(lambda path: write_events(path, pd.DataFrame(progress.history)))
                    self.logger.on_epoch(progress)
            except KeyboardInterrupt:
                self.logger.interrupted(folder.usable and len(progress.history))
                raise
        folder.finish()
        self.network.load_state_dict(progress.best)
        self.network.eval()
        return progress

    def _resume(self) -> tuple[RunFolder, Progress]:
        """Go on from the state of the same command, if there is one."""
        digest = digest_inputs(self.objective, self.config)
        distributed.require_equal(digest.encode()[:64], "input, setting or version")
        distributed.from_first(self.network.state_dict().values())
        folder = RunFolder(fingerprint(digest, self.network), self.logger.info)
        progress = folder.load(*self.parts) or Progress()
        self.logger.begin(self.objective, folder.path if folder.usable else None, progress)
        return folder, progress

    def _run_epoch(self, progress: Progress) -> dict[str, float]:
        """Train and validate one epoch; where memory runs out, begin it again in smaller chunks."""
        parts = [part for part in self.parts if part is not None]
        start = [copy.deepcopy(part.state_dict()) for part in parts] if self.automatic else []
        while True:
            try:
                return self._try_epoch(progress)
            except Exception as error:
                if not device.is_out_of_memory(error):
                    raise
            self.config = device.halve(self.config, self.automatic, self.logger.info)
            for part, state in zip(parts, start, strict=True):
                part.load_state_dict(copy.deepcopy(state))
            self.optimizer.zero_grad()

    def _try_epoch(self, progress: Progress) -> dict[str, float]:
        started = time.perf_counter()
        size = self.config.batch_size * self.config.gradient_accumulation
        steps = self.objective.batches(len(progress.history), size)
        self.network.train()
        row = self._train(steps, progress)
        samples = sum(self.objective.count(step) for step in steps)
        row["samples_per_second"] = samples / (time.perf_counter() - started)
        self.network.eval()
        found = self.objective.validate()
        row |= {f"validation_{name}": value for name, value in found.items()}
        row["seconds"] = time.perf_counter() - started
        return distributed.numbers_of_first(row)

    def _train(self, steps: Sequence[Any], progress: Progress) -> dict[str, float]:
        """Take one step for each batch; return the epoch's means, weighted by samples."""
        epoch, scores = len(progress.history), [self._score(row) for row in progress.history]
        sums, watched = {}, []
        trained = skipped = number = 0
        batches = prepared_ahead(self.objective.prepare, steps, self.config.workers)
        for position, (step, prepared) in enumerate(zip(steps, batches, strict=True)):
            seed_torch(self.config.random_seed, TRAINING, epoch, position)
            at = epoch * len(steps) + position
            rate = learning_rate_at(at, len(steps), self.config, scores)
            found, samples = self.train_step(step, prepared, rate), self.objective.count(step)
            number += samples
            if self.optimizer.step_was_skipped:  # normal in fp16, which lowers its loss scale then
                found["gradient_norm"] = torch.zeros_like(found["gradient_norm"])
                skipped += 1
            else:
                trained += samples
            for name, value in found.items():
                sums[name] = sums.get(name, 0) + value * samples
            watched.append((step, torch.stack([found["loss"], found["gradient_norm"]])))
            if len(watched) == CHECK_EVERY or position + 1 == len(steps):
                self._check_finite(watched, f"epoch {epoch + 1}", position + 2 - len(watched))
                watched.clear()
            self.logger.on_step(position + 1, len(steps))
        norm = float(sums.pop("gradient_norm")) / max(1, trained)
        row = {"epoch": epoch + 1, "learning_rate": rate, "gradient_norm": norm}
        if self.accelerator.scaler is not None:
            row["skipped_steps"] = skipped
        means = {name: float(value) / number for name, value in sums.items()}
        means |= self.objective.epoch_scores()
        return row | {f"train_{name}": value for name, value in means.items()}

    def train_step(self, step: Any, prepared: Any, rate: float) -> dict[str, Tensor]:
        """Update the weights once; return the losses and the norm of the gradient."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with self.accelerator.autocast():
            found = self.objective.losses(step, prepared, self.config.gradient_accumulation)
        self.accelerator.backward(found["loss"])
        distributed.average_gradients(self.weights)
        norm = self.accelerator.clip_grad_norm_(self.weights, self.config.gradient_clipping)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return {name: value.detach() for name, value in found.items()} | {"gradient_norm": norm}

    def _check_finite(self, watched: list, epoch: str, first_step: int) -> None:
        """Stop if a loss, a gradient or a weight of the steps watched is not finite."""
        finite = torch.isfinite(torch.stack([seen for _, seen in watched])).all(dim=1)
        sound = torch.stack([torch.isfinite(weight).all() for weight in self.weights]).all()
        if bool(sound) and bool(finite.all()):
            return
        faulty = 0 if bool(finite.all()) else int(finite.logical_not().nonzero()[0, 0])
        raise AAMError(
            "Training stopped, because a loss, gradient or weight is no longer a finite number "
            f"({epoch}, step {first_step + faulty}; learning rate "
            f"{self.config.learning_rate:.2g}).\nThe batch held "
            f"{self.objective.describe(watched[faulty][0])}.\nNothing of this state is kept. Lower "
            "'learning_rate', or check these values."
        )

    def _score(self, row: dict[str, float]) -> float:
        """Return the monitored loss of an epoch, on the validation samples if there are any."""
        monitored = self.objective.monitored
        return row.get(f"validation_{monitored}", row.get(f"train_{monitored}", math.nan))

    def _keep_best(self, progress: Progress, row: dict[str, float]) -> None:
        """Add an epoch to what a run has reached; keep its weights if it is the best so far."""
        progress.history.append(row)
        score = self._score(row)
        if not math.isfinite(score):
            raise AAMError(
                f"Training stopped in epoch {row['epoch']}, because {self.objective.monitored} on "
                f"the validation samples is {score}. Nothing of this state is kept. Lower "
                "'learning_rate'."
            )
        if row["epoch"] > self._min_epochs() and score < progress.best_score:
            progress.best_score, progress.best_epoch = score, row["epoch"]
            progress.best = copy.deepcopy(self.network.state_dict())

    def _reason_to_stop(self, progress: Progress) -> str:
        """Say why training is over; nothing if it is not."""
        config, trained = self.config, len(progress.history)
        if trained - max(progress.best_epoch, self._min_epochs()) >= config.patience:
            return f"{self.objective.monitored} had not improved for {config.patience} epochs"
        return f"all {config.epochs} epochs were trained" if trained >= config.epochs else ""

    def _min_epochs(self) -> int:
        """Epochs before which none is kept: few validation samples favor an early one by luck."""
        least = self.config.min_epochs
        return self.config.epochs // 2 if least is None else least


def prepared_ahead(
    prepare: Callable[[Any], Any], steps: Sequence[Any], workers: int
) -> Iterator[Any]:
    """Yield the batches of steps in order, built ahead by threads or, without, when asked for."""
    if not workers:
        yield from map(prepare, steps)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
        waiting: deque = deque()
        for step in steps:
            waiting.append(pool.submit(prepare, step))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

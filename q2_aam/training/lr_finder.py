"""The learning-rate range test: the rate rises from step to step, the loss says which suit."""

import copy
import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..config.training import TrainingConfig
from ..errors import AAMError
from ..model.network import Network
from .device import attention_kernel
from .evaluation import SampleObjective
from .init import TRAINING, seed_torch
from .losses import Task
from .trainer import Trainer

MEMORY = 0.05  # share of the steps that the smoothed loss looks back on
SKIPPED = 0.1  # share of the steps at the start, whose smoothed loss rests on few batches
DIVERGED = 4.0  # times its best: the smoothed loss at which the test stops
_CLEAR = 5.0  # standard errors that the loss must fall by, as the lowest of many is taken
_LEAST_FALL = 1e-3  # share of its start that the loss must fall by


@dataclass(frozen=True)
class RateCurve:
    """What the loss did while the learning rate rose; arrays are float64, (steps,)."""

    rates: np.ndarray
    losses: np.ndarray  # of each step's batch, before the step
    smoothed: np.ndarray  # their exponential moving average, corrected for starting at 0
    diverged: bool  # whether the test stopped before the highest rate
    suggestion: float | None  # where the loss fell most steeply; None if it never clearly fell


def rising_rates(lowest: float, highest: float, steps: int) -> np.ndarray:
    """Return rates that rise by the same factor from step to step: (steps,)."""
    if lowest >= highest:
        raise AAMError(
            f"'lowest_rate' is {lowest:g} and 'highest_rate' is {highest:g}: the learning rate "
            "cannot rise. Lower 'lowest_rate' or raise 'highest_rate'."
        )
    return np.geomspace(lowest, highest, steps)


def find_rate(
    network: Network, task: Task, config: TrainingConfig, accelerator, logger, rates: np.ndarray
) -> RateCurve:
    """Run a range test on a copy of a network; the config's learning rate has no effect.

    AAMError if the first loss is not finite. See Smith 2017, "Cyclical learning rates for training
    neural networks".
    """
    objective = SampleObjective(copy.deepcopy(network), task, config)
    trainer = Trainer(objective, config, accelerator, logger)
    batches = (objective.batches(epoch, trainer.config.batch_size) for epoch in itertools.count())

    def losses() -> Iterator[float]:
        steps = itertools.chain.from_iterable(batches)
        for number, (rate, step) in enumerate(zip(rates, steps, strict=False)):
            seed_torch(config.random_seed, TRAINING, step=number)
            yield float(trainer.train_step(step, objective.prepare(step), rate)["loss"])

    with attention_kernel(config.attention):
        objective.network.train()
        return sweep(losses(), rates)


def sweep(of_steps: Iterable[float], rates: np.ndarray) -> RateCurve:
    """Read the loss before a step at each of the rising rates, until the smoothed one explodes."""
    kept, mean, diverged = math.exp(-1 / (MEMORY * len(rates))), 0.0, False
    losses, smoothed = [], []
    for loss in of_steps:
        mean = kept * mean + (1 - kept) * loss
        corrected = mean / (1 - kept ** (len(losses) + 1))
        finite = math.isfinite(corrected)
        if finite:
            losses.append(loss)
            smoothed.append(corrected)
        diverged = not finite or corrected > DIVERGED * min(smoothed)
        if diverged:
            break
    if not losses:
        raise AAMError(
            "The loss is not a finite number before anything was learned. Check the values of the "
            "table, the metadata and the distance matrix."
        )
    taken, skipped = rates[: len(losses)], int(SKIPPED * len(rates))
    curve = RateCurve(taken, np.array(losses), np.array(smoothed), diverged, None)
    return dataclasses.replace(curve, suggestion=suggest_rate(curve, skipped, kept))


def suggest_rate(curve: RateCurve, skipped: int, kept: float) -> float | None:
    """Return the rate of the steepest fall before the minimum, if there is a clear fall."""
    rates, smoothed = curve.rates, curve.smoothed
    if len(smoothed) < skipped + 2:
        return None
    lowest = skipped + int(np.argmin(smoothed[skipped:]))
    fall = smoothed[skipped] - smoothed[lowest]
    # of one batch, from neighbors: these hardly differ by what was learned between them
    steps = np.diff(curve.losses[: lowest + 1])
    spread = np.sqrt(np.square(steps).mean() / 2) if lowest else 0.0
    uncertainty = spread * math.sqrt((1 - kept) / (1 + kept))  # of an average of such batches
    if fall <= max(_CLEAR * uncertainty, _LEAST_FALL * smoothed[skipped]):
        return None
    reach = max(1, skipped // 2)
    places = np.arange(skipped, lowest)
    before, after = np.maximum(places - reach, skipped), np.minimum(places + reach, lowest)
    slopes = (smoothed[after] - smoothed[before]) / np.log(rates[after] / rates[before])
    return float(rates[places[np.argmin(slopes)]])

"""The learning-rate range test: the rate rises from step to step, and the loss says which suit.

References
----------
Smith 2017, "Cyclical learning rates for training neural networks".
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from accelerate import Accelerator

from ..config import TrainingConfig
from ..errors import AAMError
from ..model.network import Network
from .device import attention_kernel
from .init import seed_step
from .losses import Step, Task
from .sample_objective import SampleObjective
from .trainer import Trainer

MEMORY = 0.05  # share of the steps that the smoothed loss looks back on
SKIPPED = 0.1  # share of the steps at the start, whose smoothed loss rests on few batches
DIVERGED = 4.0  # times its best: the smoothed loss at which the test stops
_CLEAR = 5.0  # standard errors that the loss must fall by, as the lowest of many is taken
_LEAST_FALL = 1e-3  # share of its start that the loss must fall by


@dataclass(frozen=True)
class RateCurve:
    """What the loss did while the learning rate rose.

    Attributes
    ----------
    rates : ndarray of float64, (steps,)
        Learning rate of each step taken.
    losses : ndarray of float64, (steps,)
        Loss of each step's batch, before the step.
    smoothed : ndarray of float64, (steps,)
        Its exponential moving average, corrected for starting at 0.
    diverged : bool
        Whether the test stopped before the highest rate.
    suggestion : float or None
        The rate at which the smoothed loss fell most steeply; None if it never clearly fell.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    diverged: bool
    suggestion: float | None


def rising_rates(lowest: float, highest: float, steps: int) -> np.ndarray:
    """Return rates that rise by the same factor from step to step: (steps,).

    Raises
    ------
    AAMError
        If the lowest is not below the highest.
    """
    if lowest >= highest:
        raise AAMError(
            f"'lowest_rate' is {lowest:g} and 'highest_rate' is {highest:g}: the learning rate "
            "cannot rise. Lower 'lowest_rate' or raise 'highest_rate'."
        )
    return np.geomspace(lowest, highest, steps)


def find_rate(
    network: Network,
    task: Task,
    config: TrainingConfig,
    accelerator: Accelerator,
    logger,
    rates: np.ndarray,
) -> RateCurve:
    """Run a range test on a copy of a network, which itself stays as it is.

    Parameters
    ----------
    network : Network
        As training would start from it.
    task : Task
        Its training samples are read, in shuffled batches as in training.
    config : TrainingConfig
        Its learning rate and schedule have no effect.
    accelerator : Accelerator
    logger : TrainingLogger
    rates : ndarray of float64, (steps,)

    Returns
    -------
    RateCurve

    Raises
    ------
    AAMError
        If the loss of the first step is not finite.
    """
    objective = SampleObjective(copy.deepcopy(network), task, config)
    trainer = Trainer(objective, config, accelerator, logger)
    with attention_kernel(config.attention):
        objective.start()
        objective.network.train()
        steps = _steps_without_end(objective, trainer.config)

        def take_step(rate: float) -> float:
            step = next(steps)
            return float(trainer.take_step(step, objective.prepare(step), rate)["loss"])

        return sweep(take_step, rates)


def _steps_without_end(objective: SampleObjective, config: TrainingConfig) -> Iterator[Step]:
    """Yield shuffled steps, seeding what is random in each."""
    for epoch in itertools.count():
        for position, step in enumerate(objective.batches(epoch, config.batch_size)):
            seed_step(config.random_seed, epoch, position)
            yield step


def sweep(take_step: Callable[[float], float], rates: np.ndarray) -> RateCurve:
    """Take one step at each rate until the smoothed loss explodes.

    Parameters
    ----------
    take_step : callable
        Takes a step at a rate and returns the loss before it.
    rates : ndarray of float64, (steps,)
        Rising.
    """
    kept, mean, best, diverged = math.exp(-1 / (MEMORY * len(rates))), 0.0, math.inf, False
    losses: list[float] = []
    smoothed: list[float] = []
    for rate in rates:
        loss = take_step(float(rate))
        mean = kept * mean + (1 - kept) * loss
        corrected = mean / (1 - kept ** (len(losses) + 1))
        if not math.isfinite(corrected):
            diverged = True
            break
        losses.append(loss)
        smoothed.append(corrected)
        best = min(best, corrected)
        if corrected > DIVERGED * best:
            diverged = True
            break
    if not losses:
        raise AAMError(
            "The loss is not a finite number before anything was learned. Check the values of the "
            "table, the metadata and the distance matrix."
        )
    taken, of_batches, averages = rates[: len(losses)], np.array(losses), np.array(smoothed)
    skipped = int(SKIPPED * len(rates))
    suggestion = suggest_rate(taken, of_batches, averages, skipped, kept)
    return RateCurve(taken, of_batches, averages, diverged, suggestion)


def suggest_rate(
    rates: np.ndarray, losses: np.ndarray, smoothed: np.ndarray, skipped: int, kept: float
) -> float | None:
    """Return the rate of the steepest fall before the minimum, if there is a clear fall.

    Parameters
    ----------
    rates, losses, smoothed : ndarray of float64, (steps,)
        See `RateCurve`.
    skipped : int
        Steps at the start that are not looked at.
    kept : float
        Share of the moving average that each step keeps.
    """
    if len(smoothed) < skipped + 2:
        return None
    lowest = skipped + int(np.argmin(smoothed[skipped:]))
    fall = smoothed[skipped] - smoothed[lowest]
    # of one batch, from neighbors: these hardly differ by what was learned between them
    spread = np.sqrt(np.square(np.diff(losses[: lowest + 1])).mean() / 2) if lowest else 0.0
    uncertainty = spread * math.sqrt((1 - kept) / (1 + kept))  # of an average of such batches
    if fall <= max(_CLEAR * uncertainty, _LEAST_FALL * smoothed[skipped]):
        return None
    reach = max(1, skipped // 2)
    places = np.arange(skipped, lowest)
    before, after = np.maximum(places - reach, skipped), np.minimum(places + reach, lowest)
    slopes = (smoothed[after] - smoothed[before]) / np.log(rates[after] / rates[before])
    return float(rates[places[np.argmin(slopes)]])

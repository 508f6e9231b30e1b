"""What heads are fitted to: the features of labeled samples, and what is known of these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from ...data.study import held_asvs
from ...inference import embed_held, sample_states
from ...model.heads.features import TargetFeatures
from ...model.network import Network
from ..losses import Task

FEATURES_KEPT = 2048  # samples; of more, features are read again for each head


class Known(NamedTuple):
    """What is known of samples.

    Attributes
    ----------
    values : ndarray of float64, (samples, R)
        A scaled number, or 1 for the right class and 0 for the others.
    classes : ndarray of int64, (samples,), or None
    weights : ndarray of float64, (samples,)
        How much each counts.
    """

    values: np.ndarray
    classes: np.ndarray | None
    weights: np.ndarray

    def only(self, rows: np.ndarray) -> Known:
        """Return what is known of some of the samples."""
        return Known(*(None if part is None else part[rows] for part in self))


class SampleFeatures:
    """The features of samples, read a block at a time; of few samples they are kept.

    Parameters
    ----------
    network : Network
    task : Task
    samples : ndarray of int64
        All that will be asked for, ascending.
    """

    def __init__(self, network: Network, task: Task, samples: np.ndarray):
        self._network, self._task = network.eval(), task
        self.embedded = task.embedded
        if self.embedded is None:
            held = held_asvs(task.studies, [samples])
            self.embedded = embed_held(network, task.studies.asvs, held)
        self._samples, self._kept = samples, None
        self._inputs: dict[str, np.ndarray] = {}
        if len(samples) <= FEATURES_KEPT:
            columns = zip(*self._read(samples), strict=True)
            parts = (None if one[0] is None else torch.cat(one) for one in columns)
            self._kept = TargetFeatures(*parts)

    def __call__(self, samples: np.ndarray) -> Iterator[TargetFeatures]:
        """Yield the features of some samples, in order."""
        if self._kept is None:
            yield from self._read(samples)
            return
        rows = torch.from_numpy(np.searchsorted(self._samples, samples))
        parts = (None if one is None else one[rows.to(one.device)] for one in self._kept)
        yield TargetFeatures(*parts)

    def _read(self, samples: np.ndarray) -> Iterator[TargetFeatures]:
        network, studies = self._network, self._task.studies
        parts = network.parts_to_solve()
        for state in sample_states(network, studies, 0, samples, self.embedded, parts):
            yield state.features

    @torch.no_grad()
    def inputs_of(self, name: str, samples: np.ndarray) -> np.ndarray:
        """Return what a head reads of some samples: (samples, F) float32."""
        if self._kept is not None:
            if name not in self._inputs:
                features, head = self._kept, self._network.target_head
                self._inputs[name] = head.inputs_of(name, features).cpu().numpy()
            rows = np.searchsorted(self._samples, samples)
            found = self._inputs[name]
            return found if len(rows) == len(found) else found[rows]
        head, found, filled = self._network.target_head, None, 0
        for features in self(samples):
            part = head.inputs_of(name, features).cpu().numpy()
            if found is None:
                found = np.empty((len(samples), part.shape[1]), dtype=np.float32)
            found[filled : filled + len(part)] = part
            filled += len(part)
        return found

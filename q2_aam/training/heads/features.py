"""What heads are fitted to: the features of labeled samples, and what is known of these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from ...data.study import held_asvs
from ...inference import sample_states
from ...model.heads.features import SampleState
from ...model.network import Network
from ..init import embed_held
from ..losses import Task

FEATURES_KEPT = 2048  # samples; of more, features are read again for each head


class Known(NamedTuple):
    """What is known of samples."""

    values: np.ndarray  # (samples, R): a scaled number; or 1 for the right class, 0 for others
    classes: np.ndarray | None  # int64 (samples,)
    weights: np.ndarray  # (samples,): how much each counts

    def only(self, rows: np.ndarray) -> Known:
        """Return what is known of some of the samples."""
        return Known(*(None if part is None else part[rows] for part in self))


class SampleFeatures:
    """The features of `samples` (ascending), read a block at a time; of few samples, once."""

    def __init__(self, network: Network, task: Task, samples: np.ndarray):
        self._network, self._task = network.eval(), task
        self.embedded = task.embedded
        if self.embedded is None:
            held = held_asvs(task.studies, [samples])
            self.embedded = embed_held(network, task.studies.asvs, held)
        self._samples = samples
        few = len(samples) <= FEATURES_KEPT
        self._kept = list(self._read(samples)) if few else None
        self._inputs: dict[str, np.ndarray] = {}

    def _read(self, samples: np.ndarray) -> Iterator[SampleState]:
        network, studies = self._network, self._task.studies
        parts = network.parts_for(False, True)._replace(attend=False)
        return sample_states(network, studies, 0, samples, self.embedded, parts)

    def fit_scaling(self) -> None:
        """Take the statistics of all blocks from all samples."""
        self._network.target_head.scaling.fit(self._kept or self._read(self._samples))

    def inputs_of(self, name: str, samples: np.ndarray) -> np.ndarray:
        """Return what a head reads of some samples: (samples, F) float32."""
        if self._kept is None:
            return self._collect(name, self._read(samples), len(samples))
        if name not in self._inputs:
            self._inputs[name] = self._collect(name, self._kept, len(self._samples))
        if len(samples) == len(self._samples):
            return self._inputs[name]
        return self._inputs[name][np.searchsorted(self._samples, samples)]

    @torch.no_grad()
    def _collect(self, name: str, parts, number: int) -> np.ndarray:
        """Fill one array part by part: inputs of many samples take most of the memory."""
        found, filled = None, 0
        for state in parts:
            part = self._network.target_head.inputs_of(name, state).cpu().numpy()
            if found is None:
                found = np.empty((number, part.shape[1]), dtype=np.float32)
            found[filled : filled + len(part)] = part
            filled += len(part)
        return found

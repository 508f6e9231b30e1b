"""The name of a run: a digest of everything that its result depends on."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path

import numpy as np
import torch

from ..config import TrainingConfig
from ..data.study import Study
from ..inference import device_of
from ..model.network import Network
from .steps import Task


def fingerprint(network: Network, task: Task, config: TrainingConfig) -> str:
    """Digest the weights to start from, the data, the settings and the machine.

    Returns
    -------
    str
        Hexadecimal; equal only for runs that would give equal weights.
    """
    digest = hashlib.sha256()
    settings = [network.config.to_json(), config.to_json(), sorted(task.weights.items())]
    machine = [torch.__version__, torch.get_num_threads(), processor(), str(device_of(network))]
    digest.update(json.dumps([settings, task.monitored, machine]).encode())
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        _add(digest, tensor.cpu().numpy())
    _add(digest, task.studies.asvs.tokens)
    for study in task.studies.studies:
        _add_study(digest, study)
    for positions in (*task.training, *task.validation):
        _add(digest, positions)
    for of_samples in (task.targets, task.groups, task.sample_weights):
        if of_samples is not None:
            _add(digest, of_samples)
    return digest.hexdigest()


def processor() -> str:
    """Name the processor: other processors round differently."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _add_study(digest, study: Study) -> None:
    digest.update(json.dumps(study.sample_ids).encode())
    for array in (study.abundances.data, study.abundances.indices, study.abundances.indptr):
        _add(digest, array)
    if study.distances is not None:
        _add(digest, study.distances.matrix)
        _add(digest, study.distances.rows)
    if study.covariates is not None:
        _add(digest, study.covariates)


def _add(digest, array: np.ndarray) -> None:
    digest.update(f"{array.dtype} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)

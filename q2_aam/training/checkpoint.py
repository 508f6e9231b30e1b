"""The state of a run as one safetensors file: weights, best weights, optimiser and history."""

from __future__ import annotations

import errno
import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..model.network import Network
from .progress import Progress

_NETWORK, _BEST, _OPTIMISER = "network/", "best/", "optimiser/"


def save_checkpoint(
    path: Path, network: Network, optimiser, scaler, progress: Progress, reason: str
) -> None:
    """Write everything that the next epoch depends on.

    Parameters
    ----------
    path : Path
    network : Network
    optimiser : torch.optim.Optimizer
    scaler : torch.amp.GradScaler or None
        Of fp16.
    progress : Progress
    reason : str
        Why training stopped, or nothing if it goes on.

    Raises
    ------
    OSError
        If there is no space, for example.
    """
    tensors = {_NETWORK + name: tensor for name, tensor in network.state_dict().items()}
    tensors |= {_BEST + name: tensor for name, tensor in progress.best.items()}
    for index, values in optimiser.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{_OPTIMISER}{index}/{name}"] = value
    notes = {
        "history": progress.history,
        "best_epoch": progress.best_epoch,
        "best_score": progress.best_score,
        "scaler": scaler.state_dict() if scaler is not None else {},
        "reason": reason,
    }
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    try:
        save_file(tensors, str(path), metadata={"progress": json.dumps(notes)})
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error)) from error


def load_checkpoint(path: Path, network: Network, optimiser, scaler) -> tuple[Progress, str] | None:
    """Restore a run.

    Returns
    -------
    progress : Progress
    reason : str
        Empty if training goes on. None instead of both if there is no readable state.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(str(path), framework="pt") as file:
            notes = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        weights, best = _part(tensors, _NETWORK), _part(tensors, _BEST)
        progress = Progress(notes["history"], best, notes["best_epoch"], notes["best_score"])
        of_scaler, reason = notes["scaler"], notes["reason"]
    except (SafetensorError, KeyError, TypeError, ValueError, OSError):
        return None
    if not all(_fits(one, network.state_dict()) for one in (weights, best or weights)):
        return None
    _restore_optimiser(optimiser, tensors)
    network.load_state_dict(weights)
    if scaler is not None and of_scaler:
        scaler.load_state_dict(of_scaler)
    return progress, reason


def _fits(tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return {name: tensor.shape for name, tensor in tensors.items()} == {
        name: tensor.shape for name, tensor in wanted.items()
    }


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)
    }


def _restore_optimiser(optimiser, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _part(tensors, _OPTIMISER).items():
        index, _, kind = name.partition("/")
        state.setdefault(int(index), {})[kind] = tensor
    content = optimiser.state_dict()
    optimiser.load_state_dict({"state": state, "param_groups": content["param_groups"]})

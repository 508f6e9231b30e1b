"""The state of a run as one safetensors file: weights, best weights, optimiser and history."""

from __future__ import annotations

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
    save_file(tensors, str(path), metadata={"progress": json.dumps(notes)})


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
    except (SafetensorError, KeyError, ValueError, OSError):
        return None
    _restore_optimiser(optimiser, tensors)
    network.load_state_dict(_part(tensors, _NETWORK))
    if scaler is not None and notes["scaler"]:
        scaler.load_state_dict(notes["scaler"])
    progress = Progress(
        notes["history"], _part(tensors, _BEST), notes["best_epoch"], notes["best_score"]
    )
    return progress, notes["reason"]


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

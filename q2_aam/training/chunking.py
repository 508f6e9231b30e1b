"""Embedding a batch in chunks, so that few activations are held at a time.

All samples of a batch are compared with each other, so a large batch cannot be cut into smaller
ones that are learned one after the other. Its embeddings, which are small, can be computed chunk
by chunk: each chunk is computed again when its gradient is wanted.

References
----------
Gao et al. 2021, "Scaling deep contrastive learning batch size under memory limited setup".
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ..config import ModelConfig
from ..data.batches import Batch, build_batch
from ..data.study import Studies
from ..inference import device_of, to_device, to_tensors, token_parts
from ..model.network import Network, Parts, SampleBatch, SampleState

KEPT_ON_CPU = 5 * 2**28  # bytes of activations that are not computed again
_PER_LAYER, _AROUND = 17, 6  # values that a token's embedding of width 1 costs
_ALL = Parts()


def embed_distinct(network: Network, studies: Studies, batch: Batch, chunks: int = 1) -> Tensor:
    """Embed the distinct ASVs of a batch, those of one length together (see `token_parts`).

    On a CPU large models compute again what is beyond `KEPT_ON_CPU`.

    Parameters
    ----------
    network : Network
    studies : Studies
    batch : Batch
        Of U distinct ASVs.
    chunks : int
        1 keeps all activations (on a CPU: up to `KEPT_ON_CPU`), more keep none.

    Returns
    -------
    Tensor, (U, D)
        In the order of the batch.
    """
    at_once = -(-len(batch.asvs) // chunks)
    parts, back = token_parts(network, studies.asvs, batch.asvs, at_once)
    largest = max(len(tokens) for tokens, _ in parts)
    # the last are kept, as they are the first of the backward pass
    again = len(parts) - _parts_kept(network.config, device_of(network), chunks, largest)
    found = [_run(network.embed_asvs, at < again, *part) for at, part in enumerate(parts)]
    return torch.cat(found).index_select(0, back)


def embed_samples(
    network: Network,
    studies: Studies,
    study: int,
    batch: Batch,
    asvs: Tensor,
    hidden: Tensor | None = None,
    chunks: int = 1,
    parts: Parts = _ALL,
) -> tuple[SampleState, Tensor | None]:
    """Embed the samples of a batch from the embeddings of its ASVs.

    Parameters
    ----------
    network : Network
    studies : Studies
    study : int
    batch : Batch
        Of B samples with up to S ASVs, U distinct ones in all.
    asvs : Tensor, (U, D)
    hidden : Tensor of bool, (B, S), optional
        Abundances that must not be seen, but predicted.
    chunks : int
        1 keeps all activations, more keep none.
    parts : Parts
        What the losses read of samples; to predict hidden abundances the transformer runs too.

    Returns
    -------
    state : SampleState
        Without slots.
    predicted : Tensor, (B, S), or None
        Scaled log abundances, where some are hidden.
    """
    device = device_of(network)
    if chunks == 1:
        return _embed_chunk(network, asvs, to_tensors(batch, device), hidden, parts)
    states, predictions = [], []
    for rows in np.array_split(np.arange(len(batch.samples)), min(chunks, len(batch.samples))):
        chunk = build_batch(studies, study, batch.samples[rows], tokens=False)
        own = to_device(np.searchsorted(batch.asvs, chunk.asvs), device)
        slots = chunk.index.shape[1]
        of_chunk = None if hidden is None else hidden[rows[0] : rows[-1] + 1, :slots]
        inputs = (asvs.index_select(0, own), to_tensors(chunk, device), of_chunk, parts)
        state, predicted = _run(_embed_chunk, True, network, *inputs)
        states.append(state)
        if predicted is not None:
            predictions.append(functional.pad(predicted, (0, batch.index.shape[1] - slots)))
    return _joined(states), torch.cat(predictions) if predictions else None


def _embed_chunk(
    network: Network, asvs: Tensor, samples: SampleBatch, hidden: Tensor | None, parts: Parts
) -> tuple[SampleState, Tensor | None]:
    attend = parts.attend or hidden is not None
    state = network.embed_samples(asvs, samples, hidden, *parts._replace(attend=attend))
    predicted = None if hidden is None else network.abundance_head(state.slots).float()
    return state._replace(slots=None), predicted


def _run(compute, again: bool, *inputs):
    """Call, and if asked to, keep the result only and call once more in the backward pass."""
    if again and torch.is_grad_enabled():
        return checkpoint(compute, *inputs, use_reentrant=False)
    return compute(*inputs)


def _joined(states: list[SampleState]) -> SampleState:
    columns = zip(*states, strict=True)
    return SampleState(*(None if parts[0] is None else torch.cat(parts) for parts in columns))


def _parts_kept(config: ModelConfig, device: torch.device, chunks: int, at_once: int) -> int:
    """Say how many parts need not be computed again: a fixed rule, by sizes alone."""
    if chunks > 1:
        return 0
    if device.type != "cpu":
        return sys.maxsize
    values = config.tokens_per_sequence * (config.asv_layers * _PER_LAYER + _AROUND)
    return KEPT_ON_CPU // (4 * config.hidden_size * values * at_once)

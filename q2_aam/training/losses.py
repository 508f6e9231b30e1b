"""What a step costs: the losses that are on, of a network that reads samples."""

import sys
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ..config.training import TrainingConfig
from ..data.study import Batch, Studies, asv_tokens, build_batch
from ..data.tokens import ADENINE, MASK, THYMINE
from ..inference import device_of, join_states, to_device, to_tensors, token_parts
from ..model.encoders import scaled_log
from ..model.heads.features import SampleState
from ..model.network import Network
from . import distributed
from .objectives import objective_of

MASKED_ASVS = 64  # ASVs drawn in each step to predict their masked nucleotides
KEPT_ON_CPU = 5 * 2**28  # bytes of activations that are not computed again
HIDDEN_SHARE = 0.15
_PER_LAYER, _AROUND = 17, 6  # values that a token's embedding of width 1 costs


@dataclass(frozen=True)
class Task:
    """What is learned from which samples: positions in each study; with a target there is one."""

    studies: Studies
    training: list[np.ndarray]
    validation: list[np.ndarray]
    targets: np.ndarray | None  # scaled numbers (float32) or class positions (int64)
    weights: dict[str, float]  # of each loss that is on: unifrac, nucleotide, abundance, target
    monitored: str  # the loss that decides which epoch is kept, such as ``unifrac_loss``
    groups: np.ndarray | None = None
    sample_weights: np.ndarray | None = None  # how much each target counts
    embedded: Tensor | None = None  # (asvs, D) of all ASVs, if they do not change


class Step(NamedTuple):
    """The samples of a step: positions in a study."""

    study: int
    samples: np.ndarray


def weights_of(config: TrainingConfig, distances: bool, target: bool) -> dict[str, float]:
    """Choose the losses that are on: those with a weight above 0 that have data."""
    weights = {
        "unifrac": config.unifrac_weight if distances else 0.0,
        "nucleotide": 0.0 if config.freeze_encoder else config.nucleotide_weight,
        "abundance": config.abundance_weight,
        "target": config.target_weight if target else 0.0,
    }
    return {name: weight for name, weight in weights.items() if weight > 0}


def prepare_step(studies: Studies, step: Step) -> tuple[Batch, Batch]:
    """Build the whole batch of a step and this process's share of it, a pure function."""
    batch = build_batch(studies, step.study, step.samples)
    if distributed.size() == 1:
        return batch, batch
    own = distributed.own_part(step.samples)
    return batch, build_batch(studies, step.study, own)


def batch_losses(
    network: Network, task: Task, step: Step, prepared: tuple, chunks: int = 1, seen=None
) -> dict[str, Tensor]:
    """Compute the losses of a batch by name (``unifrac_loss``…); ``loss`` is their weighted sum.

    Of the whole batch and this process's share, the latter is embedded here, in some chunks; the
    losses are those of the whole. `seen`, `EpochPredictions`, collects what is predicted of it.
    """
    (batch, own), device, seen = prepared, device_of(network), seen or EpochPredictions()
    number, found = len(batch.samples), {}
    if task.embedded is None:
        asvs = embed_distinct(network, task.studies, own, chunks)
    else:
        asvs = task.embedded.index_select(0, to_device(own.asvs, device))
    hidden = own_hidden = None
    if "abundance" in task.weights:
        abundances = to_device(batch.abundances, device)
        draw = to_device(torch.rand(abundances.shape), device)
        hidden = (abundances > 0) & (draw < HIDDEN_SHARE)
        rows = distributed.own_part(np.arange(number))
        own_hidden = hidden[rows[0] : rows[-1] + 1, : own.index.shape[1]]
    state, predicted = embed_samples(network, task, step.study, own, asvs, own_hidden, chunks)
    if "unifrac" in task.weights and batch.distances is not None:
        compared = distributed.gather_rows(getattr(state, network.compared), number)
        shared = network.share_asvs(to_tensors(batch, device), len(batch.asvs))
        whole = SampleState(**{network.compared: compared})
        distances = network.distances(whole, asvs=shared)
        found["unifrac"] = unifrac_loss(distances, to_device(batch.distances, device))
        row, column = torch.triu_indices(number, number, 1, device=device)
        seen.add("unifrac", distances[row, column], batch.distances[np.triu_indices(number, 1)])
    if "nucleotide" in task.weights:  # of few ASVs: every process predicts them all
        found["nucleotide"] = masked_nucleotide_loss(network, task.studies, batch)
    if hidden is not None:
        wide = functional.pad(predicted, (0, hidden.shape[1] - predicted.shape[1]))
        gathered = distributed.gather_rows(wide, number)
        found["abundance"] = abundance_loss(gathered, abundances, hidden)
    if "target" in task.weights:
        outputs = distributed.gather_rows(network.attention_outputs(state), number)
        actual, counts = task.targets[step.samples], task.sample_weights[step.samples]
        seen.add("target", network.target_head.attention.predictions(outputs.detach()), actual)
        objective = objective_of(network.config.target)
        actual, counts = to_device(actual, device), to_device(counts, device)
        found["target"] = objective.loss(outputs, actual, counts)
    total = sum(task.weights[name] * value for name, value in found.items())
    return {"loss": total} | {f"{name}_loss": value for name, value in found.items()}


def masked_nucleotide_loss(network: Network, studies: Studies, batch: Batch) -> Tensor:
    """Predict masked nucleotides of a few of the batch's ASVs, apart from all other paths."""
    number = min(MASKED_ASVS, len(batch.asvs))
    chosen = batch.asvs[torch.randperm(len(batch.asvs))[:number].numpy()]
    lengths = studies.asvs.lengths[chosen]
    tokens = torch.from_numpy(asv_tokens(studies.asvs, chosen))
    masked, hidden = hide_nucleotides(tokens, torch.rand(tokens.shape))
    device = device_of(network)
    padded = bool(lengths.min() != lengths.max())
    masked, tokens, hidden = (to_device(part, device) for part in (masked, tokens, hidden))
    return nucleotide_loss(network.predict_nucleotides(masked, padded), tokens, hidden)


# --- losses: each a mean over what it predicts, 0 where there is nothing to predict ---------------


def unifrac_loss(predicted: Tensor, actual: Tensor) -> Tensor:
    """Mean squared error over pairs i < j of (B, B) matrices; one sample alone gives 0."""
    row, column = torch.triu_indices(len(actual), len(actual), 1, device=actual.device)
    if not len(row):
        return predicted.sum() * 0
    return functional.mse_loss(predicted[row, column], actual[row, column])


def hide_nucleotides(tokens: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    """Mask known nucleotides where `draw` is low; return tokens and which are, (M, 1 + L)."""
    hidden = (tokens >= ADENINE) & (tokens <= THYMINE) & (draw < HIDDEN_SHARE)
    return tokens.masked_fill(hidden, MASK), hidden


def nucleotide_loss(logits: Tensor, tokens: Tensor, hidden: Tensor) -> Tensor:
    """Cross-entropy of the hidden nucleotides: (M, L, 4) logits, (M, 1 + L) tokens."""
    wanted = hidden[:, 1:]
    truth = (tokens[:, 1:].long() - ADENINE) * wanted
    each = functional.cross_entropy(logits.transpose(1, 2), truth, reduction="none")
    return (each * wanted).sum() / wanted.sum().clamp_min(1)


def abundance_loss(predicted: Tensor, abundances: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared error of hidden scaled log abundances, all (B, S)."""
    error = (predicted - scaled_log(abundances)).square() * hidden
    return error.sum() / hidden.sum().clamp_min(1)


# --- embedding in chunks --------------------------------------------------------------------------
# All pairs of a step are compared, so that it cannot be cut; its embeddings, which are small, can
# be computed chunk by chunk, and again when their gradient is wanted. See Gao et al. 2021, "Scaling
# deep contrastive learning batch size under memory limited setup".


def embed_distinct(network: Network, studies: Studies, batch: Batch, chunks: int = 1) -> Tensor:
    """Embed the distinct ASVs of a batch, those of one length together: (U, D), in its order.

    One chunk keeps all activations (on a CPU up to `KEPT_ON_CPU`), more keep none.
    """
    at_once = -(-len(batch.asvs) // chunks)
    parts, back = token_parts(network, studies.asvs, batch.asvs, at_once)
    kept = 0 if chunks > 1 else sys.maxsize
    if chunks == 1 and device_of(network).type == "cpu":  # a fixed rule, by sizes alone
        config, largest = network.config, max(len(tokens) for tokens, _ in parts)
        values = config.tokens_per_sequence * (config.asv_layers * _PER_LAYER + _AROUND)
        kept = KEPT_ON_CPU // (4 * config.hidden_size * values * largest)
    # the last are kept, as they are the first of the backward pass
    again = len(parts) - kept
    found = [run(network.embed_asvs, at < again, *part) for at, part in enumerate(parts)]
    return torch.cat(found).index_select(0, back)


def embed_samples(
    network: Network, task: Task, study: int, batch: Batch, asvs: Tensor, hidden=None, chunks=1
) -> tuple[SampleState, Tensor | None]:
    """Embed the B samples of a batch from its ASVs, (U, D), as far as the losses read them.

    Returns their state, without slots, and abundances (B, S) as predicted, scaled and logarithmic,
    where some are hidden. One chunk keeps all activations, more keep none.
    """
    device = device_of(network)
    compared = "unifrac" in task.weights and batch.distances is not None
    parts = network.parts_for(compared, "target" in task.weights)
    if hidden is not None:  # they are predicted from the transformer's output
        parts = parts._replace(attend=True)

    def embed(asvs: Tensor, samples, hidden: Tensor | None) -> tuple[SampleState, Tensor | None]:
        state = network.embed_samples(asvs, samples, hidden, *parts)
        predicted = None if hidden is None else network.abundance_head(state.slots).float()
        return state._replace(slots=None), predicted

    if chunks == 1:
        return embed(asvs, to_tensors(batch, device), hidden)
    states, predictions = [], []
    for rows in np.array_split(np.arange(len(batch.samples)), min(chunks, len(batch.samples))):
        own = build_batch(task.studies, study, batch.samples[rows])
        of_chunk = asvs.index_select(0, to_device(np.searchsorted(batch.asvs, own.asvs), device))
        slots = own.index.shape[1]
        own_hidden = None if hidden is None else hidden[rows[0] : rows[-1] + 1, :slots]
        state, predicted = run(embed, True, of_chunk, to_tensors(own, device), own_hidden)
        states.append(state)
        if predicted is not None:
            predictions.append(functional.pad(predicted, (0, batch.index.shape[1] - slots)))
    return join_states(states), torch.cat(predictions) if predictions else None


def run(compute, again: bool, *inputs):
    """Call, and if asked to, keep the result only and call once more in the backward pass."""
    if again and torch.is_grad_enabled():
        return checkpoint(compute, *inputs, use_reentrant=False)
    return compute(*inputs)


# --- scores of training batches -------------------------------------------------------------------


class EpochPredictions:
    """Predictions of an epoch's batches, to score training by what also scores validation.

    Tensors stay on their device until `scores`, so that nothing waits for it within the epoch.
    """

    def __init__(self):
        self._seen: dict[str, list[tuple[Tensor, np.ndarray]]] = {}

    def add(self, what: str, predicted: Tensor, actual: np.ndarray) -> None:
        """Add predictions of a batch: of its target, (B, O) and (B,), or of UniFrac, (pairs,)."""
        self._seen.setdefault(what, []).append((predicted.detach(), actual))

    def scores(self, objective) -> dict[str, float]:
        """Score UniFrac over pairs within batches, and a target by its objective."""
        found = {}
        for what, batches in self._seen.items():
            predicted = torch.cat([one for one, _ in batches]).cpu().numpy().astype(np.float64)
            score = unifrac_scores if what == "unifrac" else objective.scores
            found |= score(predicted, np.concatenate([one for _, one in batches]))
        return found


def unifrac_scores(predicted: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    """Return R² and Pearson's r of distances, (pairs,), which are 0 where these do not vary."""
    if not len(actual):
        return {}
    actual = actual.astype(np.float64)
    variance, error = actual.var(), np.square(predicted - actual).mean()
    explained = 1 - error / variance if variance else 0.0
    r = np.corrcoef(predicted, actual)[0, 1] if variance * predicted.var() else 0.0
    return {"unifrac_r": float(r), "unifrac_r2": float(explained)}

"""The losses, each a mean over what it predicts, 0 where there is nothing to predict."""

import torch
from torch import Tensor
from torch.nn import functional

from .encoders import scaled_log
from .heads.attention import ordered_quantiles

_FIRST, _LAST, _MASK = 1, 4, 6  # tokens A and T, and MASK
HIDDEN_SHARE = 0.15


def unifrac_loss(predicted: Tensor, actual: Tensor) -> Tensor:
    """Mean squared error over pairs i < j of (B, B) matrices; one sample alone gives 0."""
    row, column = torch.triu_indices(len(actual), len(actual), 1, device=actual.device)
    if not len(row):
        return predicted.sum() * 0
    return functional.mse_loss(predicted[row, column], actual[row, column])


def hide_nucleotides(tokens: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    """Mask nucleotides where `draw` (M, 1 + L), uniform in [0, 1), is below the share.

    Return the masked tokens and which are, (M, 1 + L) each: never START, padding or unknown ones.
    """
    hidden = (tokens >= _FIRST) & (tokens <= _LAST) & (draw < HIDDEN_SHARE)
    return tokens.masked_fill(hidden, _MASK), hidden


def nucleotide_loss(logits: Tensor, tokens: Tensor, hidden: Tensor) -> Tensor:
    """Cross-entropy of the hidden nucleotides: (M, L, 4) logits, (M, 1 + L) tokens."""
    wanted = hidden[:, 1:]
    truth = (tokens[:, 1:].long() - _FIRST) * wanted
    each = functional.cross_entropy(logits.transpose(1, 2), truth, reduction="none")
    return (each * wanted).sum() / wanted.sum().clamp_min(1)


def hide_abundances(abundances: Tensor, draw: Tensor) -> Tensor:
    """Choose which of the abundances (B, S) the model must predict without seeing them."""
    return (abundances > 0) & (draw < HIDDEN_SHARE)


def abundance_loss(predicted: Tensor, abundances: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared error of hidden scaled log abundances, all (B, S)."""
    error = (predicted - scaled_log(abundances)).square() * hidden
    return error.sum() / hidden.sum().clamp_min(1)


def regression_loss(raw: Tensor, actual: Tensor, loss: str, quantile_range: float) -> Tensor:
    """Mean loss of the outputs of the attention head, of scaled targets (B,).

    ``huber`` (quadratic up to half a unit), ``mae`` and ``mse`` of (B, 1); ``quantile`` of (B, 3),
    whose outer two are to hold `quantile_range` of the true values. See Huber 1964, "Robust
    estimation of a location parameter"; Koenker and Bassett 1978, "Regression quantiles".
    """
    if loss == "quantile":
        return pinball_loss(ordered_quantiles(raw), actual, quantile_range)
    if loss == "huber":
        return functional.huber_loss(raw[:, 0], actual, delta=0.5)
    return (functional.l1_loss if loss == "mae" else functional.mse_loss)(raw[:, 0], actual)


def pinball_loss(quantiles: Tensor, actual: Tensor, quantile_range: float) -> Tensor:
    """Mean pinball loss of a lower bound, the median and an upper bound, (B, 3)."""
    low = (1 - quantile_range) / 2
    levels = torch.tensor([low, 0.5, 1 - low], dtype=quantiles.dtype, device=quantiles.device)
    error = actual[:, None] - quantiles
    return torch.maximum(levels * error, (levels - 1) * error).mean()


def classification_loss(logits: Tensor, actual: Tensor, weights: Tensor) -> Tensor:
    """Mean cross-entropy of logits (B, C), each sample by its weight (B,)."""
    each = functional.cross_entropy(logits, actual, reduction="none")
    return (weights * each).sum() / weights.sum()

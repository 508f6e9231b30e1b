"""From what a reader computes to what it says: a number, a range around it, or class shares."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def numbers(raw: Tensor) -> Tensor:
    """Take scaled numbers as they are."""
    return raw


def ordered_quantiles(raw: Tensor) -> Tensor:
    """Turn (B, 3) into a lower bound, the median and an upper bound, which cannot cross."""
    below, median, above = raw.unbind(dim=1)
    return torch.stack(
        [median - functional.softplus(below), median, median + functional.softplus(above)], dim=1
    )


def probabilities(raw: Tensor) -> Tensor:
    """Turn logits (B, C) into probabilities of the classes."""
    return torch.softmax(raw, dim=1)


def shares(raw: Tensor) -> Tensor:
    """Turn a linear reader's estimates of class probabilities (B, C) into probabilities.

    Least squares on indicators of the classes estimates probabilities that sum to 1, but may be
    below 0 or above 1.
    """
    positive = raw.clamp_min(0)
    return positive / positive.sum(dim=1, keepdim=True).clamp_min(1e-12)

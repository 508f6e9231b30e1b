"""Judge an encoder on organisms that it has not learned from."""

from __future__ import annotations

import numpy as np
import torch
from reference import PRIMERS, Reference

from q2_aam.model.network import Network
from q2_aam.training.references import References, clade_log_odds

READS = (("515F", 100), ("515F", 150), ("515F", 250), ("341F", 400), ("27F", 250))


@torch.no_grad()
def judge_clades(
    network: Network, references: References, reference: Reference, left_out: dict[str, np.ndarray]
) -> dict[str, float]:
    """Print and return how well clades are found in reads of organisms that were left out.

    Precision, recall and the error of calibration: the mean distance between probability and share
    of clades that are there, over ten bins of probability above 0.01.
    """
    scores = {}
    for what, rows in left_out.items():
        for primer, length in READS:
            begin = reference.primers[rows, list(PRIMERS).index(primer), 1]
            some = (begin >= 0) & (begin + length <= reference.lengths[rows])
            if some.sum() < 20:
                continue
            parts = np.array_split(np.flatnonzero(some), 16)
            odds = torch.cat(
                [
                    clade_log_odds(network, references.reads(rows[part], begin[part], length))
                    for part in parts
                ]
            )
            found = clade_scores(odds, references.targets(rows[some]) > 0)
            print(
                f"  {what}, {length} nt from {primer}: "
                + ", ".join(f"{name} {value:.3f}" for name, value in found.items())
                + f" ({some.sum():,} organisms)",
                flush=True,
            )
            scores |= {f"{what} {primer} {length} {name}": round(x, 4) for name, x in found.items()}
    return scores


def clade_scores(odds: torch.Tensor, truth: torch.Tensor) -> dict[str, float]:
    """Score log-odds against the truth, both (B, K)."""
    said = odds > 0
    hits = float((said & truth).sum())
    probability = torch.sigmoid(odds)
    wrong = counted = 0.0
    for low in np.linspace(0, 0.9, 10):
        inside = (probability > max(low, 0.01)) & (probability <= low + 0.1)
        number = float(inside.sum())
        if number:
            gap = probability[inside].mean() - truth[inside].float().mean()
            wrong, counted = wrong + number * abs(float(gap)), counted + number
    return {
        "precision": hits / max(float(said.sum()), 1),
        "recall": hits / float(truth.sum()),
        "calibration error": wrong / max(counted, 1),
    }

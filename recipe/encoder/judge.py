"""Judge an encoder on organisms that it has not learned from."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import torch
from reference import PRIMERS, Reference, leave_out

from q2_aam.data.phylogeny import unweighted_unifrac
from q2_aam.data.study import build_studies
from q2_aam.data.table import SampleTable
from q2_aam.data.tokens import START, detokenize
from q2_aam.inference import all_states, predict_distances
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
    predicted = odds > 0
    hits = float((predicted & truth).sum())
    probability = torch.sigmoid(odds)
    wrong = counted = 0.0
    for low in np.linspace(0, 0.9, 10):
        inside = (probability > max(low, 0.01)) & (probability <= low + 0.1)
        number = float(inside.sum())
        if number:
            gap = probability[inside].mean() - truth[inside].float().mean()
            wrong, counted = wrong + number * abs(float(gap)), counted + number
    return {
        "precision": hits / max(float(predicted.sum()), 1),
        "recall": hits / float(truth.sum()),
        "calibration error": wrong / max(counted, 1),
    }


def judge_communities(network: Network, reference: Reference, samples: int = 100) -> dict:
    """Read communities of left-out organisms by V4, by V3-V4 and half by each.

    The communities of a sample are drawn from a few branches of the tree, so that some are alike.
    """
    _, tips, families = leave_out(reference, 0.02, 0)
    begin = reference.primers[:, [list(PRIMERS).index(name) for name in ("515F", "341F")], 1]
    usable = (tips | families) & (begin >= 0).all(axis=1)
    usable &= begin.max(axis=1) + 400 <= reference.lengths
    rows = np.flatnonzero(usable)
    rows = rows[np.argsort(reference.nodes[rows])]  # neighbors in the tree
    random, counts = np.random.default_rng(0), np.zeros((samples, len(rows)), np.float32)
    for sample in counts:
        for _ in range(4):
            start = random.integers(0, len(rows) - 200)
            sample[start + random.choice(200, 20, replace=False)] = 1
    held = scipy.sparse.csr_matrix(counts)
    truth = unweighted_unifrac(reference.phylogeny, reference.nodes[rows], held)
    reads = []
    for site, length in ((0, 250), (1, 400)):
        window = reference.tokens[rows[:, None], begin[rows, site, None] + np.arange(length)]
        reads.append(detokenize(np.pad(window, ((0, 0), (1, 0)), constant_values=START)))
    scores = {
        name: agreement(predicted_distances(network, dna, held), truth)
        for name, dna in zip(("V4", "V3-V4"), reads, strict=True)
    }
    # every second sample read by the other primer: its ASVs are other ones
    half = np.arange(samples) % 2
    both = scipy.sparse.hstack(
        [scipy.sparse.csr_matrix(counts * (half == site)[:, None]) for site in (0, 1)]
    ).tocsr()
    scores["mixed"] = agreement(predicted_distances(network, reads[0] + reads[1], both), truth)
    return scores


def predicted_distances(network: Network, sequences: list[str], held) -> np.ndarray:
    """Predict the distances between samples, as predict-distances does."""
    # features keep their place: equal cut reads are one ASV
    named = {f"f{number}": dna for number, dna in enumerate(sequences)}
    samples = tuple(f"s{row:06}" for row in range(held.shape[0]))
    table = SampleTable(samples, tuple(named), held.astype(np.float64).tocsr())
    config = network.config
    studies = build_studies([table], named, config.max_sequence_length, config.max_asvs)
    everything = np.arange(len(samples))
    parts = network.parts_for(distances=True, target=False)
    state = all_states(network, studies, 0, everything, parts=parts)
    return predict_distances(network, state, studies.studies[0].abundances)


def agreement(distance: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Score predicted distances over all pairs: Pearson's r, R², and how far their mean is off."""
    pairs = np.triu_indices(len(truth), 1)
    predicted, true = distance[pairs].astype(float), truth[pairs].astype(float)
    error = np.square(predicted - true).sum() / np.square(true - true.mean()).sum()
    r, bias = np.corrcoef(predicted, true)[0, 1], (predicted - true).mean()
    return {"r": float(r), "R2": float(1 - error), "bias": float(bias)}

"""Batches: distinct ASVs, and samples as indices into them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .study import Studies, Study
from .tokens import Asvs


@dataclass(frozen=True)
class Batch:
    """Some samples of one study; each distinct ASV stands in it once."""

    samples: np.ndarray  # int64 (batch,): positions in the study
    tokens: np.ndarray | None  # uint8 (distinct, longest); None if embeddings come from elsewhere
    asvs: np.ndarray  # int64 (distinct,): positions among all ASVs
    index: np.ndarray  # int64 (batch, slots): positions in `asvs`, 0 in empty slots
    abundances: np.ndarray  # float32 (batch, slots): relative, 0 in empty slots
    distances: np.ndarray | None  # float32 (batch, batch)
    known: np.ndarray | None  # int64 (distinct,): rows in the model's vocabulary
    covariates: np.ndarray | None  # float32 (batch, inputs)


def epoch_order(
    samples_of_study: list[np.ndarray], batch_size: int, seed: int, epoch: int
) -> list[tuple[int, np.ndarray]]:
    """Shuffle the samples of every study into batches, and the batches among the studies.

    Returns pairs of a study and positions of its samples: a pure function of seed and epoch. A
    batch holds one study only, as distances are compared within a study; batches of a study differ
    by at most one sample, so that none is a mere remainder.
    """
    random = np.random.default_rng([seed, epoch, 0x0DE5])
    batches = []
    for study, samples in enumerate(samples_of_study):
        if len(samples):
            number = -(-len(samples) // batch_size)
            parts = np.array_split(random.permutation(samples), number)
            batches.extend((study, part) for part in parts)
    return [batches[position] for position in random.permutation(len(batches))]


def build_batch(studies: Studies, study: int, samples: np.ndarray, tokens: bool = True) -> Batch:
    """Collect what a batch holds of some samples, in their order; tokens only where needed."""
    one: Study = studies.studies[study]
    rows = one.abundances[samples]
    asvs, position = np.unique(rows.indices, return_inverse=True)
    sizes = np.diff(rows.indptr)
    filled = np.arange(sizes.max()) < sizes[:, None]
    index = np.zeros(filled.shape, dtype=np.int64)
    abundances = np.zeros(filled.shape, dtype=np.float32)
    index[filled] = position
    abundances[filled] = rows.data
    return Batch(
        samples=samples,
        tokens=asv_tokens(studies.asvs, asvs) if tokens else None,
        asvs=asvs.astype(np.int64),
        index=index,
        abundances=abundances,
        distances=one.distances.block(samples) if one.distances is not None else None,
        known=studies.known[asvs] if studies.known is not None else None,
        covariates=one.covariates[samples] if one.covariates is not None else None,
    )


def asv_tokens(asvs: Asvs, chosen: np.ndarray) -> np.ndarray:
    """Return the tokens of some ASVs, cut after the longest of them."""
    return asvs.tokens[chosen, : 1 + asvs.lengths[chosen].max()]

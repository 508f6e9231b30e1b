"""Batches: distinct ASVs, and samples as indices into them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .study import Studies, Study
from .tokens import Asvs


@dataclass(frozen=True)
class Batch:
    """Some samples of one study; each distinct ASV stands in it once.

    Attributes
    ----------
    samples : ndarray of int64, (batch,)
        Positions in the study.
    tokens : ndarray of uint8, (distinct, longest), or None
        Of the distinct ASVs, or None if embeddings come from elsewhere.
    asvs : ndarray of int64, (distinct,)
        Their positions among all ASVs.
    index : ndarray of int64, (batch, slots)
        Position in `asvs` of each sample's ASVs, 0 in empty slots.
    abundances : ndarray of float32, (batch, slots)
        Relative abundances, 0 in empty slots.
    distances : ndarray of float32, (batch, batch), or None
    known : ndarray of int64, (distinct,), or None
        Row of each distinct ASV among those that the model knows by identity.
    covariates : ndarray of float32, (batch, inputs), or None
    """

    samples: np.ndarray
    tokens: np.ndarray | None
    asvs: np.ndarray
    index: np.ndarray
    abundances: np.ndarray
    distances: np.ndarray | None
    known: np.ndarray | None
    covariates: np.ndarray | None


def epoch_order(
    samples_of_study: list[np.ndarray], batch_size: int, seed: int, epoch: int
) -> list[tuple[int, np.ndarray]]:
    """Shuffle the samples of every study into batches, and the batches among the studies.

    Parameters
    ----------
    samples_of_study : list of ndarray of int64
        For each study, the positions of its training samples.
    batch_size : int
    seed, epoch : int
        The order is a pure function of both.

    Returns
    -------
    list of (study, samples)
        Every sample once. A batch holds one study only, as distances are compared within a
        study; batches of a study differ by at most one sample, so that none is a mere remainder.
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
    """Collect the samples' distinct ASVs, indices, abundances and distances.

    Parameters
    ----------
    studies : Studies
    study : int
        Which study.
    samples : ndarray of int64
        Positions in it; their order is the batch's order everywhere.
    tokens : bool
        Whether the ASVs' tokens are needed.

    Returns
    -------
    Batch
    """
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

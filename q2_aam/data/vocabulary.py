"""The vocabulary of a model: the ASVs that it knows by identity, beside reading their DNA."""

import dataclasses

import numpy as np

from ..config.model import KNOWN_ASVS
from ..errors import AAMError, counted
from .matching import Vocabulary
from .study import Studies, Study
from .tokens import detokenize

PREVALENCE = 0.01
MOST_KNOWN = 8192
_MEAN = "target_head.scaling.vocabulary.mean"  # of log abundances in training


def know_prevalent_asvs(
    studies: Studies, samples: np.ndarray, max_sequence_length: int
) -> tuple[Studies, np.ndarray]:
    """Take the prevalent ASVs of the only study as the vocabulary.

    Returns the studies, with each ASV's row there, and tokens (ASVs, 1 + max_sequence_length).
    """
    prevalent = prevalent_asvs(studies.studies[0], samples)
    known = np.full(len(studies.asvs), len(prevalent), dtype=np.int64)
    known[prevalent] = np.arange(len(prevalent))
    tokens = np.zeros((len(prevalent), 1 + max_sequence_length), dtype=np.uint8)
    tokens[:, : studies.asvs.tokens.shape[1]] = studies.asvs.tokens[prevalent]
    return dataclasses.replace(studies, known=known), tokens


def prevalent_asvs(study: Study, samples: np.ndarray) -> np.ndarray:
    """Find the ASVs, `MOST_KNOWN` at most, that are in at least 1 % of some samples; ascending."""
    held_by = study.abundances[samples].getnnz(axis=0)
    found = np.flatnonzero(held_by >= max(1.0, PREVALENCE * len(samples)))
    most = found[np.argsort(-held_by[found], kind="stable")[:MOST_KNOWN]]
    return np.sort(most)


def recognized_of_others(study: Study, samples: np.ndarray, folds: list[np.ndarray]) -> float:
    """Return the mean share of reads of samples, in folds, that the other folds' vocabulary has."""
    shares = []
    for fold in folds:
        known = prevalent_asvs(study, np.delete(samples, fold))
        shares.append(np.asarray(study.abundances[samples[fold]][:, known].sum(axis=1)).ravel())
    return float(np.mean(np.concatenate(shares)))


def read_vocabulary(arrays: dict[str, np.ndarray]) -> Vocabulary:
    """Return the vocabulary of a fitted model's tensors; AAMError if an ASV stands there twice."""
    if not len(arrays[KNOWN_ASVS]):  # the model reads clades only
        return Vocabulary([], np.zeros(0))
    sequences = detokenize(arrays[KNOWN_ASVS])
    repeated = len(sequences) - len(set(sequences))
    if repeated:
        raise AAMError(
            f"The model knows {counted(repeated, 'ASV')} twice: its artifact is damaged or was "
            "changed by hand. Get it again from where it came, or fit it again."
        )
    # means of logarithms rank ASVs as mean abundances do
    return Vocabulary(sequences, np.expm1(9.21 * arrays[_MEAN].astype(np.float64)))

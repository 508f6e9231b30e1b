"""ASVs that a model knows by identity, beside reading their DNA."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from ..errors import AAMError, counted
from .study import Studies, Study
from .tokens import Asvs

PREVALENCE = 0.01
MOST_KNOWN = 8192


def know_prevalent_asvs(
    studies: Studies, samples: np.ndarray, max_sequence_length: int
) -> tuple[Studies, np.ndarray]:
    """Let a model know the prevalent ASVs of the only study by identity.

    Returns
    -------
    studies : Studies
        With the row of each ASV among the known ones.
    tokens : ndarray of uint8, (known, 1 + max_sequence_length)
    """
    prevalent = prevalent_asvs(studies.studies[0], samples)
    tokens = padded_tokens(studies.asvs, prevalent, 1 + max_sequence_length)
    return dataclasses.replace(studies, known=match_asvs(studies.asvs, tokens)), tokens


def prevalent_asvs(study: Study, samples: np.ndarray) -> np.ndarray:
    """Find the ASVs that are in at least 1 % of some samples.

    Parameters
    ----------
    study : Study
    samples : ndarray of int64
        Positions of the training samples.

    Returns
    -------
    ndarray of int64
        Positions among all ASVs, ascending; at most the `MOST_KNOWN` most prevalent ones.
    """
    held_by = study.abundances[samples].getnnz(axis=0)
    found = np.flatnonzero(held_by >= max(1.0, PREVALENCE * len(samples)))
    most = found[np.argsort(-held_by[found], kind="stable")[:MOST_KNOWN]]
    return np.sort(most)


def match_asvs(asvs: Asvs, known: np.ndarray) -> np.ndarray:
    """Find ASVs among the known ones, by their tokens.

    Parameters
    ----------
    asvs : Asvs
    known : ndarray of uint8, (known, width)
        Tokens, padded to any width.

    Returns
    -------
    ndarray of int64, (asvs,)
        Row in `known`, or ``len(known)`` for an ASV that is not known.

    Raises
    ------
    AAMError
        If a known ASV stands there twice.
    """
    index = pd.Index(_as_bytes(known))
    if not index.is_unique:
        raise AAMError(
            f"The model knows {counted(int(index.duplicated().sum()), 'ASV')} twice: its artifact "
            "is damaged or was changed by hand. Get it again from where it came, or fit it again."
        )
    rows = index.get_indexer(_as_bytes(asvs.tokens))
    return np.where(rows < 0, len(known), rows).astype(np.int64)


def padded_tokens(asvs: Asvs, chosen: np.ndarray, width: int) -> np.ndarray:
    """Return the tokens of some ASVs, (chosen, width)."""
    tokens = np.zeros((len(chosen), width), dtype=np.uint8)
    tokens[:, : asvs.tokens.shape[1]] = asvs.tokens[chosen]
    return tokens


def _as_bytes(tokens: np.ndarray) -> np.ndarray:
    """One byte string a row; padding is 0 and falls off at the end, whatever the width."""
    return np.ascontiguousarray(tokens).view(f"S{tokens.shape[1]}").ravel()

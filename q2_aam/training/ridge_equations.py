"""Weighted ridge regression, solved while no more than a block of the samples is held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import scipy.linalg
from scipy.linalg.blas import dsyrk

_ROWS_AT_ONCE = 1024  # fewer waste time on the large matrix that they are added to


def solve(
    blocks: Iterable[np.ndarray],
    columns: int,
    values: np.ndarray,
    sample_weights: np.ndarray,
    penalty: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Solve weighted ridge regression with an intercept that is not penalised.

    Parameters
    ----------
    blocks : iterable of ndarray of float64, (some samples, columns)
        The features of all samples, in order.
    columns : int
    values : ndarray of float64, (samples, outputs)
    sample_weights : ndarray of float64, (samples,)
    penalty : float
        To be multiplied by the number of samples.

    Returns
    -------
    weights : ndarray of float64, (columns, outputs)
    intercept : ndarray of float64, (outputs,)
    """
    intercept = np.average(values, axis=0, weights=sample_weights)
    root = np.sqrt(sample_weights)[:, None]
    wanted = root * (values - intercept)
    # both give the same weights; few samples take less time, and little more memory, by their own
    # products
    by_samples = len(values) <= 3 * columns // 4
    solve_by = _solve_by_samples if by_samples else _solve_by_columns
    weights, mean = solve_by(blocks, columns, wanted, root, penalty * len(values))
    return weights, intercept - mean @ weights


def _solve_by_samples(
    blocks: Iterable[np.ndarray], columns: int, wanted: np.ndarray, root: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Solve by the products of all samples, (samples, samples)."""
    features, filled = np.empty((len(wanted), columns)), 0
    for block in blocks:
        features[filled : filled + len(block)] = block
        filled += len(block)
    mean = np.average(features, axis=0, weights=root[:, 0] ** 2)
    features -= mean
    features *= root
    products = features @ features.T
    products[np.diag_indices_from(products)] += penalty
    # symmetric, and its transpose lies in memory as LAPACK needs it to work in place
    factor = scipy.linalg.cho_factor(products.T, lower=True, overwrite_a=True, check_finite=False)
    return features.T @ scipy.linalg.cho_solve(factor, wanted), mean


def _solve_by_columns(
    blocks: Iterable[np.ndarray], columns: int, wanted: np.ndarray, root: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Solve the normal equations, (columns, columns), to which each block adds its products."""
    products = np.zeros((columns, columns), order="F")  # its lower triangle, changed in place
    of_values, sums, done = np.zeros((columns, wanted.shape[1])), np.zeros(columns), 0
    for block in _of_many_rows(blocks):
        rows = slice(done, done + len(block))
        done += len(block)
        weighted = root[rows] * block
        products = dsyrk(1.0, weighted.T, beta=1.0, c=products, lower=1, overwrite_c=1)
        of_values += weighted.T @ wanted[rows]
        sums += root[rows, 0] @ weighted
    total = float(np.square(root).sum())
    mean = sums / total
    products = dsyrk(-total, mean[:, None], beta=1.0, c=products, lower=1, overwrite_c=1)
    products[np.diag_indices_from(products)] += penalty
    factor = scipy.linalg.cho_factor(products, lower=True, overwrite_a=True, check_finite=False)
    return scipy.linalg.cho_solve(factor, of_values), mean


def _of_many_rows(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Join blocks, in order, to blocks of at least so many rows."""
    waiting, rows = [], 0
    for block in blocks:
        waiting.append(block)
        rows += len(block)
        if rows >= _ROWS_AT_ONCE:
            yield np.concatenate(waiting)
            waiting, rows = [], 0
    if waiting:
        yield np.concatenate(waiting)

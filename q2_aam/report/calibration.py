"""Calibration: whether probabilities mean what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd

MOST_BINS = 10
SAMPLES_PER_BIN = 12
_NORMAL_95 = 1.959964


def calibration_bins(probability: np.ndarray, happened: np.ndarray) -> pd.DataFrame:
    """Compare probabilities with how often things happened, in bins of equally many samples.

    Parameters
    ----------
    probability : np.ndarray of shape (samples,)
    happened : np.ndarray of bool, shape (samples,)

    Returns
    -------
    pd.DataFrame
        Index: bin (``id``). Columns: samples, probability (mean), share (that happened), lower and
        upper (95 % interval of the share, samples taken as independent: Wilson, Journal of the
        American Statistical Association 22, 1927). Equal probabilities are never divided.
    """
    n_bins = int(np.clip(len(probability) // SAMPLES_PER_BIN, 1, MOST_BINS))
    edges = np.unique(np.quantile(probability, np.arange(1, n_bins) / n_bins))
    places = np.searchsorted(edges, probability, side="right")
    by_bin = pd.DataFrame({"probability": probability, "share": happened.astype(float)})
    table = by_bin.groupby(places).mean()
    table.insert(0, "samples", by_bin.groupby(places).size())
    table["lower"], table["upper"] = wilson_interval(table["share"], table["samples"])
    table.index = pd.Index([f"bin {place}" for place in range(1, len(table) + 1)], name="id")
    return table


def wilson_interval(share, samples):
    """Return the ends of the 95 % Wilson score interval of a share of so many samples."""
    squared = _NORMAL_95**2
    centre = (share + squared / (2 * samples)) / (1 + squared / samples)
    half = _NORMAL_95 * np.sqrt(share * (1 - share) / samples + squared / (4 * samples**2))
    half = half / (1 + squared / samples)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def calibration_error(bins: pd.DataFrame) -> float:
    """Return the mean distance between probability and share, bins weighted by their samples."""
    return float(np.average((bins["probability"] - bins["share"]).abs(), weights=bins["samples"]))

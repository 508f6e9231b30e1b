"""Samples whose age or diet a few planted ASVs decide, among many that decide nothing."""

from dataclasses import replace

import numpy as np
import pandas as pd
import qiime2
from simulated_study import SimulatedStudy, simulate_study

PLANTED = 10


def plant_asvs(samples: int = 300, asvs: int = 60, seed: int = 0):
    """Draw samples whose ages follow from the log abundances of some ASVs.

    Returns the study, and by how much a standard deviation of each planted ASV raises the age.
    """
    random = np.random.default_rng([seed, 7])
    base = simulate_study(samples, asvs, seed)
    prevalence = np.clip(random.beta(1.2, 2.8, asvs), 0.02, 0.8)
    chosen = random.choice(np.flatnonzero(prevalence > 0.15), PLANTED, replace=False)
    level = random.normal(0, 1, asvs) + 2.5
    counts = random.poisson(np.exp(level + random.normal(0, 1, (samples, asvs))))
    counts = counts * (random.random((samples, asvs)) < prevalence)
    counts[:, 0] += counts.sum(axis=1) == 0
    counts[0] += counts.sum(axis=0) == 0
    seen = np.log1p(1e4 * counts[:, chosen] / counts.sum(axis=1, keepdims=True))
    weights = random.choice([-1, 1], PLANTED) * random.uniform(0.7, 1.3, PLANTED)
    ages = (seen - seen.mean(axis=0)) / seen.std(axis=0) @ weights
    ages = 30 + 5 * ages / ages.std() + random.normal(0, 1, samples)
    counts = pd.DataFrame(counts.astype(float), base.counts.index, base.counts.columns)
    study = replace(base, counts=counts, ages=pd.Series(ages, counts.index, name="age"))
    return study, pd.Series(5 * weights, counts.columns[chosen])


def halves(study: SimulatedStudy) -> qiime2.CategoricalMetadataColumn:
    """Call the older half of the samples old."""
    old = np.where(study.ages > study.ages.median(), "old", "young")
    return qiime2.CategoricalMetadataColumn(pd.Series(old, study.ages.index, name="diet"))

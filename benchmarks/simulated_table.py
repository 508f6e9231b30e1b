"""A made-up study of a given size: ASVs evolved down a tree, samples that favour some clades.

How often samples share ASVs decides what reading each ASV once can save. The spread of
prevalences is set so that 8 samples hold each of their ASVs 2.1 times, as in a real table
with as many occurrences of an ASV; in real tables the number lay between 1.4 and 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from q2_aam.data.distances import Distances
from q2_aam.data.study import Studies, build_studies
from q2_aam.data.table import SampleTable
from q2_aam.data.vocabulary import know_prevalent_asvs

LETTERS = np.frombuffer(b"ACGT", dtype=np.uint8)
SUBSTITUTIONS = 2.0  # mean number on a branch of the tree
PREVALENCE_SPREAD = 1.5  # standard deviation of the ASVs' log preference
CLADE_SPREAD = 1.0  # how much samples differ in the clades that they favour
CLADES = 20


@dataclass(frozen=True)
class SimulatedStudy:
    """One study and what a model needs to be fitted to it.

    Attributes
    ----------
    studies : Studies
        One study, with distances and with the ASVs that a regressor knows by identity.
    known : ndarray of uint8, (known, 1 + length)
        Tokens of these ASVs.
    targets : ndarray of float32, (samples,)
        A number of each sample, scaled to mean 0 and variance 1.
    """

    studies: Studies
    known: np.ndarray
    targets: np.ndarray

    @property
    def occurrences(self) -> int:
        """Number of pairs of a sample and an ASV that it holds."""
        return self.studies.studies[0].abundances.nnz


def simulate_study(
    samples: int = 200,
    asvs: int = 1500,
    length: int = 150,
    richness: tuple[int, int] = (100, 300),
    seed: int = 0,
    shortest: int | None = None,
) -> SimulatedStudy:
    """Evolve ASVs and draw samples.

    Parameters
    ----------
    samples, asvs : int
        Numbers of them; every ASV is in at least one sample.
    length : int
        Nucleotides of an ASV.
    richness : tuple of int
        Fewest and most ASVs of a sample.
    seed : int
    shortest : int, optional
        Cuts ASVs to lengths drawn from this number to `length`.

    Returns
    -------
    SimulatedStudy
    """
    random = np.random.default_rng(seed)
    dna = evolve_sequences(asvs, length, random)
    if shortest is not None:
        ends = random.integers(shortest, length, asvs, endpoint=True)
        dna = [one[:end] for one, end in zip(dna, ends, strict=True)]
    counts = draw_counts(samples, asvs, richness, random)
    ids = tuple(f"sample{number:06d}" for number in range(samples))
    distances = Distances(jaccard_distances(counts), np.arange(samples))
    table = SampleTable(ids, tuple(dna), counts)
    studies = build_studies([table], None, length, richness[1], [distances])
    studies, known = know_prevalent_asvs(studies, np.arange(samples), length)
    return SimulatedStudy(studies, known, random.standard_normal(samples).astype(np.float32))


def evolve_sequences(number: int, length: int, random: np.random.Generator) -> list[str]:
    """Evolve distinct sequences down a random tree; neighbors in the list are relatives."""
    leaves: dict[str, None] = {}
    waiting = [(random.choice(LETTERS, length), number)]
    while waiting:
        letters, below = waiting.pop()
        letters = _mutate(letters, 1 + random.poisson(SUBSTITUTIONS - 1), random)
        if below > 1:
            left = int(random.integers(1, below))
            waiting += [(letters, left), (letters, below - left)]
            continue
        while (sequence := letters.tobytes().decode("ascii")) in leaves:
            letters = _mutate(letters, 1, random)
        leaves[sequence] = None
    return list(leaves)


def _mutate(letters: np.ndarray, times: int, random: np.random.Generator) -> np.ndarray:
    changed = letters.copy()
    changed[random.integers(len(letters), size=times)] = random.choice(LETTERS, times)
    return changed


def draw_counts(
    samples: int, asvs: int, richness: tuple[int, int], random: np.random.Generator
) -> scipy.sparse.csr_matrix:
    """Draw which ASVs each sample holds, and log-normal read counts: (samples, asvs)."""
    prevalence = PREVALENCE_SPREAD * random.standard_normal(asvs)
    clade = np.arange(asvs) * CLADES // asvs
    home = np.arange(asvs) % samples  # the sample that holds an ASV in any case
    random.shuffle(home)
    columns, sizes = [], []
    for sample in range(samples):
        preference = prevalence + CLADE_SPREAD * random.standard_normal(CLADES)[clade]
        preference += random.gumbel(size=asvs)  # the largest of these are a weighted draw
        preference[home == sample] = np.inf
        sizes.append(int(random.integers(richness[0], richness[1] + 1)))
        columns.append(np.sort(np.argsort(-preference)[: sizes[-1]]))
    indices = np.concatenate(columns)
    counts = 1.0 + np.floor(random.lognormal(2.0, 1.5, len(indices)))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return scipy.sparse.csr_matrix((counts, indices, offsets), shape=(samples, asvs))


def jaccard_distances(counts: scipy.sparse.csr_matrix) -> np.ndarray:
    """Return 1 - shared / held by either, (samples, samples) float32."""
    held = (counts > 0).astype(np.float32)
    shared = (held @ held.T).toarray()
    sizes = np.diag(shared)
    return (1 - shared / (sizes[:, None] + sizes[None, :] - shared)).astype(np.float32)

"""Made-up ASVs, studies, tables and trees of a given size, as real as speed and memory need.

ASVs evolve down a tree, and samples favor some of its clades. How often samples share ASVs decides
what reading each ASV once can save: in `simulate_study`, 8 samples hold each of their ASVs 2.1
times, as in a real table with as many occurrences (others lay between 1.4 and 3.3). In `draw_table`
most ASVs are rare, as in real tables: a larger study adds ASVs, but fewer than samples.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch

from q2_aam.data.distances import Distances
from q2_aam.data.study import Studies, build_studies
from q2_aam.data.table import SampleTable
from q2_aam.data.vocabulary import know_prevalent_asvs
from q2_aam.model.heads.blend import TargetHead

LETTERS = np.frombuffer(b"ACGT", dtype=np.uint8)
SUBSTITUTIONS = 2.0  # mean number on a branch of the tree
PREVALENCE_SPREAD = 1.5  # standard deviation of the ASVs' log preference
CLADES, CLADE_SPREAD = 20, 1.0  # how much samples differ in the clades that they favor
LENGTH, RICHNESS = 150, (100, 300)  # of an ASV; ASVs of a sample
ASVS_OF_1000, GROWTH = 4000, 0.6  # ASVs of 1,000 samples, and the power that they grow by
COMMON = 20  # so many ASVs are about equally common; the others follow Zipf's law
TREES = 150  # fit-regressor's default


@dataclass(frozen=True)
class SimulatedStudy:
    """A study with distances, tokens of the ASVs that a regressor knows, and scaled targets."""

    studies: Studies
    known: np.ndarray
    targets: np.ndarray


def simulate_study(
    samples: int = 200, asvs: int = 1500, length: int = LENGTH,
    richness: tuple[int, int] = RICHNESS, shortest: int | None = None,
) -> SimulatedStudy:  # fmt: skip
    """Evolve ASVs, each held by a sample or more, and draw samples; `shortest` cuts at random."""
    random = np.random.default_rng(0)
    dna = evolve_sequences(asvs, length, random)
    if shortest is not None:
        ends = random.integers(shortest, length, asvs, endpoint=True)
        dna = [one[:end] for one, end in zip(dna, ends, strict=True)]
    prevalence = PREVALENCE_SPREAD * random.standard_normal(asvs)
    counts = draw_counts(prevalence, samples, richness, random)
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


def draw_counts(prevalence: np.ndarray, samples: int, richness: tuple[int, int], random):
    """Draw which ASVs each sample holds, and log-normal read counts: sparse (samples, ASVs)."""
    asvs = len(prevalence)
    clade = np.arange(asvs) * CLADES // asvs
    home = np.arange(asvs) % samples  # the sample that holds an ASV in any case
    random.shuffle(home)
    home = np.split(np.argsort(home), np.searchsorted(np.sort(home), np.arange(1, samples)))
    columns, sizes = [], []
    for sample in range(samples):
        preference = prevalence + CLADE_SPREAD * random.standard_normal(CLADES)[clade]
        preference += random.gumbel(size=asvs)  # the largest of these are a weighted draw
        preference[home[sample]] = np.inf
        sizes.append(int(random.integers(richness[0], richness[1] + 1)))
        columns.append(np.sort(np.argpartition(-preference, sizes[-1])[: sizes[-1]]))
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


def draw_table(samples: int) -> tuple[scipy.sparse.csr_matrix, list[str]]:
    """Draw a table of thousands of samples and of mostly rare ASVs: counts (samples, ASVs), DNA."""
    random = np.random.default_rng([0, samples])
    number = round(ASVS_OF_1000 * (samples / 1000) ** GROWTH)
    dna = evolve_sequences(number, LENGTH, random)
    rarity = np.log(random.permutation(number) + COMMON)
    return draw_counts(-rarity, samples, RICHNESS, random), dna


def fill_trees(head: TargetHead) -> None:
    """Fill a target head's forest with complete binary trees: what they cost depends on no data."""
    trees, nodes, outputs = head.forest.value.shape
    random = np.random.default_rng(0)
    children = 2 * np.arange(nodes) + 1
    splits = children + 1 < nodes
    tables = {
        "feature": random.integers(0, len(head.vocabulary), (trees, nodes)),
        "threshold": np.where(splits, random.uniform(0, 5, (trees, nodes)), 1e30),
        "child": np.tile(np.where(splits, children, np.arange(nodes)), (trees, 1)),
        "value": random.standard_normal((trees, nodes, outputs)),
    }
    head.forest.load_state_dict({name: torch.from_numpy(one) for name, one in tables.items()})

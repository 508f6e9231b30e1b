"""Inputs of every kind, as a hurried or unlucky user gives them: two in three are sound."""

import functools
import hashlib

import biom
import numpy as np
import pandas as pd
import qiime2
import skbio
from simulated_study import distances_artifact, sequences_artifact, table_artifact
from trials import pick

ODD_NUMBERS = [np.nan, np.inf, -np.inf, 1e308, -1e308, 1e-320, -1.0, 0.0]
ODD_WORDS = ["NA", "nan", "", " ", "0", "x" * 100, "<b>", "🦠"]


# Each changes the names or the order of rows, or which there are.
def renamed(change):
    return lambda frame, random: frame.set_axis([change(name) for name in frame.index])


def some(frame, random):
    return frame.iloc[random.permutation(len(frame))[: random.integers(1, len(frame) + 1)]]


def shuffled(frame, random):
    return frame.iloc[random.permutation(len(frame))]


ROWS = [
    *[lambda frame, random: frame] * 2, some, shuffled, renamed(str.lower),
    *(renamed(change.format) for change in ("1.{}", "{}-x", "0{}")),
]  # fmt: skip


def change_rows(frame, random):
    return pick(random, ROWS)(frame, random).copy().rename_axis("id")


def places(values, random):
    """Draw some places, now and then all."""
    number = pick(random, [1, 2, 7, len(values)])
    return random.integers(len(values), size=number)


def spoil_table(counts: pd.DataFrame, random) -> pd.DataFrame:
    """Change the rows, the values or the names of the features of a table."""
    counts = change_rows(counts, random)
    kind = int(random.integers(8))
    if kind == 0:
        counts.iloc[:, :] = 0
    elif kind == 1:
        counts.iloc[random.integers(len(counts))] = pick(random, [*ODD_NUMBERS, 0.5])
    elif kind == 2:
        counts = counts.set_axis([hashlib.md5(dna.encode()).hexdigest() for dna in counts], axis=1)
    elif kind == 3:
        cut = int(random.integers(1, 20))
        counts = counts.set_axis(
            [f"{name[:cut]}{'N' * place}" for place, name in enumerate(counts)], axis=1
        )
    elif kind == 4:
        counts = counts.iloc[:, : int(random.integers(1, 4))]
    elif kind == 5:
        counts = counts.iloc[: int(random.integers(0, 3))]
    return counts


def spoil_column(values: pd.Series, random) -> pd.Series:
    """Change the rows or the values of a metadata column."""
    values = change_rows(values, random)
    kind, where = int(random.integers(5)), places(values, random)
    if kind == 0:
        values.iloc[:] = values.iloc[0]
    elif kind == 1:
        values.iloc[where] = None
    elif kind == 2:
        values.iloc[where] = pick(random, ODD_WORDS if values.dtype == object else ODD_NUMBERS)
    elif kind == 3 and values.dtype == object:
        values.iloc[:] = [f"{name} of its own" for name in values.index]
    return values


def spoil_frame(frame: pd.DataFrame, random) -> pd.DataFrame:
    """Change the rows, the columns or the values of a table of numbers or words."""
    frame = change_rows(frame, random)
    kind = int(random.integers(4))
    if kind == 0:
        frame = frame.iloc[:, random.permutation(frame.shape[1])]
    elif kind == 1:
        frame = frame.iloc[:, : int(random.integers(1, frame.shape[1] + 1))]
    elif kind == 2:
        name = pick(random, list(frame))
        frame[name] = spoil_column(frame[name], random)
    return frame


def spoil_dna(dna: pd.Series, random) -> pd.Series:
    """Lose sequences, or make them another's, too short or no DNA that is known."""
    kind = int(random.integers(4))
    if kind == 0:
        return some(dna, random)
    if kind == 1:
        return dna.set_axis(list(dna.index[1:]) + ["another"])
    change = pick(random, ["N" * 30, "A", "ACGTRYKM" * 5])
    return dna.where(random.random(len(dna)) < 0.5, change)


class Inputs:
    """Draws the inputs of a call; each is either sound or spoiled in one way.

    `counts` (samples × ASVs) are named by their DNA; `rows` are metadata: age (a number), stage,
    sex, bmi; `matrix` has distances between the samples.
    """

    def __init__(self, counts, rows, matrix, random):
        self.counts, self.rows, self.square, self.random = counts, rows, matrix, random

    def drawn(self, sound, spoil):
        """Return something as it is, or spoiled."""
        return spoil(sound, self.random) if self.random.random() < 1 / 3 else sound

    def maybe(self, draw, chance: float = 0.4):
        """Draw an optional input, or none."""
        return draw() if self.random.random() < chance else None

    @functools.cached_property
    def _counts(self) -> pd.DataFrame:
        return self.drawn(self.counts, spoil_table)

    def table(self) -> qiime2.Artifact:
        """A table; the same whenever it is asked for."""
        counts = self._counts
        values = counts.to_numpy().T.astype(float)
        return table_artifact(biom.Table(values, list(counts), list(counts.index)))

    def sequences(self) -> qiime2.Artifact:
        """Sequences by the ids that the table has, or should have."""
        dna = pd.Series({name: name for name in self.counts})
        if self._counts.shape[1] == len(dna) and self.random.random() < 0.8:
            dna.index = list(self._counts)
        return sequences_artifact(self.drawn(dna, spoil_dna))

    def number(self, name: str = "age") -> qiime2.NumericMetadataColumn:
        values = self.drawn(self.rows[name], spoil_column).rename_axis("id")
        return qiime2.NumericMetadataColumn(values.astype(float))

    def words(self, name: str = "stage") -> qiime2.CategoricalMetadataColumn:
        return qiime2.CategoricalMetadataColumn(self.drawn(self.rows[name], spoil_column))

    def column(self) -> qiime2.MetadataColumn:
        return pick(self.random, [self.number, self.words])()

    def metadata(self) -> qiime2.Metadata:
        return qiime2.Metadata(self.drawn(self.rows, spoil_frame).rename_axis("id"))

    def covariates(self) -> dict:
        """The covariates of a fit, if any, and which columns to take."""
        if self.random.random() < 0.6:
            return {}
        names = self.drawn(["bmi", "sex"], lambda *_: ["stage", "sex", "nothing"])
        columns = pick(self.random, [*[names[:1], names, names[:2]] * 3, None])
        return {"covariates": self.metadata(), "covariate_columns": columns}

    def distances(self) -> qiime2.Artifact:
        """A distance matrix, whose values may be none of UniFrac."""

        def spoil(matrix, random):
            changed = change_rows(matrix, random)
            values = random.uniform(0, pick(random, [0, 1, 2]), (len(changed), len(changed)))
            values = np.triu(values, 1) + np.triu(values, 1).T
            return pd.DataFrame(values, changed.index, changed.index)

        matrix = self.drawn(self.square, spoil)
        return distances_artifact(skbio.DistanceMatrix(matrix.to_numpy(), list(matrix.index)))

    def phylogeny(self) -> qiime2.Artifact:
        """A rooted phylogeny with a tip for each sequence, or for some, or for others."""

        def spoil(names, random):
            return list(change_rows(pd.DataFrame(index=names), random).index)

        newick, *rest = self.drawn(list(self.counts), spoil)
        for name in rest:
            newick = f"({newick}:{self.random.random():.3f},{name}:0.1)"
        tree = skbio.TreeNode.read([f"{newick};"], convert_underscores=False)
        return qiime2.Artifact.import_data("Phylogeny[Rooted]", tree)

    def imported(self, kind: str, sound) -> qiime2.Artifact:
        """An artifact of sample data, from a column or a table that may be spoiled."""
        spoil = spoil_column if isinstance(sound, pd.Series) else spoil_frame
        return qiime2.Artifact.import_data(f"SampleData[{kind}]", self.drawn(sound, spoil))

"""Small studies evolved on a random tree, with real unweighted UniFrac, for the tests."""

import csv
import hashlib
import inspect
from dataclasses import dataclass, replace

import biom
import numpy as np
import pandas as pd
import qiime2
import skbio
from skbio.diversity.beta import unweighted_unifrac

from q2_aam.config.target import ClassificationTarget, RegressionTarget
from q2_aam.storage.model import read_model
from q2_aam.storage.training_log import read_training_log
from q2_aam.types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat

# scikit-bio 0.6 renamed the argument
TIPS = "taxa" if "taxa" in inspect.signature(unweighted_unifrac).parameters else "otu_ids"

# A model that trains in about a second.
TINY = {
    "pretrained": "none", "hidden_size": 16, "heads": 2, "branches": 32, "epochs": 2,
    "batch_size": 8, "threads": 1, "device": "cpu", "precision": "fp32",
}  # fmt: skip
# A model that is fitted in closed form; what its descent needs; and one whose encoder is new.
QUICK_FIT = {"n_estimators": 6, "threads": 1, "device": "cpu", "precision": "fp32"}
DESCENT = {"epochs": 2, "batch_size": 8}
TINY_FIT = QUICK_FIT | DESCENT | {"pretrained": "none"}
# Targets of models that are made by hand.
CLASSES = {
    "name": "diet", "vocabulary_size": 6, "heads": ("ridge", "attention"),
    "classes": ("breast", "formula", "mixed"), "counts": (3, 2, 1),
}  # fmt: skip
AGE = {
    "name": "age", "vocabulary_size": 6, "heads": ("ridge", "attention"), "scaling": "none",
    "location": 0.0, "scale": 1.0, "minimum": 0.0, "maximum": 1.0, "mean": 0.5,
}  # fmt: skip


@dataclass(frozen=True)
class SimulatedStudy:
    """Counts, DNA, a tree and the age of each sample, on which the ASVs that it holds depend."""

    counts: pd.DataFrame  # samples × ASVs
    dna: pd.Series  # str by ASV
    tree: skbio.TreeNode
    ages: pd.Series
    subjects: pd.Series

    @property
    def biom(self) -> biom.Table:
        return biom.Table(self.counts.to_numpy().T, list(self.counts), list(self.counts.index))

    @property
    def table(self) -> qiime2.Artifact:
        return table_artifact(self.biom)

    @property
    def sequences(self) -> qiime2.Artifact:
        return sequences_artifact(self.dna)

    @property
    def unifrac(self) -> skbio.DistanceMatrix:
        counts, tips = self.counts.to_numpy(), {TIPS: list(self.counts)}
        return skbio.diversity.beta_diversity(
            "unweighted_unifrac", counts, list(self.counts.index), tree=self.tree, **tips
        )

    @property
    def distances(self) -> qiime2.Artifact:
        return distances_artifact(self.unifrac)

    @property
    def age_column(self) -> qiime2.NumericMetadataColumn:
        return column_of(self.ages)

    @property
    def subject_column(self) -> qiime2.CategoricalMetadataColumn:
        return column_of(self.subjects)

    def replaced(self, **changes) -> "SimulatedStudy":
        """Give it other counts, with the DNA of their features if it is known, or other DNA."""
        if "dna" not in changes and set(changes.get("counts", ())) <= set(self.dna.index):
            changes["dna"] = self.dna[list(changes.get("counts", self.counts))]
        return replace(self, **changes)

    def with_copy(self, name: str, fraction: float) -> "SimulatedStudy":
        """Move a part of a feature's reads to a second feature of the same DNA, "copy"."""
        counts, dna = self.counts.copy(), self.dna.copy()
        counts["copy"], dna["copy"] = np.floor(counts[name] * fraction), dna[name]
        counts[name] -= counts["copy"]
        return replace(self, counts=counts, dna=dna)

    def select(self, sample_ids) -> "SimulatedStudy":
        counts = self.counts.loc[list(sample_ids)]
        counts = counts.loc[:, counts.sum() > 0]
        dna, ages = self.dna[list(counts)], self.ages[counts.index]
        return replace(self, counts=counts, dna=dna, ages=ages)

    def shuffled(self, seed: int) -> "SimulatedStudy":
        """Reorder the samples, the ASVs and the sequences."""
        random = np.random.default_rng(seed)
        counts = self.counts.iloc[random.permutation(len(self.counts))]
        counts = counts.iloc[:, random.permutation(counts.shape[1])]
        dna = self.dna.iloc[random.permutation(len(self.dna))]
        return replace(self, counts=counts, dna=dna, ages=self.ages[counts.index])


def simulate_study(
    samples=20, asvs=40, seed=0, lengths=(60, 60), sample_ids=None, ids_are_dna=False
) -> SimulatedStudy:
    """Evolve ASVs on a random tree and draw samples whose clades change with their age."""
    random = np.random.default_rng(seed)
    root = random.choice(list("ACGT"), size=lengths[1])
    leaves: list[tuple[str, np.ndarray]] = []
    newick = _evolve(root, asvs, random, leaves)
    dna = ["".join(letters[: random.integers(lengths[0], lengths[1] + 1)]) for _, letters in leaves]
    names = dna if ids_are_dna else [hashlib.md5(one.encode()).hexdigest() for one in dna]
    if len(set(names)) != asvs:
        raise AssertionError("two ASVs evolved the same DNA: take another seed")
    tree = skbio.TreeNode.read([f"{newick};"], convert_underscores=False)
    tree.length = None  # scikit-bio would count it as shared by all
    for (leaf, _), name in zip(leaves, names, strict=True):
        tree.find(leaf).name = name
    ids = list(sample_ids or [f"S{number:03d}" for number in range(samples)])
    ages = np.round(random.uniform(0, 24, len(ids)), 2)
    place = np.linspace(0, 24, asvs)
    rates = 30 * np.exp(-(((place - ages[:, None]) / 6) ** 2)) + 0.05
    counts = random.poisson(rates * random.exponential(1, rates.shape))
    counts[np.arange(len(ids)), np.abs(place - ages[:, None]).argmin(axis=1)] += 20
    for column in np.flatnonzero(counts.sum(axis=0) == 0):
        counts[random.integers(len(ids)), column] = 1
    index = pd.Index(ids, name="id")
    return SimulatedStudy(
        pd.DataFrame(counts.astype(float), index=index, columns=names),
        pd.Series(dna, index=names),
        tree,
        pd.Series(ages, index=index, name="age"),
        pd.Series([f"child {place // 2}" for place in range(len(ids))], index=index, name="child"),
    )


def _evolve(letters: np.ndarray, tips: int, random, leaves: list) -> str:
    """Split a lineage until it has the wanted tips; return Newick."""
    length = random.uniform(0.05, 0.3)
    letters = letters.copy()
    changed = random.random(len(letters)) < length
    letters[changed] = random.choice(list("ACGT"), size=int(changed.sum()))
    if tips == 1:
        leaves.append((f"tip{len(leaves)}", letters))
        return f"{leaves[-1][0]}:{length:.4f}"
    left = int(random.integers(1, tips))
    parts = (_evolve(letters, number, random, leaves) for number in (left, tips - left))
    return f"({','.join(parts)}):{length:.4f}"


def table_artifact(table: biom.Table) -> qiime2.Artifact:
    return qiime2.Artifact.import_data("FeatureTable[Frequency]", table)


def sequences_artifact(dna: pd.Series) -> qiime2.Artifact:
    records = [skbio.DNA(one, {"id": name, "description": ""}) for name, one in dna.items()]
    return qiime2.Artifact.import_data(
        "FeatureData[Sequence]", pd.Series(records, index=list(dna.index))
    )


def distances_artifact(matrix: skbio.DistanceMatrix) -> qiime2.Artifact:
    return qiime2.Artifact.import_data("DistanceMatrix", matrix)


def distances_text_artifact(text: str, folder) -> qiime2.Artifact:
    """Import a matrix as a file that scikit-bio would not write, as other tools may."""
    (folder / "distance-matrix.tsv").write_text(text)
    return qiime2.Artifact.import_data("DistanceMatrix", str(folder))


def matrix_text(ids, matrix) -> str:
    frame = pd.DataFrame(np.array(matrix), ids, ids)
    return frame.to_csv(sep="\t", na_rep="nan", quoting=csv.QUOTE_NONE)


def describe_classes(**changes):
    return ClassificationTarget(**CLASSES | changes)


def describe_target(**changes):
    return RegressionTarget(**AGE | changes)


def model_of(model):
    """Return the config and the arrays of a model, or of the model among results."""
    artifact = model if isinstance(model, qiime2.Artifact) else model[0]
    return read_model(str(artifact.view(AAMModelDirectoryFormat)))


def target_of(model):
    """Return what a model, or the model among results, has learned to predict."""
    return model_of(model)[0].target


def by_age(study: SimulatedStudy, bounds=(8, 16), names=("milk", "mixed", "solid")) -> pd.Series:
    """Name a class of each sample by its age, and so by the clades that it holds."""
    place = np.searchsorted(bounds, study.ages.to_numpy())
    return pd.Series(np.array(names, dtype=object)[place], study.ages.index, name="diet")


def log_of(results):
    return read_training_log(str(results.training_log.view(AAMTrainingLogDirectoryFormat)))


def counts_of(results) -> dict[str, int]:
    return {item["what"]: item["count"] for item in log_of(results).summary["data"]}


def settings_of(results) -> dict[str, tuple]:
    """Read the settings of a training log by name: value, and who chose it."""
    return {one.name: (one.value, one.chosen_by) for one in log_of(results).settings}


def history_of(results) -> pd.DataFrame:
    return results.training_log.view(qiime2.Metadata).to_dataframe()


def same_weights(one, other) -> bool:
    """Tell whether two models have the same weights, bit for bit."""
    (_, left), (_, right) = model_of(one), model_of(other)
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k]) for k in left)


def column_of(values: pd.Series):
    values = values.rename(values.name or "score").rename_axis("id")
    numeric = pd.api.types.is_numeric_dtype(values)
    kind = qiime2.NumericMetadataColumn if numeric else qiime2.CategoricalMetadataColumn
    return kind(values)


def values_of(artifact: qiime2.Artifact):
    """Read sample data or importance: a Series where there is one value a sample, or a table."""
    one_value = str(artifact.type).endswith(("Predictions]", "TrueTargets]"))
    return artifact.view(pd.Series if one_value else pd.DataFrame)

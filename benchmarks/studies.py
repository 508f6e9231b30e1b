"""The real studies that benchmarks run on; they lie beside the project, not in it."""

import dataclasses
import os
from pathlib import Path

import biom
import numpy as np
import pandas as pd
import qiime2
import skbio

# beside the project, unless the environment says where
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DATA = Path(os.environ.get("Q2_AAM_STUDIES") or DATA)
DEPTHS = {"ecam": 1500, "soils88-ph": 500, "sleep-apnea-mouse": 1700, "udca": 2000}


@dataclasses.dataclass(frozen=True)
class Task:
    """One metadata column to predict, and how samples are divided."""

    study: str
    column: str
    groups: str | None  # column of what is never divided; samples are if there is none
    only: tuple[str, str] | None = None  # a column, and the value that samples must have
    categorical: bool = False
    against_rest: str | None = None  # the class to tell from all others, if there are several


INFANTS = ("mom_child", "C")
TASKS = {
    "ecam-month": Task("ecam", "month", "host_subject_id", INFANTS),
    "ecam-delivery": Task("ecam", "delivery", "host_subject_id", INFANTS, categorical=True),
    "soils-ph": Task("soils88-ph", "ph", None),
    "sleep-age": Task("sleep-apnea-mouse", "age", "mouse_number"),
    "sleep-exposure": Task("sleep-apnea-mouse", "exposure_type", "mouse_number", categorical=True),
}
INFANT = {"study": "ecam", "groups": "host_subject_id", "only": INFANTS}
SOIL = {"study": "soils88-ph", "groups": None}
# Columns that nothing was chosen by: no reader, no default was ever tried on them.
FURTHER_TASKS = {
    "soils-temperature": Task(column="annual_season_temp", **SOIL),
    "soils-precipitation": Task(column="annual_season_precpt", **SOIL),
    "soils-silt-and-clay": Task(column="silt_clay", **SOIL),
    "soils-carbon-to-nitrogen": Task(column="carb_nitro_ratio", **SOIL),
    "soils-moisture-deficit": Task(column="soil_moisture_deficit", **SOIL),
    "soils-latitude": Task(column="latitude", **SOIL),
    "soils-forest": Task(
        column="env_feature", categorical=True, against_rest="ENVO:forest soil", **SOIL
    ),
    "sleep-weight": Task("sleep-apnea-mouse", "weight", "mouse_number"),
    "ecam-diet": Task(column="diet", categorical=True, **INFANT),
    "ecam-antibiotics": Task(column="antiexposedall", categorical=True, **INFANT),
    "ecam-sex": Task(column="sex", categorical=True, **INFANT),
}
ALL_TASKS = TASKS | FURTHER_TASKS


@dataclasses.dataclass(frozen=True)
class Study:
    """A study's tables, sequences, distances and metadata."""

    table: biom.Table
    rarefied: biom.Table
    sequences: qiime2.Artifact
    distances: skbio.DistanceMatrix
    metadata: pd.DataFrame

    def table_of(self, ids, rarefied: bool = False) -> qiime2.Artifact:
        """Return some samples and the features that they hold."""
        table = self.rarefied if rarefied else self.table
        table = table.filter(set(ids), inplace=False)
        held = table.ids(axis="observation")[table.matrix_data.getnnz(axis=1) > 0]
        table = table.filter(set(held), axis="observation", inplace=False)
        return qiime2.Artifact.import_data("FeatureTable[Frequency]", table)

    def distances_of(self, ids) -> qiime2.Artifact:
        """Return the distances among some samples."""
        return qiime2.Artifact.import_data("DistanceMatrix", self.distances.filter(ids))

    def column(self, name: str, ids, numeric: bool):
        """Return a metadata column of some samples."""
        values = self.metadata.loc[list(ids), name]
        values.index.name = "id"
        kind = qiime2.NumericMetadataColumn if numeric else qiime2.CategoricalMetadataColumn
        return kind(values.astype(float) if numeric else values.astype(str))


def load_study(name: str) -> Study:
    """Load a study, or end if the studies are not there."""
    folder = DATA / name
    if not folder.is_dir():
        raise SystemExit(f"This benchmark needs the study {name} in the folder {DATA.name}/.")
    depth = DEPTHS[name]
    table = qiime2.Artifact.load(str(folder / "table.qza")).view(biom.Table)
    metadata = pd.DataFrame(index=table.ids())
    if (folder / "metadata.tsv").exists():
        metadata = pd.read_csv(folder / "metadata.tsv", sep="\t", dtype=str, index_col=0)
    return Study(
        table,
        biom.load_table(str(folder / f"table.rare{depth}.biom")),
        qiime2.Artifact.load(str(folder / "rep-seqs.qza")),
        qiime2.Artifact.load(str(folder / f"unweighted-unifrac.rare{depth}.qza")).view(
            skbio.DistanceMatrix
        ),
        metadata,
    )


def labeled_samples(study: Study, task: Task) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """Return the ids in the table's order, their values, and their groups."""
    ids = list(study.table.ids())
    if task.only is not None:
        column, value = task.only
        ids = [name for name in ids if study.metadata.loc[name, column] == value]
    ids = [name for name in ids if pd.notna(study.metadata.loc[name, task.column])]
    values = study.metadata.loc[ids, task.column].to_numpy()
    groups = None if task.groups is None else study.metadata.loc[ids, task.groups].to_numpy()
    return ids, values, groups

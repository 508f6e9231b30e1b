"""Tables, metadata and sequences as users give them, turned into checked samples to learn from."""

import dataclasses

import numpy as np
import pandas as pd
import qiime2

from ..config.target import Covariate
from ..data import alignment
from ..data.distances import read_distances
from ..data.splits import train_test_split
from ..data.table import SampleTable, read_table
from ..errors import AAMError, counted, examples, percent, verb, warn


@dataclasses.dataclass(frozen=True)
class TrainingSamples:
    """Samples with a value of the target and, if asked for, a group, covariates and distances."""

    samples: SampleTable
    values: pd.Series  # numbers or class names, by sample id as groups and covariates are
    groups: dict[str, str] | None
    covariates: pd.DataFrame | None
    distances: object
    dropped: dict[str, list[str]]  # ids of samples that are not used, by reason

    @property
    def classes(self) -> dict[str, str] | None:
        """Class by sample id; None of numbers."""
        return None if pd.api.types.is_numeric_dtype(self.values) else self.values.to_dict()

    def group_numbers(self) -> np.ndarray:
        """Return a number for the group of each sample; each sample's own without groups."""
        ids = self.samples.sample_ids
        of_samples = [self.groups[name] for name in ids] if self.groups else ids
        return np.unique(of_samples, return_inverse=True)[1].ravel()

    def split(self, validation_size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Divide samples, whole groups and all classes, to train and to validate: positions."""
        ids, parts = self.samples.sample_ids, (self.samples.sample_ids, ())
        if validation_size:
            parts = train_test_split(ids, validation_size, seed, self.groups, self.classes)
        return tuple(pd.Index(ids).get_indexer(part) for part in parts)


def read_training_samples(
    table, metadata, groups=None, covariates=None, covariate_columns=None, distance_matrix=None,
    missing_samples: str = "error",
) -> TrainingSamples:  # fmt: skip
    """Keep the samples of a table that can be learned from, and say why the others cannot."""
    if metadata.name in {name.strip() for name in covariate_columns or ()}:
        raise AAMError(
            f"'covariate_columns' names '{metadata.name}', which is the column to predict: a model "
            "that reads it would learn nothing else. Take it out of 'covariate_columns'."
        )
    samples = read_table(table)
    numeric = isinstance(metadata, qiime2.NumericMetadataColumn)
    asked = (samples, metadata.to_series(), missing_samples)
    labels = alignment.numeric_labels(*asked) if numeric else alignment.labels_of(*asked, str)
    dropped = dict(labels.dropped)
    samples, of_groups, distances = samples.select(labels.values.index), None, None
    if groups is not None:
        grouped = alignment.group_labels(samples, groups.to_series(), missing_samples)
        dropped |= grouped.dropped
        samples, of_groups = samples.select(grouped.values.index), grouped.values.to_dict()
    columns, missing = read_covariates(samples, covariates, covariate_columns, missing_samples)
    if columns is not None:
        samples = samples.select(columns.index)
        dropped |= {"not in the covariates": missing} if missing else {}
    if distance_matrix is not None:
        found = read_distances(distance_matrix.path / "distance-matrix.tsv")
        samples, distances, missing = alignment.with_distances(
            samples, *found, "the distance matrix", missing_samples
        )
        dropped |= {"not in the distance matrix": missing} if missing else {}
    ids = list(samples.sample_ids)
    values = labels.values[ids]
    if numeric:
        alignment.require_enough(len(values), f"learning '{metadata.name}'")
        alignment.require_variation(values.to_numpy(), metadata.name, "samples that can be used")
    else:
        alignment.require_classes(values, metadata.name)
    columns = None if columns is None else columns.loc[ids]
    return TrainingSamples(samples, values, of_groups, columns, distances, dropped)


def merge_sequences(sequences) -> dict[str, str] | None:
    """Merge the sequences of studies: DNA by feature id, or None if there are none."""
    if sequences is None or len(sequences) == 0:
        return None
    merged: dict[str, str] = {}
    differing = set()
    for part in [sequences] if isinstance(sequences, pd.Series) else sequences:
        for name, dna in part.items():
            if merged.setdefault(str(name), str(dna)) != str(dna):
                differing.add(str(name))
    if differing:
        raise AAMError(
            f"{counted(len(differing), 'feature id')} {verb(len(differing), 'stand')} for "
            f"different sequences in the studies, such as {examples(sorted(differing))}.\nUse ids "
            "that are made from the sequence (md5, as DADA2 and Deblur give), or pretrain on these "
            "studies one after the other."
        )
    return merged


def refuse_other_genes(samples, far, only_warn: bool = False) -> None:
    """Refuse a table of which the bundled encoder knows little, or say so; `far` are features."""
    if not far.any():
        return
    reads = np.asarray(samples.counts.sum(axis=0)).ravel()
    share = reads[far].sum() / reads.sum()
    most = np.flatnonzero(far)[np.argsort(-reads[far], kind="stable")]
    message = (
        f"{counted(len(most), 'feature')} of {len(reads):,}, with {percent(share)} of the reads, "
        f"{verb(len(most), 'do')} not resemble bacterial or archaeal 16S, which is all that the "
        f"bundled encoder knows: {examples(samples.feature_ids[column] for column in most)}."
    )
    remedy = (
        "For another gene make an encoder of its own tree with 'qiime aam "
        "pretrain-from-phylogeny', and give it as the encoder."
    )
    if share > 0.5 and not only_warn:
        raise AAMError(f"{message}\nIts distances would mean nothing. {remedy}")
    if share > 0.05:
        warn(f"{message} What it says of them means little. {remedy}")
    else:
        print(message)


def read_covariates(
    samples: SampleTable, covariates, columns, missing_samples: str
) -> tuple[pd.DataFrame | None, list[str]]:
    """Read columns of metadata for a table's samples; return them, and samples without a row."""
    if covariates is None and not columns:
        return None, []
    if covariates is None:
        raise AAMError(
            "'covariate_columns' was given without 'covariates'. Give both: the metadata, and the "
            "names of the columns to read."
        )
    if not columns:
        raise AAMError(
            "'covariates' was given without 'covariate_columns'. Give both: the metadata, and the "
            f"names of the columns to read.{_there_are(covariates)}"
        )
    wanted = [name.strip() for name in columns]  # metadata has no blanks around names
    repeated = sorted({name for name in wanted if wanted.count(name) > 1})
    if repeated:
        raise AAMError(f"'covariate_columns' names {examples(repeated)} more than once.")
    return _select(covariates, wanted, samples, missing_samples)


def read_covariates_of(
    known: tuple[Covariate, ...], covariates, samples: SampleTable
) -> pd.DataFrame | None:
    """Read the covariates that a model was fitted with, for the samples to predict."""
    if not known:
        if covariates is not None:
            raise AAMError(
                "The model was fitted without covariates, so that 'covariates' would have no "
                "effect. Leave it out, or fit a model with 'covariates' and 'covariate_columns'."
            )
        return None
    names = [covariate.name for covariate in known]
    if covariates is None:
        raise AAMError(
            f"The model was fitted with {counted(len(names), 'covariate')}, {examples(names)}. "
            "Give 'covariates': metadata with these columns, with a row for each sample (cells "
            "may be blank)."
        )
    columns, missing = _select(covariates, names, samples, "ignore")
    if missing:
        raise AAMError(
            f"{counted(len(missing), 'sample')} of {len(samples.sample_ids):,} in the table are "
            f"not in the covariates, such as {examples(missing)}.\nAdd a row for each of them "
            "(cells may be blank, and then count as missing), or leave them out of the table."
        )
    return columns


def _select(covariates: qiime2.Metadata, names, samples: SampleTable, missing_samples: str):
    absent = [name for name in names if name not in covariates.columns]
    if absent:
        raise AAMError(f"The covariates have no column {examples(absent)}.{_there_are(covariates)}")
    frame = covariates.to_dataframe()
    shared, missing = alignment.match_samples(
        samples.sample_ids, frame.index, "the covariates", missing_samples
    )
    return frame.loc[shared, names], missing


def _there_are(covariates: qiime2.Metadata) -> str:
    return f"\nThe columns there are: {examples(covariates.columns, limit=20)}."

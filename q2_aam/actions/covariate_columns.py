"""Covariates from metadata: the columns asked for, of the samples that there are."""

import pandas as pd
import qiime2

from ..config import Covariate
from ..data.alignment import match_samples
from ..data.table import SampleTable
from ..errors import AAMError, counted, examples

_NAME = "the covariates"


def read_covariates(
    samples: SampleTable, covariates, columns, missing_samples: str
) -> tuple[pd.DataFrame | None, list[str]]:
    """Read columns of metadata for a table's samples.

    Parameters
    ----------
    samples : SampleTable
    covariates : qiime2.Metadata or None
    columns : list of str or None
    missing_samples : str
        ``error``, or ``ignore`` to leave out samples without a row.

    Returns
    -------
    columns : pd.DataFrame or None
        One row a sample; None if no covariates are given.
    missing : list of str
        Samples without a row.

    Raises
    ------
    AAMError
        If only one of both is given, or a column is not there or named twice.
    """
    if covariates is None and not columns:
        return None, []
    if covariates is None or not columns:
        given, lacking = "covariate_columns", "covariates"
        if covariates is not None:
            given, lacking = lacking, given
        raise AAMError(
            f"'{given}' was given without '{lacking}'. Give both: the metadata, and the names of "
            "the columns to read." + ("" if covariates is None else _there_are(covariates))
        )
    wanted = [name.strip() for name in columns]  # metadata has no blanks around names
    repeated = sorted({name for name in wanted if wanted.count(name) > 1})
    if repeated:
        raise AAMError(f"'covariate_columns' names {examples(repeated)} more than once.")
    return _select(covariates, wanted, samples, missing_samples)


def refuse_target_as_covariate(target: str, columns) -> None:
    """Refuse to predict a column from itself."""
    if target in {name.strip() for name in columns or ()}:
        raise AAMError(
            f"'covariate_columns' names '{target}', which is the column to predict: a model that "
            "reads it would learn nothing else. Take it out of 'covariate_columns'."
        )


def read_covariates_of(
    known: tuple[Covariate, ...], covariates, samples: SampleTable
) -> pd.DataFrame | None:
    """Read the covariates that a model was fitted with, for the samples to predict.

    Raises
    ------
    AAMError
        If they are not given, are given to a model that reads none, or lack a sample.
    """
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
    shared, missing = match_samples(samples.sample_ids, frame.index, _NAME, missing_samples)
    return frame.loc[shared, names], missing


def _there_are(covariates: qiime2.Metadata) -> str:
    return f"\nThe columns there are: {examples(covariates.columns, limit=20)}."

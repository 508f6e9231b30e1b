"""check-table: whether a model can read a table, before anyone predicts."""

import biom
import numpy as np
import pandas as pd

from ..config import CLASSIFICATION
from ..data.matching import EMBEDDING_ONLY, KINDS
from ..data.sequences import sequences_of
from ..data.table import read_table
from ..data.vocabulary import read_vocabulary
from ..errors import AAMError, counted
from ..parameters import DEFAULT
from ..storage.model import read_model
from ..types import AAMModelDirectoryFormat
from .inputs import merge_sequences
from .predict import read_studies, recognition_columns

WELL_RECOGNIZED = 0.95
MOST_SHOWN = 100


def check_table(
    output_dir: str,
    table: biom.Table,
    model: AAMModelDirectoryFormat,
    sequences: pd.Series = None,
) -> None:
    """Write what a model would recognize of a table as a page."""
    from ..report.recognition import write_recognition_page

    config, arrays = read_model(str(model))
    if config.target is None or not config.target.vocabulary_size:
        raise AAMError(
            "The model holds no sequences to look up: it reads every table by the clades of its "
            "encoder. Give a model from fit-regressor or fit-classifier that reads ASVs."
        )
    samples = read_table(table)
    recognition = read_studies(samples, sequences, config, arrays, for_target=False).recognition
    dna = sequences_of(samples.feature_ids, merge_sequences(sequences))
    reads = np.asarray(samples.counts.sum(axis=0)).ravel()
    kind = "classifier" if config.target.kind == CLASSIFICATION else "regressor"
    verdict, recommendation = judge(recognition)
    turned = int(recognition.reversed.sum())
    write_recognition_page(
        output_dir,
        model=f"{kind} of '{config.target.name}'",
        verdict=verdict,
        recommendation=recommendation,
        shares=pd.DataFrame(
            recognition_columns(recognition), pd.Index(samples.sample_ids, name="id")
        ),
        features_by_kind={
            name: int((recognition.kind == place).sum()) for place, name in enumerate(KINDS)
        },
        lengths={
            "this table": lengths_of(dna),
            "model": lengths_of(read_vocabulary(arrays).sequences),
        },
        orientation=(
            "mixed" if 0 < turned < len(dna) else "reverse complement" if turned else "forward"
        ),
        orientation_counts={"forward": len(dna) - turned, "reverse complement": turned},
        unrecognized=most_abundant_strangers(samples.feature_ids, dna, reads, recognition),
    )


def judge(recognition) -> tuple[str, str]:
    """Return the verdict and what to do, a sentence each."""
    share, least = recognition.recognized.mean(), DEFAULT["min_recognized"]
    poor = int((recognition.recognized < least).sum())
    if share < least:
        return (
            f"The model cannot read this table: it recognizes {share:.1%} of the reads of a sample "
            "on average.",
            "Check that the table is of the same gene and of a like habitat, and that primers and "
            "adapters are removed.",
        )
    if share < WELL_RECOGNIZED:
        return (
            f"The model reads {share:.1%} of the reads of a sample on average; the rest is new to "
            "it.",
            "Predictions are less sure than on samples like those of training, and their intervals "
            f"are wider; {counted(poor, 'sample')} below {least:.0%} deserve no trust.",
        )
    return (
        f"The model can read this table: it recognizes {share:.1%} of the reads of a sample on "
        "average.",
        "Predict as you would samples of the study that it was fitted on.",
    )


def lengths_of(sequences: list[str]) -> list[tuple[int, int]]:
    """Count sequences by their length in nucleotides."""
    found = np.unique([len(one) for one in sequences], return_counts=True)
    return list(zip(*(part.tolist() for part in found), strict=True))


def most_abundant_strangers(feature_ids, dna: list[str], reads: np.ndarray, recognition):
    """List the features that are not recognized, the most abundant first."""
    strange = np.flatnonzero(recognition.kind == EMBEDDING_ONLY)
    rows = strange[np.argsort(-reads[strange], kind="stable")][:MOST_SHOWN]
    return pd.DataFrame(
        {
            "reads": reads[rows],
            "share": reads[rows] / reads.sum(),
            "sequence": [dna[row] for row in rows],
        },
        index=pd.Index([feature_ids[row] for row in rows], name="id"),
    )

"""predict-regression, -classification, -distances, check-table: what a model reads in a table."""

import dataclasses
from collections import Counter

import biom
import numpy as np
import pandas as pd
import qiime2
import skbio

from ..config.target import CLASSIFICATION, REGRESSION
from ..conformal import prediction_intervals
from ..data.covariates import encode_covariates, unknown_levels
from ..data.matching import CLADES_ONLY, EMBEDDING_ONLY, KINDS
from ..data.sequences import sequences_of
from ..data.study import build_studies
from ..data.table import read_table
from ..data.target_scaling import point_prediction, to_units
from ..data.vocabulary import read_vocabulary
from ..errors import AAMError, counted, examples, percent, verb, warn
from ..parameters import DEFAULT
from ..storage.model import BUNDLED, read_boxed, read_model
from ..types import AAMModelDirectoryFormat
from .inputs import merge_sequences, read_covariates_of, refuse_other_genes

WELL_RECOGNIZED = 0.95
MOST_SHOWN = 100  # features that are not recognized
_REMEDIES = {
    "untrained": (
        "The model never learned distances. Use an encoder from 'qiime aam pretrain', or give "
        "the matrix to 'fit-regressor' or 'fit-classifier'."
    ),
    "stale": (
        "The model's embeddings changed in fitting after its distances were learned. Use the "
        "encoder that it was fitted from, fit with 'freeze_encoder', or give the matrix to "
        "'fit-regressor' or 'fit-classifier'."
    ),
}


def predict_regression(
    table: biom.Table, regressor: AAMModelDirectoryFormat, sequences: pd.Series = None,
    covariates: qiime2.Metadata = None, confidence_level: float = DEFAULT["confidence_level"],
    min_recognized: float = DEFAULT["min_recognized"],
) -> (pd.Series, pd.DataFrame):  # fmt: skip
    """Predict every sample of a table, in the target's units."""
    target, index, outputs, recognition = predict_table(
        table, sequences, regressor, REGRESSION, covariates, min_recognized
    )
    values = to_units(target, point_prediction(outputs))
    recognized = None if recognition is None else recognition.recognized
    lower, upper = prediction_intervals(target, outputs, confidence_level, recognized)
    intervals = pd.DataFrame({"lower": lower, "upper": upper}, index)
    intervals = intervals.join(recognition_columns(recognition, index))
    return pd.Series(values, index, name="prediction"), intervals


def predict_classification(
    table: biom.Table, classifier: AAMModelDirectoryFormat, sequences: pd.Series = None,
    covariates: qiime2.Metadata = None, min_recognized: float = DEFAULT["min_recognized"],
) -> (pd.Series, pd.DataFrame, pd.DataFrame):  # fmt: skip
    """Predict every sample of a table."""
    target, index, outputs, recognition = predict_table(
        table, sequences, classifier, CLASSIFICATION, covariates, min_recognized
    )
    shares = outputs.clip(0, 1)
    shares /= shares.sum(axis=1, keepdims=True)  # to the last digit: the network rounds to float32
    favoured = np.array(target.classes, dtype=object)[shares.argmax(axis=1)]
    return (
        pd.Series(favoured, index, name="prediction"),
        pd.DataFrame(shares, index, target.classes),
        recognition_columns(recognition, index),
    )


def predict_distances(
    table: biom.Table, model: AAMModelDirectoryFormat = None, sequences: pd.Series = None
) -> skbio.DistanceMatrix:
    """Predict the distances between all samples of a table."""
    from .. import inference

    config, arrays = read_any_model(model)
    if config.distance_state != "trained":
        raise AAMError(_REMEDIES[config.distance_state])
    samples = read_table(table)
    studies = read_studies(samples, sequences, config, arrays, for_target=False)
    if model is None:
        refuse_other_genes(samples, studies.far)
    network, everything = inference.load_network(config, arrays), np.arange(len(samples.sample_ids))
    parts = network.parts_for(distances=True, target=False)
    state = inference.all_states(network, studies, 0, everything, parts=parts)
    matrix = inference.predict_distances(network, state, studies.studies[0].abundances)
    return skbio.DistanceMatrix(matrix.astype(float), samples.sample_ids)


def read_any_model(model):
    """Read a model; without one, the encoder that ships with q2-aam."""
    if model is not None:
        return read_model(str(model))
    print(f"model: {BUNDLED}")
    return read_boxed()


# --- tables as a model reads them -----------------------------------------------------------------


def predict_table(table, sequences, model, kind: str, covariates, min_recognized: float):
    """Predict a table by a model of a kind of target, and refuse other models.

    Returns the target, sample ids, outputs (samples, O), and how the table was recognized: None by
    a model that reads clades only.
    """
    from ..inference import load_network, predict_samples

    config, arrays = read_model(str(model))
    needed = "classifier" if kind == CLASSIFICATION else "regressor"
    if config.target is None:
        raise AAMError(f"The model has no target: it is an encoder. Fit a {needed} with it first.")
    if config.target.kind != kind:
        raise AAMError(
            f"The model predicts '{config.target.name}' by {config.target.kind}: it is no "
            f"{needed}. Use predict-{config.target.kind}."
        )
    samples = read_table(table)
    studies = read_studies(samples, sequences, config, arrays, covariates)
    refuse_unrecognized(samples, studies.recognition, min_recognized)
    start = "asv_encoder.start"  # of the encoder, by which it is told
    if studies.recognition is None and np.array_equal(arrays[start], read_boxed()[1][start]):
        refuse_other_genes(samples, studies.far, only_warn=True)
    network, everything = load_network(config, arrays), np.arange(len(samples.sample_ids))
    outputs = predict_samples(network, studies, 0, everything)
    index = pd.Index(samples.sample_ids, name="id")
    return config.target, index, outputs, studies.recognition


def read_studies(samples, sequences, config, arrays, covariates=None, for_target: bool = True):
    """Read the samples of a table as a model reads them, and print how they were recognized.

    Returns `Studies` of one study. With `for_target`, the covariates of the model are read too.
    """
    vocabulary = read_vocabulary(arrays) if config.target is not None else None
    studies = build_studies(
        [samples], merge_sequences(sequences), config.max_sequence_length, config.max_asvs,
        vocabulary=vocabulary,
    )  # fmt: skip
    shortened, joined = studies.asvs.shortened, studies.asvs.joined
    if shortened:
        # long reads of one kind would become one ASV without a word
        outcome = f", and {joined:,} became equal to others by this." if joined else "."
        warn(
            f"{counted(shortened, 'sequence')} of {len(samples.feature_ids):,} "
            f"{verb(shortened, 'are')} longer than the {config.max_sequence_length} nucleotides "
            f"that the model reads; their ends were not read{outcome}"
        )
    if studies.recognition is not None:
        print(describe_recognition(samples, studies.recognition))
    elif vocabulary is not None:
        print("the model reads the clades of its encoder: no read needs to be recognized")
    if studies.recognition is None and studies.turned.any():
        print(f"{counted(int(studies.turned.sum()), 'sequence')} read as the reverse complement")
    if not for_target:
        return studies
    known = config.target.covariates
    columns = read_covariates_of(known, covariates, samples)
    if columns is None:
        return studies
    for name, levels in unknown_levels(known, columns).items():
        warn(
            f"The covariate '{name}' has {counted(len(levels), 'level')} that the training samples "
            f"did not have, read as unknown: {examples(levels)}."
        )
    study = dataclasses.replace(studies.studies[0], covariates=encode_covariates(known, columns))
    return dataclasses.replace(studies, studies=(study,))


def describe_recognition(samples, recognition) -> str:
    """Say in one line what share of a table's reads a model recognizes, and how."""
    reads = np.asarray(samples.counts.sum(axis=1)).ravel()
    shares = reads @ recognition.shares / reads.sum()
    names = ("the same", "overlapping", "read by embedding only")
    parts = [f"{percent(share)} {name}" for share, name in zip(shares, names, strict=True)]
    line = f"reads recognized by the model: {', '.join(parts)}"
    turned = int(recognition.reversed.sum())
    if turned:
        line += f"; {counted(turned, 'sequence')} read as the reverse complement"
    return line


def refuse_unrecognized(samples, recognition, min_recognized: float) -> None:
    """Refuse a table of which a model recognizes so little that predictions would mean nothing."""
    if recognition is None or recognition.recognized.mean() >= min_recognized:
        return
    share = recognition.recognized.mean()
    columns, _ = _strangers(samples, recognition)
    raise AAMError(
        f"The model recognizes {percent(share)} of the reads of a sample on average, and "
        f"{counted(len(samples.feature_ids) - len(columns), 'feature')} of "
        f"{len(samples.feature_ids):,}: predictions would mean nothing.\n"
        "The most abundant features that it does not recognize: "
        f"{examples(samples.feature_ids[column] for column in columns)}.\n"
        "Likely causes: another gene or region, another habitat than that of the model, a primer "
        "or adapter left on both ends, or joined reads in the wrong order. 'qiime aam check-table' "
        "shows more.\nTo predict all the same, lower 'min_recognized' (now "
        f"{min_recognized:g})."
    )


def recognition_columns(recognition, index: pd.Index) -> pd.DataFrame:
    """Name the shares of each sample's reads by how they were recognized."""
    if recognition is None:
        return pd.DataFrame({CLADES_ONLY: 1.0}, index)
    return pd.DataFrame(recognition.shares, index, list(KINDS))


def _strangers(samples, recognition) -> tuple[np.ndarray, np.ndarray]:
    """Return places of the features that are not recognized, the most abundant first, and reads."""
    strange = np.flatnonzero(recognition.kind == EMBEDDING_ONLY)
    reads = np.asarray(samples.counts.sum(axis=0)).ravel()
    return strange[np.argsort(-reads[strange], kind="stable")], reads


# --- whether a model can read a table, before anyone predicts -------------------------------------


def check_table(
    output_dir: str, table: biom.Table, model: AAMModelDirectoryFormat, sequences: pd.Series = None
) -> None:
    """Write what a model would recognize of a table as a page."""
    from ..report.recognition import write_recognition_page

    config, arrays = read_model(str(model))
    if config.target is None or not config.target.vocabulary_size:
        raise AAMError(
            "The model holds no sequences to look up: it reads every table by the clades of its "
            "encoder. Predict with it as it is, or give a model from fit-regressor or "
            "fit-classifier that reads ASVs ('features' 'auto' or 'asvs')."
        )
    samples = read_table(table)
    recognition = read_studies(samples, sequences, config, arrays, for_target=False).recognition
    dna = sequences_of(samples.feature_ids, merge_sequences(sequences))
    read = {"this table": dna, "model": read_vocabulary(arrays).sequences}
    kind = "classifier" if config.target.kind == CLASSIFICATION else "regressor"
    verdict, recommendation = judge(recognition)
    turned = int(recognition.reversed.sum())
    strange, reads = _strangers(samples, recognition)
    strange = strange[:MOST_SHOWN]
    unrecognized = pd.DataFrame(
        {"reads": reads[strange], "share": reads[strange] / reads.sum(),
         "sequence": [dna[row] for row in strange]},
        pd.Index([samples.feature_ids[row] for row in strange], name="id"),
    )  # fmt: skip
    write_recognition_page(
        output_dir, model=f"{kind} of '{config.target.name}'", verdict=verdict,
        recommendation=recommendation,
        shares=recognition_columns(recognition, pd.Index(samples.sample_ids, name="id")),
        features_by_kind={
            name: int((recognition.kind == place).sum()) for place, name in enumerate(KINDS)},
        lengths={
            name: sorted(Counter(map(len, sequences)).items()) for name, sequences in read.items()},
        orientation=(
            "mixed" if 0 < turned < len(dna) else "reverse complement" if turned else "forward"),
        orientation_counts={"forward": len(dna) - turned, "reverse complement": turned},
        unrecognized=unrecognized,
    )  # fmt: skip


def judge(recognition) -> tuple[str, str]:
    """Return the verdict and what to do, a sentence each."""
    share, least = recognition.recognized.mean(), DEFAULT["min_recognized"]
    poor = int((recognition.recognized < least).sum())
    if share < least:
        return (
            f"The model cannot read this table: it recognizes {percent(share)} of a sample's reads "
            "on average.",
            "Check that the table is of the same gene and of a like habitat, and that primers and "
            "adapters are removed.",
        )
    if share < WELL_RECOGNIZED:
        return (
            f"The model recognizes {percent(share)} of a sample's reads on average; the rest is "
            "new to it.",
            "Predictions are less sure than on samples like those of training, and their intervals "
            f"are wider; {counted(poor, 'sample')} below {percent(least)} deserve no trust.",
        )
    return (
        f"The model can read this table: it recognizes {percent(share)} of a sample's reads on "
        "average.",
        "Predict as you would samples of the study that it was fitted on.",
    )

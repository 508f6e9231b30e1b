"""regress-samples, classify-samples: hold samples out, predict them, report."""

import biom
import pandas as pd
import qiime2
from q2_sample_classifier import PredictionsDirectoryFormat
from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

from ..data.alignment import require_variation
from ..data.covariates import describe_covariates, encode_covariates
from ..data.sequences import sequences_of
from ..errors import AAMError, counted, no_shared_ids
from ..parameters import CLASSIFICATION_PIPELINE, DEFAULT, REGRESSION_PIPELINE
from .inputs import TrainingSamples, merge_sequences, read_training_samples
from .split import make_folds, true_targets
from .training_run import refuse_encoder_twice, with_settings

_FOREST = "q2-sample-classifier's random forest"
_OPTIONAL = dict.fromkeys(
    ("sequences", "encoder", "distance_matrix", "taxonomy", "groups", "covariates")
)
_NOT_TO_FIT = (
    "table", "encoder", "distance_matrix", "taxonomy", "folds", "test_size", "confidence_level",
)  # fmt: skip
_TO_PREDICT = ("sequences", "covariates", "confidence_level")
_PREDICTED = {  # by a model, and by the forest
    "regression": ("predictions", "intervals", "baseline_predictions"),
    "classification": (
        "predictions", "probabilities", "recognition", "baseline_predictions",
        "baseline_probabilities",
    ),
}  # fmt: skip


@with_settings((*_OPTIONAL, *REGRESSION_PIPELINE), DEFAULT | _OPTIONAL)
def regress_samples(ctx, table, metadata, **given):
    """Predict held-out samples by a model and by a random forest, and fit a model on them all."""
    return _cross_validate(ctx, "regression", "regressor", table, metadata, given)


@with_settings((*_OPTIONAL, *CLASSIFICATION_PIPELINE), DEFAULT | _OPTIONAL)
def classify_samples(ctx, table, metadata, **given):
    """Predict held-out samples by a model and by a random forest, and fit a model on them all."""
    return _cross_validate(ctx, "classification", "classifier", table, metadata, given)


def _cross_validate(ctx, task: str, kind: str, table, metadata, given: dict) -> tuple:
    """Check everything, fit and predict each part, fit on everything, and report."""
    given |= {"table": table, "metadata": metadata}
    training = _check(given)
    parts = make_folds(training, given["folds"], given["test_size"], given["random_seed"])
    for kept, held in parts:  # what a fit on a part, or a prediction, would refuse
        if training.classes is None:
            values = training.values[kept].to_numpy()
            require_variation(values, training.values.name, "training samples")
        if training.covariates is not None:
            described = describe_covariates(training.covariates.loc[kept])
            encode_covariates(described, training.covariates.loc[held])
    given = {name: value for name, value in given.items() if value is not None}
    to_fit = {name: value for name, value in given.items() if name not in _NOT_TO_FIT}
    to_fit |= _encoder(ctx, given)
    to_predict = {name: given[name] for name in _TO_PREDICT if name in given}
    fit, predict = ctx.get_action("aam", f"fit_{kind}"), ctx.get_action("aam", f"predict_{task}")
    logs, results = [], []
    for number, (kept, held) in enumerate(parts, start=1):
        if len(parts) > 1:
            print(f"fold {number} of {len(parts)}", flush=True)
        train, test = _select(ctx, table, kept), _select(ctx, table, held)
        model, log = fit(table=train, **to_fit)
        logs.append(log)
        predicted = predict(table=test, **{kind: model}, **to_predict)
        # q2-sample-classifier's random forest, as it comes
        forest, _ = ctx.get_action("sample_classifier", f"fit_{kind}")(
            table=train, metadata=metadata, random_state=given["random_seed"],
            missing_samples="ignore",
        )  # fmt: skip
        by_forest = ctx.get_action("sample_classifier", f"predict_{task}")(
            table=test, sample_estimator=forest
        )
        results.append([*predicted, *by_forest])
    print("fitting on all samples", flush=True)
    model, log = fit(table=table, **to_fit)
    to_predict.pop("confidence_level", None)
    (importance,) = ctx.get_action("aam", "feature_importance")(
        table=table, model=model, **to_predict
    )
    merged = {
        name: _merge(ctx, name, list(ones))
        for name, *ones in zip(_PREDICTED[task], *results, strict=True)
    }
    held = sorted(name for _, held in parts for name in held)
    truth = ctx.make_artifact("SampleData[TrueTargets]", true_targets(training, held))
    (evaluation,) = ctx.get_action("aam", f"evaluate_{task}")(
        truth=metadata, table=table, importance=importance,
        training_log=logs[0] if len(logs) == 1 else log,
        design=describe_design(training, parts, given), **merged,
        **{name: given[name] for name in ("groups", "sequences", "taxonomy") if name in given},
    )  # fmt: skip
    merged.pop("recognition", None)
    return model, log, *merged.values(), truth, importance, evaluation


def _check(given: dict) -> TrainingSamples:
    """Refuse, before any work, what an action would refuse after hours."""
    if given["folds"] and given["test_size"] != DEFAULT["test_size"]:
        raise AAMError(
            f"'test_size' was given with {given['folds']} 'folds', which predict every sample "
            "once: it would have no effect. Leave one of them out."
        )
    refuse_encoder_twice(given["encoder"], given["pretrained"])
    matrix, sequences = given["distance_matrix"], given["sequences"]
    training = read_training_samples(
        given["table"].view(biom.Table), given["metadata"], given["groups"], given["covariates"],
        given["covariate_columns"], matrix and matrix.view(DistanceMatrixDirectoryFormat),
        given["missing_samples"],
    )  # fmt: skip
    dna = merge_sequences(sequences and sequences.view(pd.Series))
    sequences_of(training.samples.feature_ids, dna)
    if given["taxonomy"] is not None:  # the last step names features by it
        taxa, features = given["taxonomy"].view(pd.DataFrame).index, training.samples.feature_ids
        if not set(taxa) & set(features):
            raise no_shared_ids("the table", list(features), "the taxonomy", list(taxa))
    return training


def _encoder(ctx, given: dict) -> dict:
    """Name the encoder to fit with: pretrained on all samples where a matrix is given."""
    known = {"encoder": given["encoder"]} if "encoder" in given else {}
    if "distance_matrix" not in given:
        return known
    optional = {f"initial_{name}": one for name, one in known.items()}
    if "sequences" in given:
        optional["sequences"] = [given["sequences"]]
    print("pretraining on all samples, without labels", flush=True)
    encoder, _ = ctx.get_action("aam", "pretrain")(
        tables=[given["table"]], distance_matrices=[given["distance_matrix"]], **optional,
        **{name: given[name] for name in ("missing_samples", "device", "random_seed")},
    )  # fmt: skip
    return {"encoder": encoder}


def _select(ctx, table, sample_ids: list[str]):
    """Keep some samples of a table, and the features that they hold."""
    ids = qiime2.Metadata(pd.DataFrame(index=pd.Index(sample_ids, name="id")))
    (kept,) = ctx.get_action("feature_table", "filter_samples")(table=table, metadata=ids)
    return kept


def _merge(ctx, name: str, parts: list):
    """Join parts by one of the methods below, so that provenance shows where they come from."""
    if len(parts) == 1:
        return parts[0]
    action = "_merge_predictions" if name.endswith("predictions") else "_merge_tables"
    (merged,) = ctx.get_action("aam", action)(parts)
    return merged


def _merge_predictions(predictions: PredictionsDirectoryFormat) -> PredictionsDirectoryFormat:
    """Join predictions of different samples, as they are written: ``NA`` is a class like others."""
    header, lines = "", []
    for part in predictions:
        header, *rest = (part.path / "predictions.tsv").read_text(encoding="utf-8").splitlines()
        lines.extend(rest)
    merged = PredictionsDirectoryFormat()
    content = "\n".join([header, *sorted(lines)]) + "\n"
    (merged.path / "predictions.tsv").write_text(content, encoding="utf-8")
    return merged


def _merge_tables(tables: pd.DataFrame) -> pd.DataFrame:
    """Join numbers of different samples; a class that one part did not know has none there."""
    return pd.concat(list(tables)).fillna(0.0).sort_index().rename_axis("id")


def describe_design(training: TrainingSamples, parts, given: dict) -> str:
    """Say in one paragraph how samples were predicted, for the page."""
    folds, number = given["folds"], len(training.samples.sample_ids)
    held = sum(len(part[1]) for part in parts)
    how = f"{folds}-fold cross-validation" if folds else "one split"
    words = [f"{how}: {held:,} of {counted(number, 'sample')} predicted by models fitted on others"]
    if training.groups:
        groups = counted(len(set(training.groups.values())), "group")
        words.append(f"{groups} of '{given['groups'].name}' kept apart")
    words.extend(f"{len(ids):,} left out ({reason})" for reason, ids in training.dropped.items())
    if "distance_matrix" in given:
        words.append("encoder pretrained on the distances of all samples, without labels")
    words.append(f"compared with {_FOREST} on the same samples")
    return "; ".join(words) + "."

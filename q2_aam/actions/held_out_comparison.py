"""What regress-samples and classify-samples share: held-out predictions beside a forest's."""

import dataclasses

import biom

from ..errors import AAMError
from ..parameters import ARCHITECTURE, COMPARISON, MACHINE
from .cross_validation import as_metadata, divide
from .splittable_samples import find_splittable

_OF_PIPELINE = (*COMPARISON, "interval")


@dataclasses.dataclass(frozen=True)
class Kind:
    """The actions and names by which numbers or classes are learned."""

    fit: str
    predict: str
    model: str
    of_model: tuple[str, ...] = ()


REGRESSION = Kind("fit_regressor", "predict_regression", "regressor", ("interval",))
CLASSIFICATION = Kind("fit_classifier", "predict_classification", "classifier")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Artifacts of a comparison.

    Attributes
    ----------
    model, training_log
        Of the model fitted on every sample.
    predictions, details
        Held out; details are intervals or probabilities.
    baseline : tuple
        The forest's predictions and, of classes, probabilities.
    importance
        Of the features, to the model fitted on every sample.
    evaluated_log
        Training log of the model that predicted, if it was one.
    """

    model: object
    training_log: object
    predictions: object
    details: object
    baseline: tuple
    importance: object
    evaluated_log: object


def compare(ctx, kind: Kind, inputs: dict, settings: dict) -> Comparison:
    """Predict samples that were held out, by our model and by a random forest.

    Parameters
    ----------
    ctx : qiime2.sdk.Context
    kind : Kind
    inputs : dict
        Table, metadata, sequences, encoder, distance_matrix, groups and covariates.
    settings : dict
        The pipeline's parameters.
    """
    own = {name: value for name, value in settings.items() if name not in _OF_PIPELINE}
    inputs = {name: value for name, value in inputs.items() if value is not None}
    matrix = inputs.pop("distance_matrix", None)
    if matrix is not None:
        inputs["encoder"] = pretrain_encoder(ctx, matrix, inputs, settings)
    parts = divide_table(inputs, settings)
    table = inputs.pop("table")
    of_model = {name: settings[name] for name in kind.of_model}
    found, forests, log = [], [], None
    reading = {name: inputs[name] for name in ("sequences", "covariates") if name in inputs}
    for kept, held in parts:
        trained, tested = select_samples(ctx, table, kept), select_samples(ctx, table, held)
        model, log = ctx.get_action("aam", kind.fit)(table=trained, **inputs, **own)
        predict = ctx.get_action("aam", kind.predict)
        found.append(predict(table=tested, **{kind.model: model}, **reading, **of_model))
        forests.append(predict_by_forest(ctx, kind, trained, tested, inputs["metadata"], settings))
    predictions, details = merge(ctx, found)
    baseline = merge(ctx, forests)
    model, final_log = ctx.get_action("aam", kind.fit)(table=table, **inputs, **own)
    (importance,) = ctx.get_action("aam", "feature_importance")(
        table=table, model=model, samples_per_feature=settings["samples_per_feature"], **reading
    )
    one_model = log if len(parts) == 1 else None
    return Comparison(model, final_log, predictions, details, baseline, importance, one_model)


def pretrain_encoder(ctx, matrix, inputs: dict, settings: dict):
    """Pretrain on all samples of the table; no label is seen."""
    if "encoder" in inputs:
        raise AAMError(
            "Both 'encoder' and 'distance_matrix' were given. With an encoder nothing is "
            "pretrained: leave one of them out."
        )
    names = (*ARCHITECTURE, *MACHINE, "random_seed", "missing_samples", "batch_size")
    given = {name: settings[name] for name in names if settings[name] is not None}
    if "sequences" in inputs:
        given["sequences"] = [inputs["sequences"]]
    encoder, _ = ctx.get_action("aam", "pretrain")(
        tables=[inputs["table"]],
        distance_matrices=[matrix],
        epochs=settings["pretraining_epochs"],
        **given,
    )
    return encoder


def divide_table(inputs: dict, settings: dict) -> list[tuple[list[str], list[str]]]:
    """Divide the labelled samples of the table into parts to fit on and parts to predict."""
    found = find_splittable(
        inputs["table"].view(biom.Table),
        inputs["metadata"],
        inputs.get("groups"),
        settings["missing_samples"],
    )
    folds, seed = settings["folds"], settings["random_seed"]
    return divide(found.ids, folds, settings["test_size"], seed, found.groups, found.classes)


def select_samples(ctx, table, sample_ids: list[str]):
    """Keep some samples of a table, and the features that they hold."""
    (kept,) = ctx.get_action("feature_table", "filter_samples")(
        table=table, metadata=as_metadata(sample_ids)
    )
    return kept


def predict_by_forest(ctx, kind: Kind, trained, tested, metadata, settings: dict) -> tuple:
    """Predict by q2-sample-classifier's random forest, as it comes."""
    estimator, _ = ctx.get_action("sample_classifier", kind.fit)(
        table=trained,
        metadata=metadata,
        random_state=settings["random_seed"],
        missing_samples="ignore",
    )
    return tuple(
        ctx.get_action("sample_classifier", kind.predict)(table=tested, sample_estimator=estimator)
    )


def merge(ctx, results: list) -> tuple:
    """Join the results of all parts: the predictions and, where there are any, their details."""
    if len(results) == 1:
        return tuple(results[0])
    columns = list(zip(*results, strict=True))
    merged = ctx.get_action("aam", "merge_predictions")(predictions=list(columns[0]))
    if len(columns) > 1:
        merged += ctx.get_action("aam", "merge_prediction_tables")(tables=list(columns[1]))
    return tuple(merged)

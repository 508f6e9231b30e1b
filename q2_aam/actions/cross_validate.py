"""regress-samples, classify-samples: predict held-out samples, compare with a forest, report."""

import dataclasses
from collections import Counter

import biom
import numpy as np
import pandas as pd
import qiime2
from q2_sample_classifier import PredictionsDirectoryFormat

from ..data.alignment import FEWEST_OF_A_CLASS, require_variation
from ..data.covariates import describe_covariates, encode_covariates
from ..data.sequences import sequences_of
from ..data.splits import train_test_split
from ..errors import AAMError, counted, examples, verb
from ..parameters import DEFAULT
from .chosen_model import refuse_encoder_twice
from .inputs import TrainingSamples, merge_sequences, read_training_samples

_DRAWS = 32  # of folds, until every class is left to learn from in each
_FOREST = "q2-sample-classifier's random forest"


@dataclasses.dataclass(frozen=True)
class _Task:
    """The actions by which numbers or classes are learned, and what they predict besides."""

    fit: str
    predict: str
    model: str
    tables: tuple[str, ...]


_REGRESSION = _Task("fit_regressor", "predict_regression", "regressor", ("intervals",))
_CLASSIFICATION = _Task(
    "fit_classifier", "predict_classification", "classifier", ("probabilities", "recognition")
)


def regress_samples(
    ctx,
    table,
    metadata,
    sequences=None,
    encoder=None,
    distance_matrix=None,
    taxonomy=None,
    groups=None,
    folds=DEFAULT["folds"],
    test_size=DEFAULT["test_size"],
    covariates=None,
    covariate_columns=None,
    missing_samples=DEFAULT["missing_samples"],
    bound_predictions=DEFAULT["bound_predictions"],
    confidence_level=DEFAULT["confidence_level"],
    pretrained=DEFAULT["pretrained"],
    features=DEFAULT["features"],
    attention_head=DEFAULT["attention_head"],
    device=DEFAULT["device"],
    random_seed=DEFAULT["random_seed"],
):
    """Predict held-out samples by a model and by a random forest, and fit a model on them all."""
    given = dict(locals())
    to_fit = {name: given[name] for name in (*_TO_FIT, "bound_predictions")}
    found = _cross_validate(given, _REGRESSION, to_fit, {"confidence_level": confidence_level})
    (evaluation,) = ctx.get_action("aam", "evaluate_regression")(
        predictions=found.predictions,
        intervals=found.tables["intervals"],
        baseline_predictions=found.forest[0],
        **found.to_evaluate,
    )
    return (
        found.model, found.log, found.predictions, found.tables["intervals"], found.forest[0],
        found.importance, evaluation,
    )  # fmt: skip


def classify_samples(
    ctx,
    table,
    metadata,
    sequences=None,
    encoder=None,
    distance_matrix=None,
    taxonomy=None,
    groups=None,
    folds=DEFAULT["folds"],
    test_size=DEFAULT["test_size"],
    covariates=None,
    covariate_columns=None,
    missing_samples=DEFAULT["missing_samples"],
    class_weights=DEFAULT["class_weights"],
    pretrained=DEFAULT["pretrained"],
    features=DEFAULT["features"],
    attention_head=DEFAULT["attention_head"],
    device=DEFAULT["device"],
    random_seed=DEFAULT["random_seed"],
):
    """Predict held-out samples by a model and by a random forest, and fit a model on them all."""
    given = dict(locals())
    to_fit = {name: given[name] for name in (*_TO_FIT, "class_weights")}
    found = _cross_validate(given, _CLASSIFICATION, to_fit, {})
    (evaluation,) = ctx.get_action("aam", "evaluate_classification")(
        predictions=found.predictions,
        probabilities=found.tables["probabilities"],
        recognition=found.tables["recognition"],
        baseline_predictions=found.forest[0],
        baseline_probabilities=found.forest[1],
        **found.to_evaluate,
    )
    return (
        found.model, found.log, found.predictions, found.tables["probabilities"], *found.forest,
        found.importance, evaluation,
    )  # fmt: skip


_TO_FIT = (
    "metadata", "sequences", "groups", "covariates", "covariate_columns", "missing_samples",
    "pretrained", "features", "attention_head", "device", "random_seed",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Found:
    """Artifacts of a cross-validation; `model` and `log` are of the fit on every sample."""

    model: object
    log: object
    predictions: object
    tables: dict
    forest: list
    importance: object
    to_evaluate: dict


def _cross_validate(given: dict, task: _Task, to_fit: dict, to_predict: dict) -> _Found:
    """Check everything, then fit and predict each part, and fit on everything."""
    ctx, table = given["ctx"], given["table"]
    training = _check(given)
    parts = make_folds(training, given["folds"], given["test_size"], given["random_seed"])
    for kept, held in parts:
        _refuse_unlearnable_part(training, kept, held)
    to_fit = {name: value for name, value in to_fit.items() if value is not None}
    encoder = _encoder(given)
    if encoder is not None:
        to_fit["encoder"] = encoder
    to_read = {name: to_fit[name] for name in ("sequences", "covariates") if name in to_fit}
    fit, predict = ctx.get_action("aam", task.fit), ctx.get_action("aam", task.predict)
    logs, results, forests = [], [], []
    for number, (kept, held) in enumerate(parts, start=1):
        if len(parts) > 1:
            print(f"fold {number} of {len(parts)}", flush=True)
        train, test = _select(ctx, table, kept), _select(ctx, table, held)
        model, log = fit(table=train, **to_fit)
        logs.append(log)
        results.append(predict(table=test, **{task.model: model}, **to_read, **to_predict))
        forests.append(_predict_by_forest(ctx, task, train, test, given))
    print("fitting on all samples", flush=True)
    model, log = fit(table=table, **to_fit)
    (importance,) = ctx.get_action("aam", "feature_importance")(table=table, model=model, **to_read)
    predictions = _merged(ctx, "_merge_predictions", [one[0] for one in results])
    tables = {
        name: _merged(ctx, "_merge_tables", [one[place] for one in results])
        for place, name in enumerate(task.tables, start=1)
    }
    forest = [_merged(ctx, "_merge_predictions", [one[0] for one in forests])]
    if "probabilities" in task.tables:
        forest.append(_merged(ctx, "_merge_tables", [one[1] for one in forests]))
    to_evaluate = {
        "truth": given["metadata"],
        "importance": importance,
        "training_log": logs[0] if len(logs) == 1 else log,
        "design": describe_design(training, parts, given),
        **{name: given[name] for name in ("groups", "sequences", "taxonomy") if given[name]},
        "table": table,
    }
    return _Found(model, log, predictions, tables, forest, importance, to_evaluate)


def _check(given: dict) -> TrainingSamples:
    """Refuse, before any work, what an action would refuse after hours."""
    if given["folds"] and given["test_size"] != DEFAULT["test_size"]:
        raise AAMError(
            f"'test_size' was given with {given['folds']} 'folds', which predict every sample "
            "once: it would have no effect. Leave one of them out."
        )
    refuse_encoder_twice(given["encoder"], given["pretrained"])
    matrix, sequences = given["distance_matrix"], given["sequences"]
    if matrix is not None:
        from q2_types.distance_matrix import DistanceMatrixDirectoryFormat

        matrix = matrix.view(DistanceMatrixDirectoryFormat)
    training = read_training_samples(
        given["table"].view(biom.Table), given["metadata"], given["groups"], given["covariates"],
        given["covariate_columns"], matrix, given["missing_samples"],
    )  # fmt: skip
    dna = None if sequences is None else merge_sequences(sequences.view(pd.Series))
    sequences_of(training.samples.feature_ids, dna)
    return training


def _refuse_unlearnable_part(training: TrainingSamples, kept: list[str], held: list[str]) -> None:
    """Refuse a part whose target or covariates a fit on it, or a prediction, would refuse."""
    if training.classes is None:
        values = training.values[kept].to_numpy()
        require_variation(values, training.values.name, "training samples")
    if training.covariates is not None:
        described = describe_covariates(training.covariates.loc[kept])
        encode_covariates(described, training.covariates.loc[held])


def make_folds(
    training: TrainingSamples, folds: int, test_size: float, seed: int
) -> list[tuple[list[str], list[str]]]:
    """Divide samples into parts to fit on and parts to predict, whole groups at a time.

    Parameters
    ----------
    training : TrainingSamples
    folds : int
        0 holds out one share; k predicts every sample once.
    test_size : float
        Share to hold out if `folds` is 0.
    seed : int

    Returns
    -------
    list of (fitted on, predicted)

    Raises
    ------
    AAMError
        If there are fewer groups than folds, nothing would be held out, or a class would be left
        without samples to learn from.
    """
    ids, groups, classes = training.samples.sample_ids, training.groups, training.classes
    if folds == 0:
        if test_size * len(ids) < 1:
            raise AAMError(
                f"A 'test_size' of {test_size:g} holds out no sample of {len(ids):,}. Raise it to "
                f"at least {1 / len(ids):.2g}, or set 'folds' to 5 to predict every sample once."
            )
        parts = [train_test_split(ids, test_size, seed, groups, classes)]
    elif folds == 1:
        raise AAMError(
            "'folds' is 1, which would leave nothing to fit on. Set it to 0 for one split, or to "
            "5 to predict every sample once."
        )
    else:
        parts = _folds(np.array(sorted(ids)), folds, seed, groups, classes)
    _refuse_lost_classes(parts, training, folds)
    return parts


def _folds(ids: np.ndarray, folds: int, seed: int, groups, classes):
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    of_groups = np.array([groups[name] if groups else name for name in ids])
    number, what = len(set(of_groups)), "group" if groups else "sample"
    if number < folds:
        choose = ", or choose other 'groups'" if groups else ""
        raise AAMError(
            f"There are {counted(number, what)} for {folds} folds. Set 'folds' to at most "
            f"{number}{choose}."
        )
    # numbers are one class: samples or groups are then divided by their sizes alone
    of_classes = [classes[name] for name in ids] if classes else np.zeros(len(ids), dtype=int)
    kind = StratifiedGroupKFold if groups else StratifiedKFold
    for draw in range(_DRAWS):  # few groups may all fall into one fold: draw again
        splitter = kind(folds, shuffle=True, random_state=(seed + draw) % 2**32)
        parts = [
            (ids[kept].tolist(), ids[held].tolist())
            for kept, held in splitter.split(ids, of_classes, of_groups)
        ]
        if classes is None or not any(_lost(kept, classes) for kept, _ in parts):
            break
    return parts


def _lost(kept: list[str], classes: dict[str, str]) -> list[str]:
    """Name the classes that are left with too few samples to learn from."""
    left = Counter(classes[name] for name in kept)
    return sorted(one for one in set(classes.values()) if left[one] < FEWEST_OF_A_CLASS)


def _refuse_lost_classes(parts, training: TrainingSamples, folds: int) -> None:
    classes, groups = training.classes, training.groups
    for number, (kept, _) in enumerate(parts if classes else (), start=1):
        lost = _lost(kept, classes)
        if not lost:
            continue
        left, total = Counter(classes[name] for name in kept), Counter(classes.values())
        shown = []
        for one in lost:
            where = f"{one}: {counted(total[one], 'sample')}"
            if groups:
                of_class = {groups[name] for name in classes if classes[name] == one}
                where += f" in {counted(len(of_class), 'group')}"
            shown.append(f"{where}, of which {left[one]} {verb(left[one], 'remain')} to learn from")
        part = f"in fold {number} of {folds}" if folds else "after holding out the test samples"
        raise AAMError(
            f"{counted(len(lost), 'class', 'classes')} would have fewer than {FEWEST_OF_A_CLASS} "
            f"samples to learn from {part}: {examples(shown)}.\nJoin classes, blank their cells to "
            "leave these samples out, or choose fewer 'folds', a smaller 'test_size' or other "
            "'groups'."
        )


def _encoder(given: dict):
    """Return the encoder to fit with: pretrained on all samples where a matrix is given."""
    if given["distance_matrix"] is None:
        return given["encoder"]
    ctx = given["ctx"]
    optional = {"initial_encoder": given["encoder"]} if given["encoder"] else {}
    if given["sequences"]:
        optional["sequences"] = [given["sequences"]]
    print("pretraining on all samples, without labels", flush=True)
    encoder, _ = ctx.get_action("aam", "pretrain")(
        tables=[given["table"]],
        distance_matrices=[given["distance_matrix"]],
        **optional,
        **{name: given[name] for name in ("missing_samples", "device", "random_seed")},
    )
    return encoder


def _select(ctx, table, sample_ids: list[str]):
    """Keep some samples of a table, and the features that they hold."""
    ids = qiime2.Metadata(pd.DataFrame(index=pd.Index(sample_ids, name="id")))
    (kept,) = ctx.get_action("feature_table", "filter_samples")(table=table, metadata=ids)
    return kept


def _predict_by_forest(ctx, task: _Task, train, test, given: dict):
    """Predict by q2-sample-classifier's random forest, as it comes."""
    estimator, _ = ctx.get_action("sample_classifier", task.fit)(
        table=train,
        metadata=given["metadata"],
        random_state=given["random_seed"],
        missing_samples="ignore",
    )
    return ctx.get_action("sample_classifier", task.predict)(table=test, sample_estimator=estimator)


def _merge_predictions(predictions: PredictionsDirectoryFormat) -> PredictionsDirectoryFormat:
    """Join predictions of different samples, as they are written: ``NA`` is a class like others."""
    header, lines = "", []
    for part in predictions:
        file = part.path / "predictions.tsv"
        header, *rest = file.read_text(encoding="utf-8").splitlines()
        lines.extend(rest)
    merged = PredictionsDirectoryFormat()
    content = "\n".join([header, *sorted(lines)]) + "\n"
    (merged.path / "predictions.tsv").write_text(content, encoding="utf-8")
    return merged


def _merge_tables(tables: pd.DataFrame) -> pd.DataFrame:
    """Join numbers of different samples; a class that one part did not know has none there."""
    merged = pd.concat(list(tables)).fillna(0.0).sort_index()
    merged.index.name = "id"
    return merged


def _merged(ctx, action: str, parts: list):
    """Join parts by one of the methods above, so that provenance shows where they come from."""
    if len(parts) == 1:
        return parts[0]
    (merged,) = ctx.get_action("aam", action)(parts)
    return merged


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
    if given["distance_matrix"] is not None:
        words.append("encoder pretrained on the distances of all samples, without labels")
    words.append(f"compared with {_FOREST} on the same samples")
    return "; ".join(words) + "."

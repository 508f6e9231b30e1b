"""Row 11: whatever is given to whichever action, it works or says in one message what is wrong."""

import traceback

import numpy as np
import pandas as pd
import pytest
import qiime2
from bad_inputs import Inputs, pick
from golden_models import read_inputs
from qiime2.plugin import ValidationError
from simulated_study import QUICK_FIT, TINY
from trials import ALONE, count, repeat

from q2_aam.errors import AAMError

SETTINGS = TINY | {"hidden_size": 8, "branches": 16, "epochs": 1}
FORECASTS = ("predictions", "intervals", "classes", "probabilities", "recognition")


@pytest.fixture(scope="module")
def sound(aam, golden):
    """Inputs in order: counts, metadata and distances; and artifacts made from them."""
    table, metadata = read_inputs(golden)
    matrix = pd.read_csv(golden / "unifrac.tsv", sep="\t", index_col=0)
    made = {path.stem: qiime2.Artifact.load(str(path)) for path in golden.glob("*.qza")}
    numbers = aam.predict_regression(table, made["regressor"], confidence_level=0.5)
    classes = aam.predict_classification(table, made["classifier"], covariates=metadata)
    views = (pd.Series, pd.DataFrame, pd.Series, pd.DataFrame, pd.DataFrame)
    forecasts = [one.view(view) for one, view in zip((*numbers, *classes), views, strict=True)]
    inputs = table.view(pd.DataFrame), metadata.to_dataframe(), matrix
    return inputs, made, dict(zip(FORECASTS, forecasts, strict=True))


def learning_calls(aam, given: Inputs, models: dict, random) -> dict:
    """Prepare a call of each action that trains."""
    missing = {"missing_samples": pick(random, ["error", "ignore"])}
    size = {"validation_size": float(random.uniform(0, 0.5))}
    descent = {"freeze_encoder": False, "epochs": 1, "batch_size": 8, **size}
    fitting = {"encoder": pick(random, [None, models["encoder"], models["encoder"]])}
    splitting = {
        "folds": pick(random, [0, 0, 0, 1, 4, 40]),
        "test_size": float(pick(random, [0.1, 0.2, 0.3, random.uniform(0, 0.9)])),
        "device": "cpu",
    }
    tree_settings = ("hidden_size", "heads", "layers", "epochs", "batch_size", "threads", "device")
    of_tree = {name: SETTINGS[name] for name in tree_settings if name in SETTINGS}
    steps = {"steps": 20, "lowest_rate": 10.0 ** random.integers(-6, 2) / 10, "threads": 1}

    def optional() -> dict:
        return {
            "sequences": given.maybe(given.sequences),
            "distance_matrix": given.maybe(given.distances),
        }

    def of_fit() -> dict:
        groups = given.maybe(lambda: given.words("sex"))
        return missing | fitting | {"groups": groups} | optional() | given.covariates()

    def of_descent() -> dict:
        return QUICK_FIT | of_fit() | pick(random, [{}, descent])

    return {
        "pretrain": lambda: aam.pretrain(
            [given.table()] * pick(random, [1, 1, 2]), [given.distances()],
            **SETTINGS | missing | size,
        ),
        "pretrain_from_phylogeny": lambda: aam.pretrain_from_phylogeny(
            given.sequences(), given.phylogeny(), table=given.maybe(given.table),
            initial_encoder=pick(random, [None, models["encoder"]]), **of_tree, **size,
        ),
        "load_encoder": aam.load_encoder,
        "fit_regressor": lambda: aam.fit_regressor(
            given.table(), given.number(), **of_descent()
        ),
        "fit_classifier": lambda: aam.fit_classifier(
            given.table(), given.words(), **of_descent()
        ),
        "regress_samples": lambda: aam.regress_samples(
            given.table(), given.number(), **of_fit() | splitting
        ),
        "classify_samples": lambda: aam.classify_samples(
            given.table(), given.words(), **of_fit() | splitting
        ),
        "find_learning_rate": lambda: aam.find_learning_rate(
            given.table(), metadata=given.maybe(given.column, 0.8),
            **missing | fitting | steps | optional(),
        ),
    }  # fmt: skip


def reading_calls(aam, given: Inputs, models: dict, random) -> dict:
    """Prepare a call of each action that reads samples by a model, or divides them."""

    def table() -> dict:
        return {"table": given.table(), "sequences": given.maybe(given.sequences)}

    def covariates() -> dict:
        return {"covariates": given.maybe(given.metadata, 0.7)}

    def model(*names):
        return models[pick(random, names)]

    fitted = ("regressor", "regressor-of-quantiles", "classifier")
    return {
        "predict_regression": lambda: aam.predict_regression(
            regressor=model(*fitted), **table(), **covariates()
        ),
        "predict_classification": lambda: aam.predict_classification(
            classifier=model("classifier"), **table(), **covariates()
        ),
        "predict_distances": lambda: aam.predict_distances(
            model=model("encoder", "encoder", *fitted), **table()
        ),
        "embed_samples": lambda: aam.embed_samples(
            model=model("encoder", *fitted), **table(),
            content=pick(random, ["branches", "presence", "pooled"]),
            dimensions=pick(random, [0, 2, 15, 10**6]),
        ),
        "feature_importance": lambda: aam.feature_importance(
            model=model(*fitted), **table(), **covariates(), samples_per_feature=2
        ),
        "check_table": lambda: aam.check_table(model=model(*fitted), **table()),
        "split_samples": lambda: aam.split_samples(
            given.table(), given.column(), groups=given.maybe(given.column),
            test_size=float(random.uniform(0, 0.9)),
            missing_samples=pick(random, ["error", "ignore"]),
        ),
    }  # fmt: skip


def judging_calls(aam, given: Inputs, models: dict, forecasts: dict, random) -> dict:
    """Prepare a call of each action that compares what was predicted."""

    def numbers():
        return given.imported("RegressorPredictions", forecasts["predictions"])

    def intervals():
        return given.imported("PredictionIntervals", forecasts["intervals"])

    def classes():
        return given.imported("ClassifierPredictions", forecasts["classes"])

    def shares():
        return given.imported("Probabilities", forecasts["probabilities"])

    log = pick(random, [None, models["training-log"]])
    return {
        "evaluate_regression": lambda: aam.evaluate_regression(
            numbers(), given.number(), intervals=given.maybe(intervals),
            baseline_predictions=given.maybe(numbers), groups=given.maybe(given.column),
            color_by=given.maybe(given.column), training_log=log,
        ),
        "evaluate_classification": lambda: aam.evaluate_classification(
            classes(), given.words(), probabilities=given.maybe(shares),
            baseline_predictions=given.maybe(classes),
            baseline_probabilities=given.maybe(shares), groups=given.maybe(given.column),
            training_log=log,
        ),
        "evaluate_distances": lambda: aam.evaluate_distances(
            given.distances(), given.distances(), color_by=given.maybe(given.column)
        ),
        "summarize_training": lambda: aam.summarize_training(models["training-log"]),
    }  # fmt: skip


def calls(aam, sound, random) -> dict:
    """Prepare a call of every action, each with inputs of which some may be wrong."""
    inputs, models, forecasts = sound
    given = Inputs(*inputs, random)
    return {
        **learning_calls(aam, given, models, random),
        **reading_calls(aam, given, models, random),
        **judging_calls(aam, given, models, forecasts, random),
    }


def test_every_action_is_tried(aam, sound):
    from q2_aam.plugin_setup import plugin

    prepared = calls(aam, sound, np.random.default_rng(0))
    assert sorted(prepared) == sorted(name for name in plugin.actions if name[0] != "_")


def through_our_code(error: BaseException) -> bool:
    """Tell whether an error came out of the package, not of the framework around it."""
    frames = traceback.extract_tb(error.__traceback__)
    return any("/q2_aam/" in frame.filename for frame in frames)


def check_message(message: str) -> None:
    assert len(message.splitlines()) <= 10, message
    assert len(message) < 2000, message
    assert message[-1] in ".!'", message


@pytest.mark.filterwarnings("ignore")
def test_row_11_any_input_works_or_is_explained(aam, sound, tmp_path, monkeypatch):
    refused, done = set(), set()

    def check(random, number):
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / f"runs {number}"))
        prepared = calls(aam, sound, random)
        names = sorted(prepared)
        name = names[number % len(names)]
        try:
            prepared[name]()
        except AAMError as error:
            check_message(str(error))
            refused.add(name)
        except ValidationError as error:
            check_message(str(error))
        except (TypeError, ValueError) as error:  # what QIIME 2 itself refuses
            assert not through_our_code(error), f"{name}: {error!r}"
        else:
            done.add(name)

    repeat(check, 34, 360, seed=11)
    assert ALONE or len(refused) >= count(6, 15), refused
    assert ALONE or len(done) >= count(6, 15), done

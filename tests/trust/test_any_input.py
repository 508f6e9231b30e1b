"""Row 11: whatever is given to whichever action, it works or says in one message what is wrong."""

import traceback
from functools import partial

import pandas as pd
import pytest
import qiime2
from bad_inputs import Inputs
from golden_models import read_inputs
from qiime2.plugin import ValidationError
from simulated_study import QUICK_FIT, TINY
from trials import ALONE, count, pick, repeat

from q2_aam.errors import AAMError

SETTINGS = TINY | {"hidden_size": 8, "branches": 16, "epochs": 1}
FITTED = ("regressor", "regressor-of-quantiles", "classifier")
NUMBERS = ("RegressorPredictions", "predictions")
CHANCES = {"model": 1, "encoder": 2 / 3, "metadata": 0.8}  # that an optional input is given
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


def settings_for(name: str, given: Inputs, random) -> dict:
    """Draw the parameters of an action; those that it has not are left out by the caller."""
    descent = {"epochs": 1, "batch_size": 8, "validation_size": float(random.uniform(0, 0.5))}
    settings = {
        "missing_samples": pick(random, ["error", "ignore"]),
        "folds": pick(random, [0, 0, 0, 1, 4, 40]),
        "test_size": float(pick(random, [0.1, 0.2, 0.3, random.uniform(0, 0.9)])),
        "content": pick(random, ["branches", "presence", "pooled"]),
        "dimensions": pick(random, [0, 2, 15, 10**6]),
        "samples_per_feature": 2,
        "steps": 20,
        "lowest_rate": 10.0 ** random.integers(-6, 2) / 10,
        "device": "cpu",
    }
    if name.startswith("pretrain"):
        return settings | SETTINGS | descent
    if name in ("fit_regressor", "fit_classifier", "regress_samples", "classify_samples"):
        settings |= QUICK_FIT | given.covariates()
        return settings | pick(random, [{}, descent | {"freeze_encoder": False}])
    return settings | {"threads": 1, "covariates": given.maybe(given.metadata, 0.7)}


def draws(name: str, given: Inputs, models: dict, forecasts: dict, random) -> dict:
    """Say how each input, and each column, of an action is drawn."""
    of_classes, drawn = "classif" in name, {}
    column = given.words if of_classes else given.number
    for what in ("table", "sequences", "phylogeny"):
        drawn[what] = getattr(given, what)
    for what in ("distance_matrix", "predicted", "actual"):
        drawn[what] = given.distances
    for what in ("encoder", "initial_encoder", "classifier"):
        drawn[what] = partial(models.get, what.removeprefix("initial_"))
    for what in ("", "baseline_"):
        kind = ("ClassifierPredictions", "classes") if of_classes else NUMBERS
        drawn[f"{what}predictions"] = partial(given.imported, kind[0], forecasts[kind[1]])
        shares = partial(given.imported, "Probabilities", forecasts["probabilities"])
        drawn[f"{what}probabilities"] = shares
    any_column = name in ("split_samples", "find_learning_rate")
    return drawn | {
        "tables": lambda: [given.table()] * pick(random, [1, 1, 2]),
        "distance_matrices": lambda: [given.distances()],
        "model": lambda: models[pick(random, ["encoder", *FITTED])],
        "regressor": lambda: models[pick(random, FITTED)],
        "training_log": lambda: models["training-log"],
        "intervals": partial(given.imported, "PredictionIntervals", forecasts["intervals"]),
        "metadata": given.column if any_column else column,
        "truth": column,
        "groups": given.column if any_column else partial(given.words, "sex"),
        "color_by": given.column,
    }


def prepare(aam, name: str, sound, random):
    """Prepare a call of an action, whose inputs and settings may be wrong."""
    inputs, models, forecasts = sound
    given = Inputs(*inputs, random)
    action = getattr(aam, name)
    drawn, arguments = draws(name, given, models, forecasts, random), {}
    for what, spec in (action.signature.inputs | action.signature.parameters).items():
        if what in drawn and (what != "sequences" or name != "pretrain"):
            chance = CHANCES.get(what, 0.4) if spec.has_default() else 1
            arguments[what] = given.maybe(drawn[what], chance)
    settings = settings_for(name, given, random)
    arguments |= {k: v for k, v in settings.items() if k in action.signature.parameters}
    return partial(action, **arguments)


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
    from q2_aam.plugin_setup import plugin

    names = sorted(name for name in plugin.actions if name[0] != "_")
    refused, done = set(), set()

    def check(random, number):
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / f"runs {number}"))
        name = names[number % len(names)]
        call = prepare(aam, name, sound, random)
        try:
            call()
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

"""Row 11: whatever is given to whichever action, it works or says in one message what is wrong."""

import hashlib
import traceback

import biom
import numpy as np
import pandas as pd
import pytest
import qiime2
import skbio
from golden_models import read_inputs
from simulated_study import TINY, distances_artifact, table_artifact
from trials import ALONE, repeat

from q2_aam.errors import AAMError

SETTINGS = TINY | {"hidden_size": 8, "branches": 16, "epochs": 1}


def pick(random, choices):
    return choices[int(random.integers(len(choices)))]


# Each changes a list of ids, or rows by id.


def renamed(change):
    return lambda frame, random: frame.set_axis([change(name) for name in frame.index])


def some(frame, random):
    return frame.iloc[random.permutation(len(frame))[: random.integers(1, len(frame) + 1)]]


def shuffled(frame, random):
    return frame.iloc[random.permutation(len(frame))]


def unchanged(frame, random):
    return frame


ROWS = [
    unchanged, some, shuffled, renamed(str.lower), renamed(lambda name: f"1.{name}"),
    renamed(lambda name: f"{name}-x"), renamed(lambda name: f"0{name}"),
]  # fmt: skip


def bad_table(counts: pd.DataFrame, random) -> biom.Table:
    """Change the rows, the values or the names of the features of a table."""
    counts = pick(random, ROWS)(counts, random).copy()
    kind = int(random.integers(8))
    if kind == 0:
        counts.iloc[:, :] = 0
    elif kind == 1:
        counts.iloc[random.integers(len(counts))] = pick(random, [0, np.nan, -1, 1e308, 0.5])
    elif kind == 2:
        counts = counts.set_axis([hashlib.md5(n.encode()).hexdigest() for n in counts], axis=1)
    elif kind == 3:
        cut = int(random.integers(1, 20))
        counts = counts.set_axis(
            [f"{name[:cut]}{'N' * place}" for place, name in enumerate(counts)], axis=1
        )
    elif kind == 4:
        counts = counts.iloc[:, : int(random.integers(1, 4))]
    elif kind == 5:
        counts = counts.iloc[: int(random.integers(0, 3))]
    return biom.Table(counts.to_numpy().T.astype(float), list(counts), list(counts.index))


def bad_column(values: pd.Series, random) -> pd.Series:
    """Change the rows or the values of a metadata column."""
    values = pick(random, ROWS)(values, random).copy()
    kind, place = int(random.integers(6)), random.integers(len(values), size=random.integers(1, 9))
    if kind == 0:
        values.iloc[:] = values.iloc[0]
    elif kind == 1:
        values.iloc[place] = None
    elif kind == 2 and values.dtype != object:
        values.iloc[place] = pick(random, [np.inf, 1e308, -1.0, 0.0])
    elif kind == 3 and values.dtype == object:
        values.iloc[place] = pick(random, ["NA", "", " ", "x" * 100])
    return values.rename_axis("id")


def bad_matrix(matrix: pd.DataFrame, random):
    """Change the rows of a distance matrix, or make its values wrong."""
    changed = pick(random, ROWS)(matrix, random)
    values = random.uniform(0, pick(random, [1, 1, 2]), (len(changed), len(changed)))
    values = np.triu(values, 1) + np.triu(values, 1).T
    return distances_artifact(skbio.DistanceMatrix(values, list(changed.index)))


@pytest.fixture(scope="module")
def sound(aam, golden):
    table, metadata = read_inputs(golden)
    matrix = pd.read_csv(golden / "unifrac.tsv", sep="\t", index_col=0)
    counts = table.view(pd.DataFrame)
    models = {path.stem: qiime2.Artifact.load(str(path)) for path in golden.glob("*.qza")}
    found = aam.predict_regression(table, models["regressor"], interval=0.5)
    models["predictions"] = found.predictions
    return counts, metadata.to_dataframe(), matrix, models


def calls(aam, sound, random) -> dict:
    """Prepare a call of every action with inputs of which each may be wrong."""
    counts, rows, matrix, models = sound
    table = table_artifact(bad_table(counts, random))
    age = qiime2.NumericMetadataColumn(bad_column(rows["age"], random))
    stage = qiime2.CategoricalMetadataColumn(bad_column(rows["stage"], random))
    sex = qiime2.CategoricalMetadataColumn(bad_column(rows["sex"], random))
    covariates = qiime2.Metadata(pick(random, ROWS)(rows, random).rename_axis("id"))
    named = list(random.permutation(["sex", "bmi", "stage", "nothing"])[: random.integers(3)])
    given = {"covariates": covariates, "covariate_columns": named} if named else {}
    if random.random() < 0.3:
        given["groups"] = sex
    missing = {"missing_samples": pick(random, ["error", "ignore"])}
    fitting = SETTINGS | given | missing
    size = {"validation_size": float(random.uniform(0, 0.5))}
    distances = bad_matrix(matrix, random)
    return {
        "pretrain": lambda: aam.pretrain([table], [distances], **SETTINGS | missing | size),
        "fit_regressor": lambda: aam.fit_regressor(table, age, **fitting | size),
        "fit_classifier": lambda: aam.fit_classifier(table, stage, **fitting | size),
        "predict_regression": lambda: aam.predict_regression(
            table, models[pick(random, ["regressor", "regressor-of-quantiles"])],
            covariates=pick(random, [None, covariates]),
        ),
        "predict_classification": lambda: aam.predict_classification(
            table, models["classifier"], covariates=pick(random, [None, covariates])
        ),
        "predict_distances": lambda: aam.predict_distances(
            table, models[pick(random, ["encoder", "regressor"])]
        ),
        "split_samples": lambda: aam.split_samples(
            table, pick(random, [age, stage]), test_size=float(random.uniform(0, 1)), **missing
        ),
        "evaluate_regression": lambda: aam.evaluate_regression(models["predictions"], age),
        "summarize_training": lambda: aam.summarize_training(models["training-log"]),
    }  # fmt: skip


def through_our_code(error: BaseException) -> bool:
    """Tell whether an error came out of the package, not of the framework around it."""
    frames = traceback.extract_tb(error.__traceback__)
    return any("/q2_aam/" in frame.filename for frame in frames)


def test_row_11_any_input_works_or_is_explained(aam, sound, tmp_path, monkeypatch):
    refused = set()

    def check(random, number):
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / f"runs {number}"))
        try:
            prepared = calls(aam, sound, random)
        except ValueError as error:
            assert not through_our_code(error)
            return  # metadata that QIIME 2 itself refuses
        names = sorted(prepared)
        name = names[number % len(names)]
        try:
            prepared[name]()
        except AAMError as error:
            message = str(error)
            assert len(message.splitlines()) <= 10, message
            assert len(message) < 2000, message
            assert message[-1] in ".!'", message
            refused.add(name)
        except (TypeError, ValueError) as error:
            assert not through_our_code(error), f"{name}: {error!r}"

    repeat(check, 18, 300, seed=11)
    assert ALONE or len(refused) >= 3

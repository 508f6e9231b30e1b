"""Row 11: whatever is given to whichever action, it works or says in one message what is wrong.

Inputs are of every kind, as a hurried or unlucky user gives them: two in three are sound.
"""

import functools
import hashlib
import traceback
from functools import partial

import biom
import numpy as np
import pandas as pd
import pytest
import qiime2
import simulated_study as sim
import skbio
from golden_models import read_inputs
from qiime2.plugin import ValidationError
from trials import ALONE, count, pick, repeat

from q2_aam.errors import AAMError

SETTINGS = sim.TINY | {"hidden_size": 8, "branches": 16, "epochs": 1}
FITTED = ("regressor", "regressor-of-quantiles", "classifier")
NUMBERS, CLASSES = ("RegressorPredictions", "predictions"), ("ClassifierPredictions", "classes")
CHANCES = {"model": 1, "encoder": 2 / 3, "metadata": 0.8}  # that an optional input is given
FORECASTS = ("predictions", "intervals", "classes", "probabilities", "recognition")
ODD_NUMBERS = [np.nan, np.inf, -np.inf, 1e308, -1e308, 1e-320, -1.0, 0.0]
ODD_WORDS = ["NA", "nan", "", " ", "0", "x" * 100, "<b>", "🦠"]

# --- what may be wrong with an input: each takes it and a random generator ------------------------


def replaced(values, random, value):
    """Replace some values, now and then all."""
    number = pick(random, [1, 2, 7, len(values)])
    values.iloc[random.integers(len(values), size=number)] = value
    return values


def odd_values(values, random):
    odd = ODD_WORDS if values.dtype == object else ODD_NUMBERS
    return replaced(values, random, pick(random, odd))


def odd_sample(counts, random):
    counts.iloc[random.integers(len(counts))] = pick(random, [*ODD_NUMBERS, 0.5])
    return counts


def cut_names(counts, random):
    cut = int(random.integers(1, 20))
    names = [f"{name[:cut]}{'N' * place}" for place, name in enumerate(counts)]
    return counts.set_axis(names, axis=1)


def one_class_each(values, random):
    return values if values.dtype != object else pd.Series(values.index + " own", values.index)


def odd_column(frame, random):
    name = pick(random, list(frame))
    return frame.assign(**{name: spoil(COLUMN, frame[name], random)})


ROWS = [
    *[lambda frame, random: frame] * 2,
    lambda frame, random: frame.sample(frac=random.uniform(0.1, 1), random_state=random),
    lambda frame, random: frame.sample(frac=1, random_state=random),
    lambda frame, random: frame.rename(str.lower),
    lambda frame, random: frame.rename(pick(random, ["1.{}", "{}-x", "0{}"]).format),
]
TABLE = [
    *[lambda counts, random: counts] * 2, odd_sample, cut_names,
    lambda counts, random: counts * 0,
    lambda counts, random: counts.rename(columns=lambda dna: hashlib.md5(dna.encode()).hexdigest()),
    lambda counts, random: counts.iloc[:, : int(random.integers(1, 4))],
    lambda counts, random: counts.iloc[: int(random.integers(0, 3))],
]  # fmt: skip
COLUMN = [
    lambda values, random: values, odd_values, one_class_each,
    lambda values, random: replaced(values, random, None),
    lambda values, random: values.where(values.index == values.index[0], values.iloc[0]),
]  # fmt: skip
FRAME = [
    lambda frame, random: frame, odd_column,
    lambda frame, random: frame.sample(frac=1, axis=1, random_state=random),
    lambda frame, random: frame.iloc[:, : int(random.integers(1, frame.shape[1] + 1))],
]  # fmt: skip
DNA = [
    ROWS[2],
    lambda dna, random: dna.set_axis([*dna.index[1:], "another"]),
    lambda dna, random: dna.where(
        random.random(len(dna)) < 0.5, pick(random, ["N" * 30, "A", "ACGTRYKM" * 5])
    ),
]


def as_metadata(values):
    """Leave out what QIIME 2 itself refuses in metadata: blank words and infinities."""
    return values.replace(r"^\s*$", np.nan, regex=True).replace([np.inf, -np.inf], np.nan)


def spoil(faults, sound, random):
    """Change rows, and then something else."""
    return pick(random, faults)(pick(random, ROWS)(sound, random).copy().rename_axis("id"), random)


class Inputs:
    """Draws the inputs of a call; each is either sound or spoiled in one way.

    `counts` (samples × ASVs) are named by their DNA; `rows` are metadata: age (a number), stage,
    sex, bmi; `square` has distances between the samples.
    """

    def __init__(self, counts, rows, square, random):
        self.counts, self.rows, self.square, self.random = counts, rows, square, random

    def drawn(self, sound, faults):
        """Return something as it is, or spoiled."""
        return spoil(faults, sound, self.random) if self.random.random() < 1 / 3 else sound

    def maybe(self, draw, chance: float = 0.4):
        """Draw an optional input, or none."""
        return draw() if self.random.random() < chance else None

    @functools.cached_property
    def _counts(self) -> pd.DataFrame:
        return self.drawn(self.counts, TABLE)

    def table(self) -> qiime2.Artifact:
        """A table; the same whenever it is asked for."""
        counts = self._counts
        values = counts.to_numpy().T.astype(float)
        return sim.table_artifact(biom.Table(values, list(counts), list(counts.index)))

    def sequences(self) -> qiime2.Artifact:
        """Sequences by the ids that the table has, or should have."""
        dna = pd.Series({name: name for name in self.counts})
        if self._counts.shape[1] == len(dna) and self.random.random() < 0.8:
            dna.index = list(self._counts)
        if self.random.random() < 1 / 3:
            dna = pick(self.random, DNA)(dna, self.random)
        return sim.sequences_artifact(dna)

    def column(self, *names: str) -> qiime2.MetadataColumn:
        """One of some columns of the metadata."""
        name = pick(self.random, names or ["age", "stage"])
        values = self.drawn(self.rows[name], COLUMN).rename(name)
        return sim.column_of(as_metadata(values.astype(float if name == "age" else object)))

    def metadata(self) -> qiime2.Metadata:
        return qiime2.Metadata(as_metadata(self.drawn(self.rows, FRAME).rename_axis("id")))

    def covariates(self) -> dict:
        """The covariates of a fit, if any, and which columns to take."""
        if self.random.random() < 0.6:
            return {}
        names = pick(self.random, [["bmi", "sex"], ["bmi", "sex"], ["stage", "sex", "nothing"]])
        columns = pick(self.random, [*[names[:1], names, names[:2]] * 3, None])
        return {"covariates": self.metadata(), "covariate_columns": columns}

    def distances(self) -> qiime2.Artifact:
        """A distance matrix, whose values may be none of UniFrac."""

        def other_values(matrix, random):
            shape, most = (len(matrix), len(matrix)), pick(random, [0, 1, 2])
            values = np.triu(random.uniform(0, most, shape), 1)
            return pd.DataFrame(values + values.T, matrix.index)

        matrix = self.drawn(self.square, [other_values])
        return sim.distances_artifact(skbio.DistanceMatrix(matrix.to_numpy(), list(matrix.index)))

    def phylogeny(self) -> qiime2.Artifact:
        """A rooted phylogeny with a tip for each sequence, or for some, or for others."""
        newick, *rest = self.drawn(pd.DataFrame(index=list(self.counts)), ROWS[:1]).index
        for name in rest:
            newick = f"({newick}:{self.random.random():.3f},{name}:0.1)"
        tree = skbio.TreeNode.read([f"{newick};"], convert_underscores=False)
        return qiime2.Artifact.import_data("Phylogeny[Rooted]", tree)

    def imported(self, kind: str, sound) -> qiime2.Artifact:
        """An artifact of sample data, from a column or a table that may be spoiled."""
        found = self.drawn(sound, COLUMN if isinstance(sound, pd.Series) else FRAME)
        return qiime2.Artifact.import_data(f"SampleData[{kind}]", found)


# --- calls ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(aam, golden):
    """Inputs in order: counts, metadata and distances; and artifacts made from them."""
    table, metadata = read_inputs(golden)
    matrix = pd.read_csv(golden / "unifrac.tsv", sep="\t", index_col=0)
    made = {path.stem: qiime2.Artifact.load(str(path)) for path in golden.glob("*.qza")}
    numbers = aam.predict_regression(table, made["regressor"], confidence_level=0.5)
    classes = aam.predict_classification(table, made["classifier"], covariates=metadata)
    forecasts = dict(zip(FORECASTS, map(sim.values_of, (*numbers, *classes)), strict=True))
    return (table.view(pd.DataFrame), metadata.to_dataframe(), matrix), made, forecasts


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
        settings |= sim.QUICK_FIT | given.covariates()
        return settings | pick(random, [{}, descent | {"freeze_encoder": False}])
    return settings | {"threads": 1, "covariates": given.maybe(given.metadata, 0.7)}


def draws(name: str, given: Inputs, models: dict, forecasts: dict, random) -> dict:
    """Say how each input, and each column, of an action is drawn."""
    of_classes, any_column = "classif" in name, name in ("split_samples", "find_learning_rate")
    column = partial(given.column, *([] if any_column else ["stage" if of_classes else "age"]))
    kind, predicted = CLASSES if of_classes else NUMBERS
    predictions = partial(given.imported, kind, forecasts[predicted])
    shares = partial(given.imported, "Probabilities", forecasts["probabilities"])
    encoder = partial(models.get, "encoder")
    return {
        "table": given.table,
        "tables": lambda: [given.table()] * pick(random, [1, 1, 2]),
        "sequences": given.sequences,
        "phylogeny": given.phylogeny,
        **dict.fromkeys(("distance_matrix", "predicted", "actual"), given.distances),
        "distance_matrices": lambda: [given.distances()],
        **dict.fromkeys(("encoder", "initial_encoder"), encoder),
        "classifier": partial(models.get, "classifier"),
        "model": lambda: models[pick(random, ["encoder", *FITTED])],
        "regressor": lambda: models[pick(random, FITTED)],
        "training_log": lambda: models["training-log"],
        **dict.fromkeys(("predictions", "baseline_predictions"), predictions),
        **dict.fromkeys(("probabilities", "baseline_probabilities"), shares),
        "intervals": partial(given.imported, "PredictionIntervals", forecasts["intervals"]),
        **dict.fromkeys(("metadata", "truth"), column),
        "groups": given.column if any_column else partial(given.column, "sex"),
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
        except (AAMError, ValidationError) as error:
            message = str(error)
            assert len(message.splitlines()) <= 10, message
            assert len(message) < 2000, message
            assert message[-1] in ".!'", message
            if isinstance(error, AAMError):
                refused.add(name)
        except (TypeError, ValueError) as error:  # what QIIME 2 itself refuses
            frames = traceback.extract_tb(error.__traceback__)
            ours = any("/q2_aam/" in frame.filename for frame in frames)
            assert not ours, f"{name}: {error!r}"
        else:
            done.add(name)

    repeat(check, 34, 360, seed=11)
    assert ALONE or len(refused) >= count(6, 15), refused
    assert ALONE or len(done) >= count(6, 15), done

"""The golden artifacts: what there is, how to predict with them, and how they are made.

Run once for each format version, just before its release, from the repository's root:

    python tests/golden_models.py

It writes ``tests/golden/version-N``: artifacts of the present format, with what they predict now.
While the format still changes before its release, run it again; once released, a folder must never
change: every later q2-aam must read it and predict the same.
"""

import os
import shutil
import tempfile
import warnings
from pathlib import Path

import biom
import numpy as np
import pandas as pd
import qiime2
import skbio
from qiime2.plugins import aam
from simulated_study import distances_artifact, simulate_study, table_artifact

from q2_aam.config.model import FORMAT_VERSION
from q2_aam.training import fit

GOLDEN = Path(__file__).parent / "golden"
INPUTS = ("counts.tsv", "metadata.tsv")
MODELS = ("encoder", "regressor", "regressor-of-quantiles", "classifier")
MACHINE = {"threads": 1, "device": "cpu", "precision": "fp32", "random_seed": 1}
DESCENT = {"epochs": 8, "batch_size": 4, "learning_rate": 0.01}
# a model holds its encoder: the bundled one would take 10 MB a file
ENCODER = {"pretrained": "none", "hidden_size": 8, "heads": 2, "branches": 16}
TREES = {"n_estimators": 3}


def read_inputs(folder: Path) -> tuple[qiime2.Artifact, qiime2.Metadata]:
    """Read the table, whose features are named by their DNA, and the metadata."""
    counts = pd.read_csv(folder / INPUTS[0], sep="\t", index_col="id", dtype={"id": str})
    table = biom.Table(counts.to_numpy().T.astype(float), list(counts), list(counts.index))
    return table_artifact(table), qiime2.Metadata.load(str(folder / INPUTS[1]))


def predict(folder: Path, name: str) -> pd.DataFrame:
    """Predict the inputs with a golden model: all that it can predict, one row a sample."""
    table, metadata = read_inputs(folder)
    model = qiime2.Artifact.load(str(folder / f"{name}.qza"))
    of_covariates = {} if name in MODELS[:2] else {"covariates": metadata}
    if name == "encoder":
        (distances,) = aam.actions.predict_distances(table, model)
        return distances.view(skbio.DistanceMatrix).to_data_frame()
    if name == "classifier":
        found = aam.actions.predict_classification(table, model, **of_covariates)
        return found.probabilities.view(pd.DataFrame)
    found = aam.actions.predict_regression(table, model, confidence_level=0.5, **of_covariates)
    return pd.concat(
        [found.predictions.view(pd.Series), found.intervals.view(pd.DataFrame)], axis=1
    )


def write_inputs(folder: Path) -> None:
    """Write counts by DNA, and metadata, as plain text that does not depend on any library."""
    study = simulate_study(16, 24, 5, (30, 40), ids_are_dna=True)
    study.counts.astype(int).to_csv(folder / INPUTS[0], sep="\t")
    random = np.random.default_rng(5)
    metadata = pd.DataFrame({"age": study.ages})
    metadata["stage"] = pd.qcut(study.ages, 3, labels=["early", "mid", "late"]).astype(str)
    metadata["sex"] = random.choice(["f", "m"], len(metadata))
    metadata["bmi"] = random.uniform(15, 30, len(metadata)).round(1)
    metadata.to_csv(folder / INPUTS[1], sep="\t")
    study.unifrac.to_data_frame().to_csv(folder / "unifrac.tsv", sep="\t")


def train(folder: Path) -> dict[str, qiime2.Artifact]:
    """Train the smallest models that have every kind of tensor."""
    table, metadata = read_inputs(folder)
    unifrac = pd.read_csv(folder / "unifrac.tsv", sep="\t", index_col=0)
    matrix = distances_artifact(skbio.DistanceMatrix(unifrac.to_numpy(), list(unifrac.index)))
    act, age = aam.actions, metadata.get_column("age")
    covariates = {"covariates": metadata, "covariate_columns": ["sex", "bmi"]}
    encoder, _ = act.pretrain([table], [matrix], **ENCODER, **DESCENT, **MACHINE)
    common = {"encoder": encoder, **TREES, **MACHINE}
    regressor, _ = act.fit_regressor(table, age, **common)
    of_quantiles, log = act.fit_regressor(
        table, age, target_loss="quantile", distance_matrix=matrix, freeze_encoder=False,
        validation_size=0.5, **common, **covariates, **DESCENT,
    )  # fmt: skip
    classifier, _ = act.fit_classifier(table, metadata.get_column("stage"), **common, **covariates)
    made = (encoder, regressor, of_quantiles, classifier)
    return dict(zip(MODELS, made, strict=True)) | {"training-log": log}


def main() -> None:
    """Write the folder of the present version anew."""
    warnings.simplefilter("ignore")
    fit.surely_positive = lambda *given: True  # keeps the attention head, also where it is no help
    folder = GOLDEN / f"version-{FORMAT_VERSION}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_inputs(folder)
    for name, artifact in train(folder).items():
        artifact.save(str(folder / f"{name}.qza"))
        if name in MODELS:
            predict(folder, name).to_csv(folder / f"{name}.tsv", sep="\t")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as runs:
        os.environ["Q2_AAM_RUN_DIR"] = runs
        main()

"""The golden artifacts: what there is, and how to predict with them."""

from pathlib import Path

import biom
import pandas as pd
import qiime2
import skbio

HERE = Path(__file__).parent
INPUTS = ("counts.tsv", "metadata.tsv")
MODELS = ("encoder", "regressor", "regressor-of-quantiles", "classifier")


def read_inputs(folder: Path) -> tuple[qiime2.Artifact, qiime2.Metadata]:
    """Read the table, whose features are named by their DNA, and the metadata."""
    counts = pd.read_csv(folder / INPUTS[0], sep="\t", index_col="id", dtype={"id": str})
    table = biom.Table(counts.to_numpy().T.astype(float), list(counts), list(counts.index))
    artifact = qiime2.Artifact.import_data("FeatureTable[Frequency]", table)
    return artifact, qiime2.Metadata.load(str(folder / INPUTS[1]))


def predict(folder: Path, name: str) -> pd.DataFrame:
    """Predict the inputs with a golden model: all that it can predict, one row a sample."""
    from qiime2.plugins import aam

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

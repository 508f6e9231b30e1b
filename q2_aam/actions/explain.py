"""embed-samples, feature-importance: what a model has learned of samples, and rests on."""

import biom
import numpy as np
import pandas as pd
import qiime2
import scipy.sparse
import skbio

from ..config.model import ModelConfig
from ..config.target import CLASSIFICATION
from ..data.table import read_table
from ..data.target_scaling import point_prediction, to_units
from ..errors import AAMError, counted
from ..parameters import DEFAULT
from ..storage.model import read_model
from ..types import AAMModelDirectoryFormat
from .inputs import refuse_other_genes
from .predict import read_any_model, read_studies

# of each content: where a sample's state holds it, and what a number of it is called
_CONTENTS = {
    "branches": ("branches", "branch"), "presence": ("branch_presence", "branch"),
    "pooled": ("pooled", "pooled"),
}  # fmt: skip
ORDINATED = 10  # most axes of the ordination


def embed_samples(
    table: biom.Table, model: AAMModelDirectoryFormat = None, sequences: pd.Series = None,
    content: str = DEFAULT["content"], dimensions: int = DEFAULT["dimensions"],
) -> (pd.DataFrame, skbio.OrdinationResults):  # fmt: skip
    """Embed every sample of a table."""
    from .. import inference

    config, arrays = read_any_model(model)
    refuse_untrained(config, content)
    samples = read_table(table)
    number = len(samples.sample_ids)
    field, name = _CONTENTS[content]
    columns = config.hidden_size if name == "pooled" else config.branches
    most = min(number - 1, columns)
    if dimensions > most:
        raise AAMError(
            f"'dimensions' is {dimensions:,}, but {counted(number, 'sample')} with "
            f"{counted(columns, 'number')} each have at most "
            f"{counted(most, 'principal component')}. Lower it, or set it to 0 for every number."
        )
    studies = read_studies(samples, sequences, config, arrays, for_target=False)
    if model is None:
        refuse_other_genes(samples, studies.far, only_warn=True)
    network = inference.load_network(config, arrays)
    values = inference.embed_samples(network, studies, 0, np.arange(number), field)
    axes = max(1, min(ORDINATED, most))  # one sample still has an axis, to lie at its origin
    components = inference.principal_components(values, max(dimensions, axes))
    index = pd.Index(samples.sample_ids, name="id")
    of_axes = [f"PC{place}" for place in range(1, axes + 1)]
    total = float(values.var(axis=0).sum())
    variances = pd.Series(components[:, :axes].var(axis=0), of_axes)
    ordination = skbio.OrdinationResults(
        "PCA", "Principal components of embeddings", variances,
        pd.DataFrame(components[:, :axes], index, of_axes),
        proportion_explained=variances / total if total else variances,
    )  # fmt: skip
    if dimensions:
        values, name = components[:, :dimensions], "component"
    names = [f"{name} {place}" for place in range(1, values.shape[1] + 1)]
    # float32 is written in few digits
    return pd.DataFrame(values.astype(np.float32), index, names), ordination


def refuse_untrained(config: ModelConfig, content: str) -> None:
    """Refuse what an encoder never learned; a model with a target reads all contents."""
    if config.target is not None:
        return
    if config.distance_state != "trained":
        raise AAMError(
            "The encoder never learned distances, so that it has learned nothing of samples. "
            "Pretrain it with an 'unifrac_weight' above 0."
        )
    if (content == "pooled") == (config.distance_form == "euclidean"):
        return
    instead = "'pooled'" if content != "pooled" else "'branches' or 'presence'"
    raise AAMError(
        f"The encoder was pretrained with the distance form '{config.distance_form}', which does "
        f"not train what the content '{content}' needs. Set 'content' to {instead}, or give a "
        "model from fit-regressor or fit-classifier."
    )


def feature_importance(
    table: biom.Table, model: AAMModelDirectoryFormat, sequences: pd.Series = None,
    covariates: qiime2.Metadata = None, samples_per_feature: int = DEFAULT["samples_per_feature"],
) -> pd.DataFrame:  # fmt: skip
    """Take each feature out of samples that hold it, and see how predictions change."""
    from ..importance import effects_of_asvs
    from ..inference import load_network

    config, arrays = read_model(str(model))
    target = config.target
    if target is None:
        raise AAMError(
            "The model has no target: it is an encoder, whose features are important for nothing "
            "yet. Give a model from fit-regressor or fit-classifier."
        )

    def explained(predictions: np.ndarray) -> np.ndarray:
        if target.kind == CLASSIFICATION:
            return predictions
        return to_units(target, point_prediction(predictions))[:, None]

    samples = read_table(table)
    studies = read_studies(samples, sequences, config, arrays, covariates)
    network = load_network(config, arrays)
    effects = effects_of_asvs(network, studies, explained, samples_per_feature)
    # each feature takes the share of an ASV's effect that it has of the ASV's reads
    reads = np.asarray(samples.counts.sum(axis=0)).ravel()
    shares = scipy.sparse.diags(reads) @ studies.assignment
    total = np.asarray(shares.sum(axis=0)).ravel()
    shares = shares @ scipy.sparse.diags(1 / np.maximum(total, 1e-300))
    raises, lowers = (shares @ part for part in effects)
    moved = (raises + lowers).sum(axis=1)
    # no column is below 0, as q2-sample-classifier's heatmap ranks features by the sum of a row
    of_classes = target.kind == CLASSIFICATION  # what one class gains the others lose
    columns = {"importance": moved / 2 if of_classes else moved}
    for place, name in enumerate([f" {one}" for one in target.classes] if of_classes else [""]):
        columns |= {f"raises{name}": raises[:, place], f"lowers{name}": lowers[:, place]}
    table = pd.DataFrame(columns, pd.Index(samples.feature_ids, name="id")).sort_index()
    return table.sort_values("importance", ascending=False, kind="stable")

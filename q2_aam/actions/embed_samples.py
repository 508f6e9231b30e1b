"""embed-samples: what a model has learned of each sample, as numbers."""

import biom
import numpy as np
import pandas as pd

from ..config import ModelConfig
from ..data.principal_components import principal_components
from ..data.table import read_table
from ..errors import AAMError, counted
from ..parameters import DEFAULT
from ..storage.model import read_model
from ..types import AAMModelDirectoryFormat
from .prediction import read_studies

# of each content: where a sample's state holds it, and what a number of it is called
_CONTENTS = {
    "branches": ("abundance", "branch"),
    "presence": ("presence", "branch"),
    "pooled": ("pooled", "pooled"),
}


def embed_samples(
    table: biom.Table,
    model: AAMModelDirectoryFormat,
    sequences: pd.Series = None,
    content: str = DEFAULT["content"],
    dimensions: int = DEFAULT["dimensions"],
) -> pd.DataFrame:
    """Embed every sample of a table."""
    from .. import inference

    config, arrays = read_model(str(model))
    refuse_untrained(config, content)
    samples = read_table(table)
    number = len(samples.sample_ids)
    field, name = _CONTENTS[content]
    refuse_too_many(dimensions, number, config.hidden_size if name == "pooled" else config.branches)
    studies = read_studies(samples, sequences, config, arrays, for_target=False)
    network = inference.load_network(config, arrays)
    values = inference.embed_samples(network, studies, 0, np.arange(number), field)
    if dimensions:
        values, name = principal_components(values, dimensions), "component"
    columns = [f"{name} {place}" for place in range(1, values.shape[1] + 1)]
    index = pd.Index(samples.sample_ids, name="id")
    # float32 is written in few digits
    return pd.DataFrame(values.astype(np.float32), index, columns)


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


def refuse_too_many(dimensions: int, samples: int, columns: int) -> None:
    """Refuse more components than there can be."""
    most = min(samples - 1, columns)
    if dimensions > most:
        raise AAMError(
            f"'dimensions' is {dimensions:,}, but {counted(samples, 'sample')} with "
            f"{counted(columns, 'number')} each have at most "
            f"{counted(most, 'principal component')}. Lower it, or set it to 0 for every number."
        )

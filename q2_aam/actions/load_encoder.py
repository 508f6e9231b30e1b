"""load-encoder: the encoder that ships with q2-aam, as an artifact."""

from ..parameters import DEFAULT
from ..storage.boxed import BUNDLED, read_boxed
from ..storage.model import write_model
from ..types import AAMModelDirectoryFormat


def load_encoder(version: str = DEFAULT["version"]) -> AAMModelDirectoryFormat:
    """Write the bundled encoder as a model; provenance then names its version."""
    del version  # there is one
    print(f"encoder: {BUNDLED}")
    model = AAMModelDirectoryFormat()
    write_model(str(model), *read_boxed())
    return model

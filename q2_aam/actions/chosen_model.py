"""The architecture that an action trains: from its parameters, or from the encoder given."""

import dataclasses

from ..config import ModelConfig
from ..errors import AAMError
from ..parameters import ARCHITECTURE
from ..storage.model import read_model

LONGEST_BY_DEFAULT = 512


def choose_model(encoder, architecture: dict, longest: int, journal):
    """Choose the architecture and find the weights to start from.

    Parameters
    ----------
    encoder : AAMModelDirectoryFormat or None
    architecture : dict
        The architecture parameters, None where the user gave none.
    longest : int
        Nucleotides of the longest sequence.
    journal : Journal
        Is told every value, who chose it, and why.

    Returns
    -------
    config : ModelConfig
    arrays : dict of str to ndarray, or None
        The encoder's weights.

    Raises
    ------
    AAMError
        If a parameter contradicts the encoder.
    """
    given = {name: value for name, value in architecture.items() if value is not None}
    if encoder is not None:
        config, arrays = read_model(str(encoder))
        check_agreement(config, given)
        for name in ARCHITECTURE:
            journal.chose(name, getattr(config, name), "encoder", "as in the encoder given")
        return config, arrays
    chosen = dict(given)
    if "max_sequence_length" not in given:
        chosen["max_sequence_length"] = min(longest, LONGEST_BY_DEFAULT)
    config = dataclasses.replace(ModelConfig(), **chosen)
    for name in ARCHITECTURE:
        if name == "max_sequence_length" and name not in given:
            journal.chose(name, config.max_sequence_length, "automatic", "longest sequence given")
        else:
            journal.chose(name, getattr(config, name), "user" if name in given else "default")
    return config, None


def check_agreement(config: ModelConfig, given: dict) -> None:
    """Refuse architecture parameters that contradict an encoder."""
    differing = {name: value for name, value in given.items() if getattr(config, name) != value}
    if differing:
        lines = [
            f"  {name}: {value} was asked for, the encoder has {getattr(config, name)}"
            for name, value in differing.items()
        ]
        raise AAMError(
            "The architecture is the encoder's and cannot be changed:\n"
            + "\n".join(lines)
            + "\nLeave these parameters out, or pretrain an encoder with them."
        )

"""The architecture and the weights that an action starts from."""

import dataclasses

from ..config import ModelConfig
from ..errors import AAMError
from ..parameters import ARCHITECTURE
from ..storage.boxed import BUNDLED, read_boxed
from ..storage.model import read_model

LONGEST_BY_DEFAULT = 512
_FREE = ("max_asvs", "rarefaction_depth")  # change no tensor


def choose_model(encoder, settings: dict, longest: int, logger):
    """Choose the encoder that was given, else the bundled one, else a new one.

    Parameters
    ----------
    encoder : AAMModelDirectoryFormat or None
    settings : dict
        ``pretrained``, and the architecture parameters, None where the user gave none.
    longest : int
        Nucleotides of the longest sequence.
    logger : TrainingLogger
        Is told every value, who chose it, and why.

    Returns
    -------
    config : ModelConfig
    arrays : dict of str to ndarray, or None
        The encoder's weights; None if it is new.

    Raises
    ------
    AAMError
        If a parameter contradicts the encoder.
    """
    given = {name: settings[name] for name in ARCHITECTURE if settings.get(name) is not None}
    refuse_encoder_twice(encoder, settings["pretrained"])
    if encoder is None and settings["pretrained"] == "none":
        logger.log_param("encoder", "new", "user")
        return _new(given, longest, logger), None
    if encoder is None:
        logger.log_param("encoder", BUNDLED, "automatic", "no encoder was given")
        config, arrays = read_boxed()
    else:
        config, arrays = read_model(str(encoder))
    _refuse_other_architecture(config, given)
    free = {name: given[name] for name in _FREE if name in given}
    config = dataclasses.replace(config, **free, target=None)
    for name in ARCHITECTURE:
        value = getattr(config, name)
        if name in free:
            logger.log_param(name, value, "user")
        else:
            logger.log_param(name, value, "encoder", "as in the encoder")
    return config, arrays


def refuse_encoder_twice(encoder, pretrained: str) -> None:
    """Refuse an encoder where a new one is asked for."""
    if encoder is not None and pretrained == "none":
        raise AAMError("'pretrained' is 'none', but an 'encoder' was given. Leave one of them out.")


def _new(given: dict, longest: int, logger) -> ModelConfig:
    cut = "max_sequence_length" not in given
    chosen = given | ({"max_sequence_length": min(longest, LONGEST_BY_DEFAULT)} if cut else {})
    config = dataclasses.replace(ModelConfig(), **chosen)
    why = "longest sequence given"
    if longest > LONGEST_BY_DEFAULT:
        why = f"the longest sequence has {longest:,} nucleotides; set it to read them all"
    for name in ARCHITECTURE:
        if name == "max_sequence_length" and cut:
            logger.log_param(name, config.max_sequence_length, "automatic", why)
        else:
            logger.log_param(name, getattr(config, name), "user" if name in given else "default")
    return config


def _refuse_other_architecture(config: ModelConfig, given: dict) -> None:
    """Refuse architecture parameters that contradict an encoder."""
    differing = {
        name: value
        for name, value in given.items()
        if name not in _FREE and getattr(config, name) != value
    }
    if differing:
        lines = [
            f"  {name}: {value} was asked for, the encoder has {getattr(config, name)}"
            for name, value in differing.items()
        ]
        raise AAMError(
            "The architecture is the encoder's and cannot be changed:\n"
            + "\n".join(lines)
            + "\nLeave these parameters out, or set 'pretrained' to 'none' to train a new encoder."
        )

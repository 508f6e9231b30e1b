"""What training actions share: signatures, the encoder to start from, hardware, results."""

import dataclasses
import inspect
import re
from collections.abc import Callable

import pandas as pd
from decorator import FunctionMaker

from ..config.model import ModelConfig
from ..config.training import AUTO, TrainingConfig, refuse_without_effect
from ..errors import AAMError
from ..parameters import ARCHITECTURE, PARAMETERS
from ..storage import training_log
from ..storage.manifest import write_manifest
from ..storage.model import BUNDLED, read_boxed, read_model, write_model
from ..types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat

LONGEST_BY_DEFAULT = 512
_FREE = ("max_asvs", "rarefaction_depth")  # change no tensor
_VIEWS = {"Int": int, "Threads": int, "Float": float, "Str": str, "Bool": bool, "List": list}


def with_settings(names: tuple[str, ...], defaults: dict) -> Callable:
    """Give an action the named parameters, which reach it as its keyword arguments.

    QIIME 2 reads an action's parameters and their defaults from its Python signature, and calls a
    pipeline by a copy of it. So this makes a function with the settings that several actions share
    in its signature; without annotations for a pipeline, which may have none.
    """

    def decorate(function: Callable) -> Callable:
        *kept, _ = inspect.signature(function).parameters.values()  # the last are the settings
        of_kept = [one.default for one in kept if one.default is not one.empty]
        shown = [one.name for one in kept] + list(names)
        action = FunctionMaker.create(
            f"{function.__name__}({', '.join(shown)})",
            f"return action({', '.join(f'{name}={name}' for name in shown)})",
            {"action": function}, defaults=(*of_kept, *(defaults[name] for name in names)),
            doc=function.__doc__, module=function.__module__,
        )  # fmt: skip
        action.__annotations__ = dict(function.__annotations__)
        for name in names if function.__annotations__ else ():
            kind = re.match(r"\w+", str(PARAMETERS[name].type)).group()
            action.__annotations__[name] = _VIEWS[kind]
        return action

    return decorate


def choose_model(encoder, settings: dict, longest: int, logger):
    """Choose the encoder that was given, else the bundled one, else a new one; tell the logger.

    `longest` is the length of the longest sequence. Returns the `ModelConfig` and the encoder's
    weights, None if it is new; AAMError if a parameter contradicts the encoder.
    """
    given = {name: settings[name] for name in ARCHITECTURE if settings.get(name) is not None}
    refuse_encoder_twice(encoder, settings["pretrained"])
    if is_new(encoder, settings):
        logger.log_param("encoder", "new", "user")
        return _new_config(given, longest, logger), None
    if encoder is None:
        logger.log_param("encoder", BUNDLED, "automatic", "no encoder was given")
    config, arrays = read_boxed() if encoder is None else read_model(str(encoder))
    differing = [
        f"  {name}: {value} was asked for, the encoder has {getattr(config, name)}"
        for name, value in given.items()
        if name not in _FREE and getattr(config, name) != value
    ]
    if differing:
        raise AAMError(
            "The architecture is the encoder's and cannot be changed:\n"
            + "\n".join(differing)
            + "\nLeave these parameters out, or set 'pretrained' to 'none' to train a new encoder."
        )
    free = {name: given[name] for name in _FREE if name in given}
    config = dataclasses.replace(config, **free, target=None)
    for name in ARCHITECTURE:
        source = ("user",) if name in free else ("encoder", "as in the encoder")
        logger.log_param(name, getattr(config, name), *source)
    return config, arrays


def is_new(encoder, settings: dict) -> bool:
    """Say whether training starts from no encoder at all."""
    return encoder is None and settings["pretrained"] == "none"


def refuse_encoder_twice(encoder, pretrained: str) -> None:
    """Refuse an encoder where a new one is asked for."""
    if encoder is not None and pretrained == "none":
        raise AAMError("'pretrained' is 'none', but an 'encoder' was given. Leave one of them out.")


def _new_config(given: dict, longest: int, logger) -> ModelConfig:
    chosen = {"max_sequence_length": min(longest, LONGEST_BY_DEFAULT)} | given
    config = dataclasses.replace(ModelConfig(), **chosen)
    why = "longest sequence given"
    if longest > LONGEST_BY_DEFAULT:
        why = f"the longest sequence has {longest:,} nucleotides; set it to read them all"
    for name in ARCHITECTURE:
        source = ("user",) if name in given else ("default",)
        if name in chosen and name not in given:
            source = ("automatic", why)
        logger.log_param(name, getattr(config, name), *source)
    return config


def log_settings(logger, settings: dict, defaults: dict, names) -> None:
    """Tell the logger the values of some settings, and whether the user chose them."""
    for name in names:
        value = settings[name]
        logger.log_param(name, value, "default" if value == defaults[name] else "user")


def start_run(logger, settings: dict, defaults: dict, unused=(), **changed):
    """Choose training parameters and hardware, and tell the logger.

    `defaults` are the action's own, to tell what the user changed; `unused` are settings that are
    not told, as nothing reads them; `changed` are fields of the `TrainingConfig` beside the
    settings. Returns it and an `accelerate.Accelerator`.
    """
    import torch

    from ..training.device import build_accelerator, choose_device, choose_precision

    fields = {one.name for one in dataclasses.fields(TrainingConfig)} - {"device", "precision"}
    training = {name: value for name, value in settings.items() if name in fields} | changed
    refuse_without_effect(training, defaults)
    told = [name for name, value in training.items() if value != AUTO and name not in unused]
    log_settings(logger, training, defaults, told)  # others are told when everything is known
    device, why_device = choose_device(settings["device"])
    precision, why_precision = choose_precision(settings["precision"], device)
    accelerator = build_accelerator(device, precision, settings["threads"])
    for name, value, why in (
        ("device", device, why_device), ("precision", precision, why_precision),
    ):  # fmt: skip
        logger.log_param(name, value, "automatic" if settings[name] == AUTO else "user", why)
    by_threads = ("user", "") if settings["threads"] else ("automatic", "PyTorch's choice")
    logger.log_param("threads", torch.get_num_threads(), *by_threads)
    return TrainingConfig(**training, device=device, precision=precision), accelerator


def start_network(logger, settings: dict, defaults: dict, config, arrays, studies, **changed):
    """Start a run; build its network of the encoder's weights, or anew where there are none."""
    from ..training.init import continued_network, new_network

    trained_by, accelerator = start_run(logger, settings, defaults, **changed)
    build, content = (new_network, studies) if arrays is None else (continued_network, arrays)
    network = build(config, content, settings["random_seed"], accelerator.device)
    return network, trained_by, accelerator


def require_validation(samples: int, validation_size: float, optional: bool = False) -> None:
    """Refuse a validation share that leaves nothing to validate on; 0 may be allowed."""
    if validation_size * samples < 1 and (validation_size or not optional):
        raise AAMError(
            f"A validation_size of {validation_size:g} leaves no validation sample among "
            f"{samples:,}. Raise it to at least {1 / samples:.2g}."
        )


def store_run(
    network, log, final, info
) -> tuple[AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat]:
    """Write a trained network and its log, with figures of its `FinalPredictions`."""
    from ..inference import arrays_of
    from ..training import distributed
    from ..training.figures import draw_predictions, write_events

    distributed.leave()  # of several processes, one stores
    model = AAMModelDirectoryFormat()
    write_model(str(model), network.config, arrays_of(network))
    of_log = AAMTrainingLogDirectoryFormat()
    training_log.write_training_log(of_log.path, log)
    history = log.history
    if not len(history):  # no epochs: one point of the out-of-fold scores
        scores = {f"validation_{name}": [one] for name, one in log.summary["scores"].items()}
        history = pd.DataFrame({"epoch": [0], "seconds": [0.0], **scores})
    figures = draw_predictions(final, info)
    write_events(of_log.path, history, figures, final.part, log.summary["kept_epoch"])
    write_manifest(of_log.path, training_log.FILES)  # when all of them are there
    return model, of_log

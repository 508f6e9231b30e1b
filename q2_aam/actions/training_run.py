"""What every training action does around its training: settings, hardware, results."""

import dataclasses

import pandas as pd

from ..config import AUTO, TrainingConfig, refuse_without_effect
from ..errors import AAMError
from ..storage.model import write_model
from ..storage.training_log import seal_training_log, write_training_log
from ..types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat


def start_run(logger, training: dict, defaults: dict, hardware: tuple[str, str, int]):
    """Settle training parameters and hardware, and tell the logger.

    Parameters
    ----------
    logger : TrainingLogger
    training : dict
        Fields of `TrainingConfig` that the user can set.
    defaults : dict
        The action's own, to tell what the user changed.
    hardware : tuple of str, str and int
        Device and precision, which may be ``auto``, and CPU threads, 0 for PyTorch's number.

    Returns
    -------
    config : TrainingConfig
    accelerator : accelerate.Accelerator
    """
    from ..training.device import build_accelerator, choose_device, choose_precision

    device, precision, threads = hardware
    refuse_without_effect(training, defaults)
    for name, value in training.items():
        if value == AUTO:  # chosen, and told, when everything is known
            continue
        logger.log_param(name, value, "default" if defaults[name] == value else "user")
    chosen_device, why_device = choose_device(device)
    chosen_precision, why_precision = choose_precision(precision, chosen_device)
    accelerator = build_accelerator(chosen_device, chosen_precision, threads)
    for name, asked, value, why in (
        ("device", device, chosen_device, why_device),
        ("precision", precision, chosen_precision, why_precision),
    ):
        logger.log_param(name, value, "automatic" if asked == "auto" else "user", why)
    logger.log_threads(threads)
    config = dataclasses.replace(
        TrainingConfig(), **training, device=chosen_device, precision=chosen_precision
    )
    return config, accelerator


def training_settings(settings: dict) -> dict:
    """Return the fields of `TrainingConfig` that an action has as parameters."""
    fields = {one.name for one in dataclasses.fields(TrainingConfig)} - {"device", "precision"}
    return {name: value for name, value in settings.items() if name in fields}


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
    """Write a trained network and its log, with figures of predictions, as artifacts' views.

    Parameters
    ----------
    network : Network
    log : TrainingLog
    final : FinalPredictions
        What the kept model predicts of the validation samples.
    info : callable
        Prints a line.
    """
    from ..inference import arrays_of
    from ..training import distributed
    from ..training.figures import draw_predictions, write_events

    distributed.leave()  # of several processes, one stores
    model = AAMModelDirectoryFormat()
    write_model(str(model), network.config, arrays_of(network))
    training_log = AAMTrainingLogDirectoryFormat()
    write_training_log(str(training_log), log)
    history = log.history
    if not len(history):  # no epochs: one point of the out-of-fold scores
        scores = {f"validation_{name}": [one] for name, one in log.summary["scores"].items()}
        history = pd.DataFrame({"epoch": [0], "seconds": [0.0], **scores})
    figures = draw_predictions(final, info)
    write_events(str(training_log), history, figures, final.part, log.summary["kept_epoch"])
    seal_training_log(str(training_log))
    return model, training_log

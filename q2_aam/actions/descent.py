"""What of a fit is trained by epochs, and which settings then have an effect."""

from ..errors import AAMError, counted, examples
from ..parameters import FITTING_DEFAULT, TRAINING
from .training_run import refuse_encoder_losses


def attention_pays(samples: int) -> bool:
    """Say whether the attention head can be expected to lower the error with so many samples.

    With 87 to 2,030 samples it took most of the time of a fit and was then left out.
    """
    del samples  # no number is known yet from which on it pays
    return False


def is_frozen(settings: dict, inputs) -> bool:
    """Say whether the encoder stays as it is: where it is new, a matrix would train it."""
    new = inputs.encoder is None and inputs.distance_matrix is not None
    return settings["freeze_encoder"] and not new


def attention_descends(settings: dict, frozen: bool, samples: int) -> bool:
    """Say whether the attention head is trained; without it an encoder cannot learn a target."""
    asked = settings["attention_head"]
    if not frozen and asked == "off":
        raise AAMError(
            "'attention_head' is 'off', but the encoder is to be trained, and learns a target "
            "through it alone. Leave 'attention_head' out, or keep the encoder frozen: "
            "'freeze_encoder' on, and no 'distance_matrix'."
        )
    return not frozen or asked == "on" or (asked == "auto" and attention_pays(samples))


def refuse_what_has_no_effect(settings: dict, attends: bool) -> None:
    """Refuse settings of what descends, where nothing does."""
    if attends:
        return
    of_descent = [name for name in TRAINING if name != "random_seed"]
    of_descent += ["target_weight", "covariate_fusion"]
    given = [name for name in of_descent if settings[name] != FITTING_DEFAULT[name]]
    if given:
        raise AAMError(
            f"{counted(len(given), 'setting')} would have no effect: {examples(given)}.\nHeads are "
            "fitted in closed form, and nothing is trained by epochs. Leave them out, set "
            "'attention_head' to 'on', or turn 'freeze_encoder' off to train the encoder too."
        )
    if settings.get("target_loss") == "quantile" and not settings["trees"]:
        raise AAMError(
            "'trees' is 0, but the loss 'quantile' takes its range from trees or from the "
            "attention head. Leave 'trees' out, or set 'attention_head' to 'on'."
        )


def refuse_contradictions(settings: dict, inputs) -> None:
    """Refuse settings that contradict each other or the inputs."""
    if settings["freeze_encoder"] and inputs.encoder is not None:
        refuse_encoder_losses(inputs.distance_matrix, settings["nucleotide_weight"])
    without_matrix = inputs.distance_matrix is None
    if without_matrix and settings["unifrac_weight"] != FITTING_DEFAULT["unifrac_weight"]:
        raise AAMError(
            "'unifrac_weight' was given without 'distance_matrix': there is no UniFrac to learn. "
            "Give the matrix, or leave 'unifrac_weight' out."
        )
    alone = without_matrix and not (settings["nucleotide_weight"] or settings["abundance_weight"])
    if alone and settings["target_weight"] != FITTING_DEFAULT["target_weight"]:
        raise AAMError(
            "'target_weight' was given, but nothing else is learned beside the target. Give "
            "'distance_matrix', 'nucleotide_weight' or 'abundance_weight', or leave it out."
        )
    fusion = settings["covariate_fusion"]
    if not settings["covariate_columns"] and fusion != FITTING_DEFAULT["covariate_fusion"]:
        raise AAMError(
            "'covariate_fusion' was given without 'covariates': there is nothing to join. Give "
            "'covariates' and 'covariate_columns', or leave 'covariate_fusion' out."
        )
    loss = settings.get("target_loss", "quantile")
    if loss != "quantile" and settings["quantile_range"] != FITTING_DEFAULT["quantile_range"]:
        raise AAMError(
            f"'quantile_range' belongs to the loss 'quantile', but 'target_loss' is '{loss}'. Set "
            "'target_loss' to 'quantile', or leave 'quantile_range' out."
        )

"""What of a fit is trained by epochs, and which settings then have an effect."""

from ..errors import AAMError, counted, examples
from ..parameters import FITTING, FITTING_DEFAULT


def attention_pays(samples: int) -> bool:
    """Say whether the attention head can be expected to lower the error with so many samples.

    With 87 to 2,030 samples it took most of the time of a fit and was then left out.
    """
    del samples  # no number is known yet from which on it pays
    return False


def is_frozen(settings: dict, inputs) -> bool:
    """Say whether the encoder stays as it is: a new one is trained."""
    new = inputs.encoder is None and settings["pretrained"] == "none"
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
    always = ("device", "precision", "threads", "random_seed")
    of_descent = [*(name for name in FITTING if name not in always), "target_weight"]
    given = [name for name in of_descent if settings[name] != FITTING_DEFAULT[name]]
    if given:
        raise AAMError(
            f"{counted(len(given), 'setting')} would have no effect: {examples(given)}.\nHeads are "
            "fitted in closed form, and nothing is trained by epochs. Leave them out, set "
            "'attention_head' to 'on', or turn 'freeze_encoder' off to train the encoder too."
        )
    if settings.get("target_loss") == "quantile" and not settings["n_estimators"]:
        raise AAMError(
            "'n_estimators' is 0, but the loss 'quantile' takes its range from trees or from the "
            "attention head. Leave 'n_estimators' out, or set 'attention_head' to 'on'."
        )


def refuse_unlearned_clades(features: str, config, with_matrix: bool) -> None:
    """Refuse to read clades alone of an encoder that has learned none."""
    learns = with_matrix or config.distance_state != "untrained"
    if features == "clades" and not (learns and config.distance_form == "branches"):
        raise AAMError(
            "'features' is 'clades', but the encoder has learned no clades. Take the bundled "
            "encoder, or one from 'pretrain' with the distance form 'branches', or leave "
            "'features' out."
        )


def refuse_contradictions(settings: dict, inputs) -> None:
    """Refuse settings that contradict each other or the inputs."""
    new = inputs.encoder is None and settings["pretrained"] == "none"
    if settings["freeze_encoder"] and not new and inputs.distance_matrix is not None:
        raise AAMError(
            "'distance_matrix' would train the encoder, but 'freeze_encoder' keeps it as it is. "
            "Turn 'freeze_encoder' off (on the command line: --p-no-freeze-encoder), or leave the "
            "matrix out."
        )
    without_matrix = inputs.distance_matrix is None
    if without_matrix and settings["unifrac_weight"] != FITTING_DEFAULT["unifrac_weight"]:
        raise AAMError(
            "'unifrac_weight' was given without 'distance_matrix': there is no UniFrac to learn. "
            "Give the matrix, or leave 'unifrac_weight' out."
        )
    if without_matrix and settings["target_weight"] != FITTING_DEFAULT["target_weight"]:
        raise AAMError(
            "'target_weight' was given, but nothing else is learned beside the target. Give "
            "'distance_matrix', or leave it out."
        )
    loss = settings.get("target_loss", "quantile")
    if loss != "quantile" and settings["quantile_range"] != FITTING_DEFAULT["quantile_range"]:
        raise AAMError(
            f"'quantile_range' belongs to the loss 'quantile', but 'target_loss' is '{loss}'. Set "
            "'target_loss' to 'quantile', or leave 'quantile_range' out."
        )

"""How a model is trained."""

from dataclasses import dataclass

from ..errors import AAMError, counted, examples
from . import checks

OPTIMIZERS = ("adamw", "adam", "sgd")
SCHEDULES = ("cosine", "cosine-restarts", "plateau", "one-cycle", "constant")
AUTO = "auto"  # of a value that is chosen when training starts
ATTENTIONS = ("sdpa", "flash", "mem_efficient", "math")
CLASS_WEIGHTS = ("none", "balanced")


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained; everything random follows from `random_seed`."""

    epochs: int = 100
    batch_size: int | str = 32
    gradient_accumulation: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    optimizer: str = "adamw"
    schedule: str = "cosine"
    warmup: float = 0.05
    min_lr: float = 0.01
    restart_epochs: int = 10
    restart_multiplier: float = 2.0
    plateau_factor: float = 0.5
    plateau_patience: int = 5
    patience: int = 10
    min_epochs: int | None = None
    gradient_clipping: float = 1.0
    dropout: float = 0.0
    validation_size: float = 0.1
    unifrac_weight: float = 1.0
    nucleotide_weight: float = 0.0
    abundance_weight: float = 0.0
    target_weight: float = 1.0
    class_weights: str = "none"
    freeze_encoder: bool = False
    compile: bool = False
    gradient_checkpointing: bool = False
    attention: str = "sdpa"
    precision: str = "fp32"
    device: str = "cpu"
    workers: int = 1
    random_seed: int = 0

    def __post_init__(self):
        names = ("epochs", "gradient_accumulation", "patience")
        for name in names if self.batch_size == AUTO else (*names, "batch_size"):
            checks.whole(name, getattr(self, name), 1, 10**9)
        checks.whole("workers", self.workers, 0, 64)
        checks.choice("optimizer", self.optimizer, OPTIMIZERS)
        checks.choice("schedule", self.schedule, SCHEDULES)
        checks.choice("attention", self.attention, ATTENTIONS)
        checks.choice("class_weights", self.class_weights, CLASS_WEIGHTS)
        for name in ("learning_rate", "gradient_clipping"):
            checks.positive(name, getattr(self, name))


_ONLY_UNDER = {  # settings of a schedule, and the schedules that read them
    "restart_epochs": ("cosine-restarts",),
    "restart_multiplier": ("cosine-restarts",),
    "plateau_factor": ("plateau",),
    "plateau_patience": ("plateau",),
    "warmup": tuple(one for one in SCHEDULES if one != "one-cycle"),
    "min_lr": tuple(one for one in SCHEDULES if one != "constant"),
}


def refuse_without_effect(settings: dict, defaults: dict) -> None:
    """Refuse, by name, settings that the user changed and that training would not read."""
    schedule = settings["schedule"]
    unread = [name for name in _ONLY_UNDER if schedule not in _ONLY_UNDER[name]]
    given = [one for one in unread if one in settings and settings[one] != defaults[one]]
    if given:
        schedules = dict.fromkeys(one for name in given for one in _ONLY_UNDER[name])
        raise AAMError(
            f"{counted(len(given), 'setting')} would have no effect, as 'schedule' is "
            f"'{schedule}': {examples(given)}. Leave them out, or choose a schedule that reads "
            f"them ({', '.join(schedules)})."
        )
    least, epochs = settings.get("min_epochs"), settings["epochs"]
    if least is not None and least >= epochs:
        raise AAMError(
            f"'min_epochs' is {least:,} and 'epochs' is {epochs:,}: no epoch could be kept. Lower "
            "'min_epochs' or raise 'epochs'."
        )

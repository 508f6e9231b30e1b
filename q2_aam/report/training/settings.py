"""The settings in force: as a table, as a download, and what those of a target mean in words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ...storage.training_log import Setting
from ..formatting import format_setting, join_words
from ..page import Cell, Column, Download, Note, Section, Table
from ..words import words

CHOOSERS = {
    "user": "you",
    "encoder": "the encoder given",
    "automatic": "q2-aam, for this data",
    "default": "default",
}
_MOST_CLASSES = 20  # named with their samples


def describe_target_settings(settings: Sequence[Setting]) -> list[str]:
    """Say in sentences how the target was learned; other settings are passed over."""
    value = {setting.name: setting.value for setting in settings}

    def choice(name: str) -> str:
        known = isinstance(value.get(name), (str, bool))  # a log may hold any JSON
        return words("settings", f"{name} {value[name]}") if known else ""

    names = ("target_loss", "target_scaling", "class_weights", "bound_predictions")
    sentences = [choice(name) for name in names]
    columns = value.get("covariate_columns")
    if columns and isinstance(columns, (list, tuple)):
        columns, effect = join_words(map(str, columns)), choice("covariate_fusion")
        text = f"The columns {columns} are read beside the microbes"
        sentences.append(f"{text}; {effect}" if effect else f"{text}.")
    sentences.append(choice("freeze_encoder"))
    return [sentence for sentence in sentences if sentence]


def describe_class_counts(counts: dict) -> str:
    """Name the classes with their training samples, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{name} ({count:,})" for name, count in ordered[:_MOST_CLASSES])
    rest = len(ordered) - _MOST_CLASSES
    return f"{named} and {rest:,} more" if rest > 0 else named


def section_of_settings(settings: Sequence[Setting]) -> Section:
    """Show what the user chose first and the defaults last."""
    order = list(CHOOSERS)
    by_chooser = sorted(settings, key=lambda setting: order.index(setting.chosen_by))
    rows = [
        (one.name, Cell(codes=[format_setting(one.value)]), CHOOSERS[one.chosen_by], one.why)
        for one in by_chooser
    ]
    records = [(one.name, format_setting(one.value), one.chosen_by, one.why) for one in settings]
    frame = pd.DataFrame(records, columns=["id", "value", "chosen_by", "why"]).set_index("id")
    columns = [Column(name) for name in ("Setting", "Value", "Chosen by", "Why")]
    table = Table("settings-table", columns, rows)
    blocks = [Note(words("notes", "settings")), table, Download("settings", "the settings", frame)]
    return Section("settings", "Settings", "Every setting in force", blocks)

"""The settings in force, as a table on a page and as a download."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from ..storage.training_log import Setting

CHOOSERS = {
    "user": "you",
    "encoder": "the encoder given",
    "automatic": "q2-aam, for this data",
    "default": "default",
}


def setting_rows(settings: Sequence[Setting]) -> list[dict]:
    """Give the rows of a page's table: what the user chose comes first, the defaults last."""
    order = list(CHOOSERS)
    settings = sorted(settings, key=lambda setting: order.index(setting.chosen_by))
    return [
        {
            "name": setting.name,
            "value": as_text(setting.value),
            "chosen_by": CHOOSERS[setting.chosen_by],
            "why": setting.why,
        }
        for setting in settings
    ]


def as_text(value) -> str:
    """Write a value as people read it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, ensure_ascii=False)


def settings_table(settings: Sequence[Setting]) -> pd.DataFrame:
    """Give the settings as a download."""
    records = [
        {
            "id": setting.name,
            "value": as_text(setting.value),
            "chosen_by": setting.chosen_by,
            "why": setting.why,
        }
        for setting in settings
    ]
    columns = ["id", "value", "chosen_by", "why"]
    return pd.DataFrame.from_records(records, columns=columns).set_index("id")

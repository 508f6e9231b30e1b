"""Where runs keep their state, and what later runs need not read again."""

from __future__ import annotations

import os
from pathlib import Path


def runs_root() -> Path:
    """Return the folder of all runs: ``$Q2_AAM_RUN_DIR``, else one in the user's cache."""
    chosen = os.environ.get("Q2_AAM_RUN_DIR")
    if chosen:
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "q2-aam" / "runs"

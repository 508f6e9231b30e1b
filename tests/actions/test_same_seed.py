"""The same seed gives the same weights bit for bit, in a fresh process too."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from simulated_study import TINY, model_of, simulate_study

SETTINGS = TINY | {"dropout": 0.1, "epochs": 3, "random_seed": 7}


def fit(aam, order: int | None = None, seed: int = 7):
    study = simulate_study(14, 30, 8, (50, 60))
    one = study if order is None else study.shuffled(order)
    return aam.fit_regressor(
        one.table, one.age_column, sequences=one.sequences, distance_matrix=one.distances,
        **SETTINGS | {"random_seed": seed},
    ).regressor  # fmt: skip


def fingerprint(artifact) -> str:
    """Hash the config and every byte of the weights."""
    config, arrays = model_of(artifact)
    digest = hashlib.sha256(repr(config).encode())
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


IN_A_FRESH_PROCESS = """
import sys
from qiime2.plugins import aam
import test_same_seed
order = None if sys.argv[1] == "as it is" else int(sys.argv[1])
print("fingerprint", test_same_seed.fingerprint(test_same_seed.fit(aam.actions, order)))
"""


@pytest.fixture(scope="module")
def here(aam, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("Q2_AAM_RUN_DIR", str(tmp_path_factory.mktemp("here")))
        return fingerprint(fit(aam))


@pytest.mark.parametrize("order", ["as it is", "3"])
def test_a_fresh_process_trains_the_same_weights(here, tmp_path, order):
    folder = Path(__file__).parent
    environment = os.environ | {
        "PYTHONHASHSEED": str(int.from_bytes(os.urandom(3), "big")),
        "PYTHONPATH": os.pathsep.join([str(folder), str(folder.parent), *sys.path]),
        "Q2_AAM_RUN_DIR": str(tmp_path / "elsewhere"),
    }
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IN_A_FRESH_PROCESS, order],
        check=False, capture_output=True, text=True, timeout=200, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split()[-1] == here


def test_another_seed_trains_others(aam, here):
    assert fingerprint(fit(aam, seed=8)) != here

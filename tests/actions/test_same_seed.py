"""The same seed gives the same weights bit for bit, in a fresh process too."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulated_study import TINY, model_of, simulate_study
from trials import count

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


def predictions(aam, regressor) -> dict[str, str]:
    """Predict every sample, written out exactly."""
    study = simulate_study(14, 30, 8, (50, 60))
    found = aam.predict_regression(
        study.table, regressor, sequences=study.sequences, interval=0.5
    ).predictions.view(pd.Series)
    return {name: float(value).hex() for name, value in found.items()}


IN_A_FRESH_PROCESS = """
import json, sys
from qiime2.plugins import aam
import test_same_seed as test
for order in sys.argv[1:]:
    found = test.fit(aam.actions, int(order))
    print(json.dumps([test.fingerprint(found), test.predictions(aam.actions, found)]))
"""


@pytest.fixture(scope="module")
def here(aam, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("Q2_AAM_RUN_DIR", str(tmp_path_factory.mktemp("here")))
        regressor = fit(aam)
        return [fingerprint(regressor), predictions(aam, regressor)]


def start_fresh(orders: list[int], folder: Path) -> subprocess.Popen:
    """Train in a fresh process, with another seed of hashes and inputs shuffled in two ways."""
    own = Path(__file__).parent
    environment = os.environ | {
        "PYTHONHASHSEED": str(np.random.default_rng(orders).integers(2**32)),
        "PYTHONPATH": os.pathsep.join([str(own), str(own.parent), *sys.path]),
        "Q2_AAM_RUN_DIR": str(folder / f"runs {orders[0]}"),
    }
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", IN_A_FRESH_PROCESS, *map(str, orders)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder,
    )  # fmt: skip


def test_row_7_fresh_processes_and_shuffled_inputs_train_the_same(here, tmp_path):
    """Batches are built where the model runs, so there is no number of workers to vary."""
    for first in range(0, count(4, 40), 4):  # two processes at once
        pairs = [first, first + 1], [first + 2, first + 3]
        for process in [start_fresh(orders, tmp_path) for orders in pairs]:
            output, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors[-2000:]
            found = [json.loads(line) for line in output.splitlines() if line.startswith("[")]
            assert found == [here, here], process.args


def test_another_seed_trains_others(aam, here):
    assert fingerprint(fit(aam, seed=8)) != here[0]

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
import qiime2
import quick_actions as quick
from simulated_study import TINY_FIT, column_of, model_of, simulate_study
from trials import count

# batches of two, so that they must wait for one another whatever the workers
SETTINGS = TINY_FIT | {"dropout": 0.1, "epochs": 3, "random_seed": 7, "batch_size": 2}


def fit(order: int | None = None, **settings):
    """Fit with everything whose order could matter, shuffled by `order` if it is given."""
    study = simulate_study(14, 30, 8, (50, 60))
    rows = pd.DataFrame({"site": [*"abc"] * 4 + ["a", "b"], "mass": np.arange(14.0)})
    rows.index, groups = study.ages.index, study.subjects
    if order is not None:
        study = study.shuffled(order)
        rows = rows.sample(frac=1, random_state=order)[["mass", "site"]]
        groups = groups.sample(frac=1, random_state=order + 1)
    return quick.fit(
        study, distance_matrix=study.distances, freeze_encoder=False,
        groups=column_of(groups), covariates=qiime2.Metadata(rows),
        covariate_columns=["site", "mass"], **SETTINGS | settings,
    ).regressor  # fmt: skip


def fingerprint(regressor) -> list:
    """Hash the config and every byte of the weights; write out what is predicted exactly."""
    config, arrays = model_of(regressor)
    digest = hashlib.sha256(repr(config).encode())
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    study = simulate_study(14, 30, 8, (50, 60))
    rows = pd.DataFrame({"site": "c", "mass": 3.0}, study.ages.index)
    found = quick.predictions(study, regressor, covariates=qiime2.Metadata(rows))
    return [digest.hexdigest(), {name: float(value).hex() for name, value in found.items()}]


IN_A_FRESH_PROCESS = """
import json, sys
import test_same_seed as test
for order in map(int, sys.argv[1:]):
    print(json.dumps(test.fingerprint(test.fit(order, workers=2 * (order % 2)))))
"""


@pytest.fixture(scope="module")
def here():
    return fingerprint(fit())


def start_fresh(orders: list[int], folder: Path) -> subprocess.Popen:
    """Train in a fresh process with another seed of hashes: shuffled inputs, 0 or 2 workers."""
    own = Path(__file__).parent
    environment = os.environ | {
        "PYTHONHASHSEED": str(np.random.default_rng(orders).integers(2**32)),
        "PYTHONPATH": os.pathsep.join([str(own), str(own.parent), *sys.path]),
    }
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", IN_A_FRESH_PROCESS, *map(str, orders)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder,
    )  # fmt: skip


def test_row_7_fresh_processes_and_shuffled_inputs_train_the_same(here, tmp_path):
    trials, each = count(2, 40), count(1, 5)
    for first in range(0, trials, 2 * each):  # two processes at once
        halves = range(first, first + each), range(first + each, first + 2 * each)
        for process in [start_fresh(list(orders), tmp_path) for orders in halves]:
            output, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors[-2000:]
            assert "finished its training before" not in output
            found = [json.loads(line) for line in output.splitlines() if line.startswith("[")]
            assert found == [here] * each, process.args


def test_another_seed_trains_others(here):
    assert fingerprint(fit(random_seed=8))[0] != here[0]

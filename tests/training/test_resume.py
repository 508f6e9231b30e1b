"""A killed run, started again, ends as if it had never been killed."""

import hashlib
import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from qiime2.plugins import aam
from q2_aam import examples
from q2_aam.types import AAMModelDirectoryFormat

encoder, _ = aam.actions.pretrain(
    tables=[examples._table()], distance_matrices=[examples._unifrac()],
    sequences=[examples._sequences()], pretrained="none", epochs=6, batch_size=4,
    dropout=0.1, threads=1,
    hidden_size=16, heads=2, branches=16, random_seed=int(sys.argv[1]),
    nucleotide_weight=0.1, abundance_weight=0.1,
)
print("finished training", flush=True)
sys.stdin.readline()
encoder.export_data(sys.argv[2])
"""


def start(folder, runs, seed=0):
    environment = os.environ | {"Q2_AAM_RUN_DIR": str(runs), "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM, str(seed), str(folder)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def read_until(process, beginning):
    """Read lines until one begins so; return all of them."""
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith(beginning):
            return lines
    raise AssertionError(f"The run ended before {beginning!r}: {lines}")


def finish(process):
    output, _ = process.communicate("go on\n", timeout=120)
    assert process.returncode == 0
    return output.splitlines()


def weights_of(folder):
    return hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    finish(start(folder / "model", folder / "runs"))
    return weights_of(folder / "model")


@pytest.mark.parametrize("killed_at", ["epoch 1/", "epoch 4/", "finished training"])
def test_killed_run_equals_unbroken_run(killed_at, unbroken, tmp_path):
    process = start(tmp_path / "model", tmp_path / "runs")
    read_until(process, killed_at)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stdin.close()
    assert not (tmp_path / "model").exists()
    lines = finish(start(tmp_path / "model", tmp_path / "runs"))
    if killed_at == "finished training":
        assert lines[0].startswith("This command had finished its training before")
        assert not any(line.startswith("epoch ") for line in lines)
    else:
        assert lines[0].startswith("Resuming an interrupted run of this command after epoch ")
        assert not any(line.startswith("epoch 1/") for line in lines)
    assert weights_of(tmp_path / "model") == unbroken


def test_another_seed_starts_afresh(unbroken, tmp_path):
    finish(start(tmp_path / "first", tmp_path / "runs"))
    lines = finish(start(tmp_path / "second", tmp_path / "runs", seed=1))
    assert any(line.startswith("epoch 1/") for line in lines)
    assert weights_of(tmp_path / "first") == unbroken != weights_of(tmp_path / "second")


def test_training_goes_on_where_no_state_can_be_written(unbroken, tmp_path):
    (tmp_path / "runs").write_text("a file where the folder should be")
    lines = finish(start(tmp_path / "model", tmp_path / "runs"))
    assert sum("cannot be saved" in line for line in lines) == 1
    assert weights_of(tmp_path / "model") == unbroken

"""Several processes, as torchrun starts them, are one run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from simulated_study import TINY, TINY_FIT, simulate_study

from q2_aam.errors import AAMError
from q2_aam.training import distributed

PATH = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])


def learn(folder, kind: str, epochs: int = 3) -> None:
    """Train in this process, which may be one of several, and write the model into a folder."""
    from qiime2.plugins import aam

    study = simulate_study(14, 40, 3)
    # SGD, as its steps are linear in the gradient: rounding stays as small as it is
    settings = {"optimizer": "sgd", "learning_rate": 0.1, "epochs": epochs, "batch_size": 8}
    settings["validation_size"] = 0.2
    if kind == "fit":
        settings |= {"attention_head": "on", "distance_matrix": study.distances}
        found = aam.actions.fit_regressor(
            study.table, study.age_column, sequences=study.sequences, **TINY_FIT | settings
        )
    else:
        settings |= {"nucleotide_weight": 0.1, "abundance_weight": 0.1}
        settings |= {"random_seed": int(os.environ["RANK"])} if kind == "differ" else {}
        if kind == "euclidean":
            settings |= {"distance_form": "euclidean", "batch_size": 3}
        found = aam.actions.pretrain(
            [study.table], [study.distances], sequences=[study.sequences], **TINY | settings
        )
    found[0].export_data(str(folder))


def start(tmp_path, kind, processes, epochs=3, name="model"):
    """Start this file by torchrun, as a program that learns."""
    # A killed process may leave QIIME 2's lock on the folder of temporary artifacts
    temporary = tmp_path / f"temporary-{time.monotonic_ns()}"
    temporary.mkdir()
    environment = os.environ | {
        "TMPDIR": str(temporary), "Q2_AAM_RUN_DIR": str(tmp_path / f"runs-{processes}"),
        "PYTHONPATH": PATH, "PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes),
         "--master-port", str(20000 + os.getpid() % 9000),
         __file__, str(tmp_path / name), kind, str(epochs)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process):
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def difference(one: Path, other: Path) -> float:
    left, right = (load_file(folder / "weights.safetensors") for folder in (one, other))
    return max(float(np.abs(left[name] - right[name]).max()) for name in left)


# that of branches is compared below, where it is killed on its way
@pytest.mark.parametrize(
    ("kind", "processes"), [("fit", 2), pytest.param("euclidean", 4, marks=pytest.mark.hard)]
)
def test_several_processes_learn_what_one_does_and_one_stores(tmp_path, capfd, kind, processes):
    together = start(tmp_path, kind, processes, name="together")
    learn(tmp_path / "alone", kind)
    printed = capfd.readouterr().out
    code, output = finish(together)
    assert code == 0, output[-2000:]
    epochs = [line for line in output.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1/3", "2/3", "3/3"]  # one process prints
    assert difference(tmp_path / "alone", tmp_path / "together") < 1e-5
    start_of = [line.split("  at most")[0] for line in printed.splitlines() if "epoch 1/" in line]
    assert start_of[0].split()[2:4] == epochs[0].split()[2:4]  # the same loss


def test_a_killed_process_ends_the_others_with_a_word_and_the_run_resumes(tmp_path):
    killed = start(tmp_path, "branches", 2, epochs=5, name="killed")
    assert any(line.startswith("epoch 2/") for line in killed.stdout)
    children = Path(f"/proc/{killed.pid}/task/{killed.pid}/children").read_text().split()
    (second,) = [pid for pid in children if b"RANK=1" in Path(f"/proc/{pid}/environ").read_bytes()]
    os.kill(int(second), signal.SIGKILL)
    started = time.monotonic()
    code, output = finish(killed)
    assert code
    assert time.monotonic() - started < 60
    assert not (tmp_path / "killed").exists()
    code, resumed = finish(start(tmp_path, "branches", 2, epochs=5, name="killed"))
    assert code == 0, resumed[-2000:]
    assert resumed.count("Resuming an interrupted run of this command after epoch") == 1
    assert "epoch 1/" not in resumed
    learn(tmp_path / "unbroken", "branches", 5)
    assert difference(tmp_path / "unbroken", tmp_path / "killed") < 1e-5


def test_processes_that_see_other_inputs_are_refused(tmp_path):
    code, output = finish(start(tmp_path, "differ", 2))
    assert code
    assert "1 process of 2 started with another input, setting or version" in output
    assert not list((tmp_path / "runs-2").glob("*"))


@pytest.mark.parametrize(
    ("missing", "device", "message"),
    [
        ("RANK", "cpu", "RANK is not set.*torchrun"),
        ("MASTER_ADDR", "cpu", "MASTER_ADDR is not set.*torchrun"),
        (None, "gpu", "Process 2 of this machine has no GPU of its own"),
    ],
)
def test_processes_that_cannot_work_together_are_refused(monkeypatch, missing, device, message):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "" if name == missing else "1")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(AAMError, match=message):
        distributed.start(device)


@pytest.mark.parametrize(
    "parts", [[[0]] * 4, [[0], [1], [2], [0]], [[0, 1, 2], [3, 4], [5, 6], [7, 8]]]
)
def test_rows_are_divided_evenly_and_who_gets_none_reads_the_first(monkeypatch, parts):
    monkeypatch.setattr(distributed, "size", lambda: 4)
    monkeypatch.setattr(distributed, "rank", iter(range(4)).__next__)
    rows = np.unique(np.concatenate(parts))
    assert [distributed.own_part(rows).tolist() for _ in range(4)] == parts


if __name__ == "__main__":
    import qiime2

    with qiime2.Cache(f"{sys.argv[1]}-cache-{os.getpid()}"):  # one that is killed may leave a lock
        learn(sys.argv[1], sys.argv[2], int(sys.argv[3]))

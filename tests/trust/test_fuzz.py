"""Fuzz our readers: whatever the bytes, they read a sound file or refuse it, and nothing else.

    python tests/trust/test_fuzz.py FOLDER [options of libFuzzer, such as -max_total_time=60]

FOLDER is the corpus; it is seeded from the golden artifacts if it is empty. Needs atheris
(``pip install 'q2-aam[fuzz]'``), with which ``make test-hard`` runs it too. The first byte of an
input chooses the file, the rest is its content.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest
from archives import Archive, fitting_manifest

GOLDEN = Path(__file__).parent.parent / "golden" / "version-1"
MODEL = ("config.json", "weights.safetensors", "manifest.json")
# a log's own sums would end the search at once: it is read without, as first versions wrote it
LOG = ("history.tsv", "settings.json", "summary.json")
SLOTS = (*MODEL, *LOG, "intervals.tsv")
SOUND_INTERVALS = b"id\tlower\tupper\nS1\t0.5\t1.5\n0002\t-1\t1e3\n"


@pytest.mark.hard
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed (extra 'fuzz'; it is not built for every Python)",
)
def test_no_bytes_make_a_reader_fail(tmp_path):
    seconds = int(os.environ.get("Q2_AAM_FUZZ_SECONDS", "300"))
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={tmp_path}/"]
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, str(tmp_path / "corpus"), *options],
        check=False, capture_output=True, text=True, timeout=seconds + 300,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr[-3000:]
    assert "Done" in finished.stderr


def fuzz(corpus: Path, scratch: Path) -> None:
    """Read spoiled files until time is up or one makes a reader fail."""
    import atheris
    import numpy as np

    with atheris.instrument_imports(include=["q2_aam"], enable_loader_override=False):
        from q2_aam.errors import AAMError
        from q2_aam.storage.model import read_model
        from q2_aam.storage.training_log import read_training_log
        from q2_aam.types import PredictionIntervalsFormat

    sound = {"intervals.tsv": SOUND_INTERVALS}
    for name in ("training-log.qza", "regressor.qza"):
        sound |= Archive.of(GOLDEN / name).payload
    of_model = {name: sound[name] for name in MODEL}
    folders = {name: scratch / ("model" if name in MODEL else "others") for name in sound}

    def write(name: str, content: bytes) -> None:
        (folders[name] / name).parent.mkdir(parents=True, exist_ok=True)
        (folders[name] / name).write_bytes(content)

    def read(slot: str) -> None:
        """Read what holds the file, and hold what was read to what a reader promises."""
        if slot in MODEL:
            _, arrays = read_model(folders[slot])
            assert all(np.isfinite(array).all() for array in arrays.values())
        elif slot in LOG:
            history = read_training_log(folders[slot]).history
            assert not np.isinf(history.to_numpy()).any()
        else:
            with (folders[slot] / slot).open(encoding="utf-8") as lines:
                assert PredictionIntervalsFormat.read(lines).index.is_unique

    def read_spoiled(data: bytes) -> None:
        if not data:
            return
        slot = SLOTS[data[0] % len(SLOTS)]
        write(slot, data[1:])
        if slot in MODEL[:2]:
            write(MODEL[2], fitting_manifest(of_model | {slot: data[1:]}))
        try:
            read(slot)
        except AAMError as error:
            assert len(str(error)) < 2000
            assert len(str(error).splitlines()) <= 10
        finally:
            for name in (slot, MODEL[2]):
                write(name, sound[name])

    for name, content in sound.items():
        write(name, content)
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        for number, name in enumerate(SLOTS):
            (corpus / f"sound {number}").write_bytes(bytes([number]) + sound[name])
    limits = ["-max_len=200000", "-timeout=5", "-rss_limit_mb=2048"]
    atheris.Setup([*sys.argv, *limits], read_spoiled)
    atheris.Fuzz()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    quick = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=quick) as scratch:
        fuzz(Path(sys.argv[1]), Path(scratch))

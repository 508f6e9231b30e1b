"""Fuzz our readers: whatever the bytes, they read a sound file or refuse it, and nothing else.

    python tests/trust/fuzz_reader.py FOLDER [options of libFuzzer, such as -max_total_time=60]

FOLDER is the corpus; it is seeded from the golden artifacts if it is empty. Needs atheris
(``pip install 'q2-aam[fuzz]'``). The first byte of an input chooses the file, the rest is its
content.
"""

import os
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import atheris

sys.path.append(str(Path(__file__).parent))

with atheris.instrument_imports(include=["q2_aam"], enable_loader_override=False):
    from q2_aam.errors import AAMError
    from q2_aam.storage.model import read_model
    from q2_aam.storage.training_log import read_training_log
    from q2_aam.types import PredictionIntervalsFormat

import numpy as np
from archives import fitting_manifest

GOLDEN = Path(__file__).parent.parent / "golden" / "version-1"
MODEL = ("config.json", "weights.safetensors", "manifest.json")
LOG = ("history.tsv", "settings.json", "summary.json")
SLOTS = (*MODEL, *LOG, "intervals.tsv")
SOUND_INTERVALS = b"id\tlower\tupper\nS1\t0.5\t1.5\n0002\t-1\t1e3\n"


def payload(name: str) -> dict[str, bytes]:
    with zipfile.ZipFile(GOLDEN / name) as archive:
        found = {path.partition("/data/")[2]: archive.read(path) for path in archive.namelist()}
    return {path: content for path, content in found.items() if path}


# a log's own sums would end the search at once: it is read without, as first versions wrote it
SOUND = payload("training-log.qza") | payload("regressor.qza") | {SLOTS[-1]: SOUND_INTERVALS}
OF_MODEL = {name: SOUND[name] for name in MODEL}


def write(folder: Path, names) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(SOUND[name])


def read(slot: str) -> None:
    """Read what holds the file, and hold what was read to what a reader promises."""
    if slot in MODEL:
        _, arrays = read_model(MODEL_FOLDER)
        assert all(np.isfinite(array).all() for array in arrays.values())
    elif slot in LOG:
        history = read_training_log(LOG_FOLDER).history
        assert not np.isinf(history.to_numpy()).any()
    else:
        with (SCRATCH / slot).open(encoding="utf-8") as lines:
            assert PredictionIntervalsFormat.read(lines).index.is_unique


def test_one_input(data: bytes) -> None:
    if not data:
        return
    slot = SLOTS[data[0] % len(SLOTS)]
    folder = MODEL_FOLDER if slot in MODEL else LOG_FOLDER if slot in LOG else SCRATCH
    (folder / slot).write_bytes(data[1:])
    if slot in MODEL[:2]:
        (folder / MODEL[2]).write_bytes(fitting_manifest(OF_MODEL | {slot: data[1:]}))
    try:
        read(slot)
    except AAMError as error:
        assert len(str(error)) < 2000
        assert len(str(error).splitlines()) <= 10
    finally:
        write(folder, [slot, MODEL[2]] if slot in MODEL else [slot])


def seed(corpus: Path) -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        for number, name in enumerate(SLOTS):
            (corpus / f"sound {number}").write_bytes(bytes([number]) + SOUND[name])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    seed(Path(sys.argv[1]))
    quick = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=quick) as scratch:
        SCRATCH = Path(scratch)
        MODEL_FOLDER, LOG_FOLDER = SCRATCH / "model", SCRATCH / "log"
        write(MODEL_FOLDER, MODEL)
        write(LOG_FOLDER, [name for name in SOUND if name not in (*MODEL, SLOTS[-1])])
        write(SCRATCH, SLOTS[-1:])
        limits = ["-max_len=200000", "-timeout=5", "-rss_limit_mb=2048"]
        atheris.Setup([*sys.argv, *limits], test_one_input)
        atheris.Fuzz()

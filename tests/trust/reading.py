"""Read model folders in a process of its own, and say what each took.

Arguments: a sound model, to warm up with, then the folders. Writes a JSON object a line: the
refusal (null if the model was read), processor seconds, and bytes of memory beyond the warm-up's.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from q2_aam.errors import AAMError
from q2_aam.storage.model import read_model

_UNIT = 1 if sys.platform == "darwin" else 1024


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def read_in_own_process(sound: Path, folders: list[Path]) -> list[dict]:
    """Read folders in a fresh process; anything but a refusal of ours fails."""
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, str(sound), *map(str, folders)],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    return [json.loads(line) for line in finished.stdout.splitlines()]


def main() -> None:
    read_model(sys.argv[1])
    before = peak_memory()
    for folder in sys.argv[2:]:
        started = time.process_time()
        try:
            refusal = read_model(folder) and None
        except AAMError as error:
            refusal = str(error)
        taken = {"seconds": time.process_time() - started, "memory": peak_memory() - before}
        print(json.dumps({"refusal": refusal, **taken}))


if __name__ == "__main__":
    main()

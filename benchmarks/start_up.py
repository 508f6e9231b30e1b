"""What the plugin adds to the start of QIIME 2: the time of its import in fresh processes.

    python benchmarks/start_up.py
    python benchmarks/start_up.py --slowest 15    # which modules take it

Needs QIIME 2. The imports take turns, so that a busy moment meets all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
OTHER, OURS = "q2_sample_classifier.plugin_setup", "q2_aam.plugin_setup"
IMPORTS = {
    "q2-sample-classifier": f"import {OTHER}",
    "q2-aam": f"import {OURS}",
    "both": f"import {OTHER}, {OURS}",
}
ALLOWED = 0.3  # seconds that q2-aam may add
HEAVY = ("torch", "accelerate", "tensorboard", "altair", "vl_convert")
_PRINT_HEAVY = f"import sys; print(*(name for name in {HEAVY!r} if name in sys.modules))"


def start(statement: str) -> dict:
    """Run a statement in a new process; return what it took, and the heavy modules it loaded."""
    command = [sys.executable, "-W", "ignore", "-c", f"{statement}\n{_PRINT_HEAVY}"]
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    took, after = time.perf_counter() - began, os.times()
    processor = after.children_user + after.children_system
    processor -= before.children_user + before.children_system
    return {"seconds": took, "processor_seconds": processor, "heavy": done.stdout.split()}


def slowest_modules(number: int) -> list[tuple[float, str]]:
    """Return the modules whose own import takes longest after q2-sample-classifier, in seconds."""
    command = [sys.executable, "-W", "ignore", "-X", "importtime", "-c", IMPORTS["both"]]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", log)
    known = [name for _, name in found].index(OTHER)
    return sorted(((int(own) / 1e6, name) for own, name in found[known + 1 :]), reverse=True)[
        :number
    ]


def main() -> None:
    """Take turns, print medians and what is added, and store every figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slowest", type=int, default=0, help="modules to list")
    parser.add_argument("--output", type=Path, default=RESULTS / "start-up.json")
    options = parser.parse_args()
    start(IMPORTS["both"])  # files are read and compiled
    found: dict[str, list[dict]] = {name: [] for name in IMPORTS}
    for _ in range(options.rounds):
        for name, statement in IMPORTS.items():
            found[name].append(start(statement))
    kinds = ("seconds", "processor_seconds")
    medians = {
        name: {kind: statistics.median(one[kind] for one in runs) for kind in kinds}
        for name, runs in found.items()
    }
    print("| import | seconds | processor seconds | heavy modules |\n| --- | --- | --- | --- |")
    for name, runs in found.items():
        heavy = ", ".join(runs[0]["heavy"]) or "none"
        print(f"| {name} | {medians[name]['seconds']:.2f} "
              f"| {medians[name]['processor_seconds']:.2f} | {heavy} |")  # fmt: skip
    added = {kind: medians["both"][kind] - medians["q2-sample-classifier"][kind] for kind in kinds}
    # an import is one thread's work: on a busy machine its processor seconds say what it takes
    allowed = added["processor_seconds"] <= ALLOWED
    verdict = f"{'at most' if allowed else 'more than'} the {ALLOWED} s allowed"
    print(f"q2-aam adds {added['seconds']:.2f} s ({added['processor_seconds']:.2f} of a "
          f"processor): {verdict}.")  # fmt: skip
    for own, name in slowest_modules(options.slowest) if options.slowest else ():
        print(f"{own:.3f} s  {name}")
    content = {"date": time.strftime("%Y-%m-%d"), "medians": medians, "added": added}
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(content | {"runs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Time and memory of loading, batching, frozen fitting and prediction as studies grow.

    python benchmarks/scale.py --threads 1
    python benchmarks/scale.py --sizes 1000 4000 --stages load epoch    # the others stay known

Needs the training core only, no QIIME 2. Every stage of every size runs in a process of its own,
so that its peak is its own; models have their default sizes. Processor seconds stand beside wall
seconds, as others may use the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from growth_stages import STAGES, store_matrix
from large_table import draw_table

RESULTS = Path(__file__).parent / "results"
SIZES = (1000, 4000, 16000, 64000)
MATRIX = "matrix"
COLUMNS = (
    "stage", "samples", "ASVs", "non-zeros", "wall s", "processor s", "ms a sample", "× smallest",
    "peak GiB", "above the start", "bytes a non-zero",
)  # fmt: skip


class Meter:
    """Measures what a stage takes beyond what was there when it began.

    Attributes
    ----------
    found : dict
        Seconds, processor seconds, GiB at the start and at the peak; empty until it is left.
    """

    def __init__(self):
        self.found: dict[str, float] = {}

    def __enter__(self) -> Meter:
        # not ru_maxrss: that of a new process holds the peak of the process that started it
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        self._start = status("VmRSS")
        self._wall, self._processor = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error) -> None:
        self.found = {
            "seconds": time.perf_counter() - self._wall,
            "processor_seconds": time.process_time() - self._processor,
            "start_gib": self._start,
            "peak_gib": status("VmHWM"),
        }


def status(name: str) -> float:
    """Return GiB of memory of this process: VmRSS what it has now, VmHWM the most it had."""
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)
    )
    return int(line.split()[1]) / 2**20


def measure(job: dict) -> dict:
    """Run one stage in this process."""
    limit = int(job["limit_gib"] * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    meter = Meter()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            facts = STAGES[job["stage"]](Path(job["folder"]), job["threads"], meter)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        return job | {"out_of_memory": True}
    return job | facts | meter.found


def run_elsewhere(job: dict) -> dict:
    """Measure a stage in a process of its own."""
    environment = os.environ | {"Q2_AAM_RUN_DIR": str(Path(job["folder"]) / "runs")}
    if job["threads"]:
        environment["OMP_NUM_THREADS"] = str(job["threads"])
    command = [sys.executable, __file__, "--job", json.dumps(job)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    del found["folder"]
    return found


def measure_size(samples: int, options: argparse.Namespace) -> list[dict]:
    """Draw a table and run all stages on it."""
    results = []
    with tempfile.TemporaryDirectory(prefix="q2-aam-scale-") as folder:
        table = draw_table(samples)
        facts = {
            "samples": samples,
            "asvs": len(table.dna),
            "nonzeros": int(table.matrix_data.nnz),
        }
        table.store(Path(folder) / "table.npz")
        if samples <= options.matrix_up_to:
            store_matrix(table, Path(folder))
        del table
        for stage in options.stages:
            if stage == MATRIX and samples > options.matrix_up_to:
                continue
            job = {
                "stage": stage,
                "folder": folder,
                "threads": options.threads,
                "limit_gib": options.limit_gib,
            }
            results.append(facts | run_elsewhere(job))
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    return results


def with_earlier(results: list[dict], path: Path) -> list[dict]:
    """Add what was measured before of other sizes and stages, and put all in order."""
    earlier = json.loads(path.read_text())["results"] if path.exists() else []
    known = {(result["samples"], result["stage"]): result for result in (*earlier, *results)}
    stages = list(STAGES)
    return sorted(known.values(), key=lambda one: (stages.index(one["stage"]), one["samples"]))


def table_of(results: list[dict]) -> str:
    """Write results as a table in Markdown, each stage beside its smallest size."""
    lines = [COLUMNS, ["---"] * len(COLUMNS)]
    for stage in dict.fromkeys(result["stage"] for result in results):
        smallest = None
        for result in results:
            if result["stage"] != stage:
                continue
            sizes = [f"{result[name]:,}" for name in ("samples", "asvs", "nonzeros")]
            if result.get("out_of_memory"):
                lines.append([stage, *sizes, f"more than {result['limit_gib']:g} GiB", *[""] * 6])
                continue
            each = 1000 * result["processor_seconds"] / result["samples"]
            smallest = smallest or each
            above = result["peak_gib"] - result["start_gib"]
            lines.append([
                stage, *sizes, f"{result['seconds']:.3g}", f"{result['processor_seconds']:.3g}",
                f"{each:.3g}", f"{each / smallest:.2f}", f"{result['peak_gib']:.2f}",
                f"{above:.2f}", f"{above * 2**30 / result['nonzeros']:.0f}",
            ])  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def slopes(results: list[dict]) -> str:
    """Say how memory grows: a fixed part, and bytes for each further non-zero."""
    sentences = []
    for stage in dict.fromkeys(result["stage"] for result in results):
        found = [
            (result["nonzeros"], (result["peak_gib"] - result["start_gib"]) * 2**30)
            for result in results
            if result["stage"] == stage and not result.get("out_of_memory")
        ]
        if len(found) > 1 and stage != MATRIX:
            slope, fixed = np.polyfit(*np.array(found).T, 1)
            sentences.append(f"{stage}: {fixed / 2**30:.2f} GiB and {slope:.0f} bytes a non-zero")
    return "Memory above the start: " + "; ".join(sentences) + "."


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="samples")
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=STAGES)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    parser.add_argument(
        "--matrix-up-to", type=int, default=16000, help="largest size with a distance matrix"
    )
    parser.add_argument(
        "--limit-gib", type=float, default=20.0, help="memory that a stage may ask for"
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "scale.json")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run all sizes, print the table and store every figure."""
    options = parse_options()
    if options.job:
        print(json.dumps(measure(json.loads(options.job))))
        return
    results = [found for samples in options.sizes for found in measure_size(samples, options)]
    results = with_earlier(results, options.output)
    print(table_of(results))
    print(slopes(results))
    content = {"cores": os.cpu_count(), "date": time.strftime("%Y-%m-%d"), "results": results}
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()

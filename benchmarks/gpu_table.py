"""Put what the parts of `gpu.sh` wrote into results.json and table.md; needs Python alone.

    python gpu_table.py LOGS OUT

`gpu.sh` calls it after each part, so that nothing is lost if it is stopped.
"""

import json
import sys
from pathlib import Path

from measuring import markdown

PEAKS = {"H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12}  # dense bf16, FLOP/s, datasheets
REFERENCE, TIMED_OUT = "reference", (124, 137)
LOG_KEPT = 3000  # last letters of each part's output


def read_lines(path: Path) -> list[dict]:
    """Read a part's results; a process that was killed may have cut the last line."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def collect(logs: Path) -> dict:
    """Collect all results, and how each part ended."""
    content: dict = {"machine": {}, "parts": {}, "results": []}
    for path in sorted(logs.glob("*.status"), key=lambda path: path.stat().st_mtime):
        code, seconds = map(int, path.read_text().split())
        log = path.with_suffix(".log").read_text(errors="replace")[-LOG_KEPT:]
        content["parts"][path.stem] = {"status": code, "seconds": seconds, "log": log}
        for one in read_lines(path.with_suffix(".jsonl")):
            if one["kind"] == "machine":
                content["machine"] = content["machine"] or one
            else:
                content["results"].append(one)
    return content


def of_kind(content: dict, kind: str) -> list[dict]:
    """Return the results of a kind."""
    return [one for one in content["results"] if one["kind"] == kind]


def how_parts_ended(content: dict) -> str:
    """Say which parts were finished, stopped or failed."""
    rows = []
    for name, part in content["parts"].items():
        status, lines = part["status"], [line for line in part["log"].splitlines() if line.strip()]
        ending = _short(lines[-1]) if lines else "nothing was said"
        ending = "finished" if not status else f"failed ({status}): {ending}"
        ending = "stopped: its time was over" if status in TIMED_OUT else ending
        of_part = [one for one in content["results"] if one["part"] == name]
        failed = sum("error" in one for one in of_part)
        rows.append([name, ending, len(of_part) - failed, failed, part["seconds"]])
    return markdown(["part", "how it ended", "measured", "failed", "seconds"], rows)


def speed_table(content: dict) -> str:
    """Compare ours with the reference under the same precision."""
    found = of_kind(content, "speed")
    peak = next((x for name, x in PEAKS.items() if name in str(content["machine"].get("gpu"))), 0)
    operations, references = {}, {}
    for one in (one for one in found if "error" not in one):
        key = one["task"], one["contender"], one["size"]
        if one["operations_per_second"] and not one["checkpointing"]:
            operations[key] = one["operations_per_second"] / one["step_asvs_per_second"]
        if one["contender"] == REFERENCE:
            references[one["task"], one["size"], one["precision"]] = one["samples_per_second"]
    columns = [
        "width", "task", "contender", "precision", "batch", "samples/s", "ASVs/s", "× reference",
        "TFLOP/s", "of the bf16 peak", "peak GiB", "end of an epoch, s",
    ]  # fmt: skip
    rows = []
    for one in found:
        precision = one["precision"] + ("+compile" if one["compile"] else "")
        precision += ", checkpointed" if one["checkpointing"] else ""
        name = [one["size"], one["task"], one["contender"], precision, one["batch_size"]]
        if "error" in one:
            rows.append([*name, _short(one["error"]), *[""] * 6])
            continue
        rate = one["step_asvs_per_second"]
        done = operations.get((one["task"], one["contender"], one["size"]), 0) * rate
        other = references.get((one["task"], one["size"], one["precision"]))
        # what ends an epoch costs the same for any number of samples: steps are compared
        samples = one["samples_per_second"] * rate / one["asvs_per_second"]
        rows.append([
            *name, f"{samples:,.1f}", f"{rate:,.0f}", f"{samples / other:.1f}" if other else "",
            f"{done / 1e12:.0f}" if done else "",
            f"{done / peak:.0%}" if done and peak and "bf16" in precision else "",
            f"{one['peak_gib']:.2f}", f"{one['epoch_end_seconds']:.2f}",
        ])  # fmt: skip
    return markdown(columns, rows)


def other_tables(content: dict) -> str:
    """Show every other kind of result as it was found."""
    shown = []
    for kind in ("agreement", "profile", "grouping"):
        found = of_kind(content, kind)
        keys = dict.fromkeys(key for one in found for key in one)
        keys = [key for key in keys if key not in ("part", "kind", "took")]
        if found:
            rows = [[_cell(one.get(key, "")) for key in keys] for one in found]
            table = markdown([key.replace("_", " ") for key in keys], rows)
            shown.append(f"### {kind}\n\n{table}")
    return "\n\n".join(shown)


def _cell(value) -> str:
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return _short(str(value))


def _short(text: str) -> str:
    return " ".join(text.replace("|", " ").split())[:160]


def main(logs: Path, out: Path) -> None:
    """Write both files anew."""
    content = collect(logs)
    machine = content["machine"]
    where = machine.get("gpu") or f"no GPU: tiny sizes on {machine.get('processor')}"
    head = f"{where}, PyTorch {machine.get('torch')}, {machine.get('date')}"
    writers = (how_parts_ended, speed_table, other_tables)
    (out / "results.json").write_text(json.dumps(content, indent=1) + "\n")
    (out / "table.md").write_text("\n\n".join([head, *(w(content) for w in writers)]) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

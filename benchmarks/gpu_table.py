"""Put what the parts of `gpu.sh` wrote into results.json and table.md; needs Python alone.

    python gpu_table.py LOGS OUT

`gpu.sh` calls it after each part, so that nothing is lost if it is stopped.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

PEAKS = {"H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12}  # dense bf16, FLOP/s, datasheets
OURS, REFERENCE, TIMED_OUT = "ours", "reference", (124, 137)
LOG_KEPT = 3000  # last letters of each part's output


def read_lines(path: Path) -> list[dict]:
    """Read a part's results; a process that was killed may have cut the last line."""
    found = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def collect(logs: Path) -> dict:
    """Collect all results, and how each part ended."""
    content: dict = {"machine": None, "parts": {}, "results": []}
    for path in sorted(logs.glob("*.status"), key=lambda path: path.stat().st_mtime):
        name = path.stem
        code, seconds = map(int, path.read_text().split())
        log, lines = logs / f"{name}.log", logs / f"{name}.jsonl"
        content["parts"][name] = {
            "status": code, "seconds": seconds, "log": log.read_text(errors="replace")[-LOG_KEPT:],
        }  # fmt: skip
        for one in read_lines(lines) if lines.exists() else []:
            if one["kind"] == "machine":
                content["machine"] = content["machine"] or one
            else:
                content["results"].append(one)
    return content


def table(columns: list[str], rows: list[list]) -> str:
    """Write a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def how_parts_ended(content: dict) -> str:
    """Say which parts were finished, stopped or failed."""
    rows = []
    for name, part in content["parts"].items():
        status = part["status"]
        said = "finished" if not status else f"failed ({status}): {_last_line(part['log'])}"
        said = "stopped: its time was over" if status in TIMED_OUT else said
        of_part = [one for one in content["results"] if one["part"] == name]
        failed = sum("error" in one for one in of_part)
        rows.append([name, said, len(of_part) - failed, failed, part["seconds"]])
    return table(["part", "how it ended", "measured", "failed", "seconds"], rows)


def speed_table(content: dict) -> str:
    """Compare ours with the reference under the same precision."""
    found = [one for one in content["results"] if one["kind"] == "speed"]
    peak = next((v for k, v in PEAKS.items() if k in str(_machine(content).get("gpu"))), None)
    operations, references = {}, {}
    for one in (one for one in found if "error" not in one):
        key = one["task"], one["contender"], one["size"]
        if one["operations_per_second"] and not one["checkpointing"]:
            operations[key] = one["operations_per_second"] / one["step_asvs_per_second"]
        if one["contender"] == REFERENCE:
            references[one["task"], one["size"], one["precision"]] = one["samples_per_second"]
    rows = []
    for one in found:
        precision = one["precision"] + ("+compile" if one["compile"] else "")
        precision += ", checkpointed" if one["checkpointing"] else ""
        name = [one["size"], one["task"], one["contender"], precision, one["batch_size"]]
        if "error" in one:
            rows.append([*name, _short(one["error"]), "", "", "", "", "", ""])
            continue
        rate = one["step_asvs_per_second"]
        done = operations.get((one["task"], one["contender"], one["size"]), 0) * rate
        other = references.get((one["task"], one["size"], one["precision"].replace("tf32", "fp32")))
        # what ends an epoch costs the same for any number of samples: steps are compared
        samples = one["samples_per_second"] * rate / one["asvs_per_second"]
        rows.append([
            *name, f"{samples:,.1f}", f"{rate:,.0f}", f"{samples / other:.1f}" if other else "",
            f"{done / 1e12:.0f}" if done else "",
            f"{done / peak:.0%}" if done and peak and "bf16" in precision else "",
            f"{one['peak_gib']:.2f}", f"{one['epoch_end_seconds']:.2f}",
        ])  # fmt: skip
    columns = [
        "width", "task", "contender", "precision", "batch", "samples/s", "ASVs/s", "× reference",
        "TFLOP/s", "of the bf16 peak", "peak GiB", "end of an epoch, s",
    ]  # fmt: skip
    return table(columns, rows)


def agreement_table(content: dict) -> str:
    """Show how far precisions are from fp32."""
    names = [
        f"{of}_{how}"
        for of in ("embeddings", "distances", "loss", "gradient")
        for how in ("max", "mean", "norm")
        if (of, how) not in (("loss", "max"), ("loss", "mean"), ("gradient", "max"))
    ]
    rows = []
    for one in (one for one in content["results"] if one["kind"] == "agreement"):
        figures = [f"{one[name]:.2g}" if name in one else "" for name in names]
        figures[0] = _short(one.get("error", figures[0]))
        rows.append([one["size"], one["contender"], one["precision"], *figures])
    return table(["width", "contender", "precision", *(n.replace("_", ", ") for n in names)], rows)


def profile_table(content: dict) -> str:
    """Show which attention kernels a step used, and what made the host wait."""
    rows = []
    for one in (one for one in content["results"] if one["kind"] == "profile"):
        name = [one["mixture"], one["size"], one.get("task", "pretrain")]
        if "error" in one:
            rows.append([*name, _short(one["error"]), "", "", "", ""])
            continue
        attention = ", ".join(
            f"{number} {key.removeprefix('aten::_scaled_dot_product_')}"
            for key, number in one["attention"].items()
            if key.startswith("aten::_scaled")
        )
        waits = ", ".join(f"{place} ({number})" for place, number in one["host_waits"].items())
        longest = one["longest"][0] if one["longest"] else ["", 0, 0]
        rows.append([
            *name, attention, waits or "none", f"{one['busy']:.0%}", one["kernels"],
            f"{longest[0][:60].replace('|', ' ')} ({longest[2]:.0%})",
        ])  # fmt: skip
    columns = [
        "reads", "width", "task", "attention", "the host waits at", "GPU busy", "kernels",
        "longest kernel",
    ]  # fmt: skip
    return table(columns, rows)


def other_tables(content: dict) -> str:
    """Show grouping by length, parts of ASVs, compiled lengths and two processes, as found."""
    shown = []
    for kind in ("grouping", "at once", "compiled lengths", "two processes"):
        found = [one for one in content["results"] if one["kind"] == kind]
        keys = [
            key
            for key in dict.fromkeys(key for one in found for key in one)
            if key not in ("part", "kind", "took")
        ]
        rows = [[_cell(one.get(key, "")) for key in keys] for one in found]
        if rows:
            shown.append(f"### {kind}\n\n" + table([key.replace("_", " ") for key in keys], rows))
    return "\n\n".join(shown)


def _machine(content: dict) -> dict:
    return content["machine"] or {}


def _cell(value) -> str:
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return _short(str(value))


def _short(text: str) -> str:
    return " ".join(text.replace("|", " ").split())[:160]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return _short(lines[-1]) if lines else "nothing was said"


def main(logs: Path, out: Path) -> None:
    """Write both files anew."""
    content = collect(logs)
    machine = _machine(content)
    where = machine.get("gpu") or f"no GPU: tiny sizes on {machine.get('processor')}"
    head = f"{where}, PyTorch {machine.get('torch')}, {machine.get('date')}"
    writers = (how_parts_ended, speed_table, agreement_table, profile_table, other_tables)
    (out / "results.json").write_text(json.dumps(content, indent=1) + "\n")
    (out / "table.md").write_text("\n\n".join([head, *(w(content) for w in writers)]) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""What all benchmarks do: run a part in a process of its own, read memory, write tables."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def parser_of(doc: str) -> argparse.ArgumentParser:
    """Read a command line whose help is a module's docstring as it stands."""
    formatter = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=doc, formatter_class=formatter)


def run_job(script: str, job: dict, **environment: str) -> dict:
    """Run ``script --job JSON`` in a process of its own, so that its peak is its own."""
    command = [sys.executable, script, "--job", json.dumps(job)]
    done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def memory(name: str) -> float:
    """Return GiB of this process: VmRSS has now, VmHWM had at most, RssAnon not of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 2**20


def commit() -> str:
    """Name the commit that runs, with a + if the package was changed since."""
    git = ["git", "-C", str(Path(__file__).parents[1])]
    shown = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=False, capture_output=True)
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "q2_aam"], check=False)
    return shown.stdout.decode().strip() + ("+" if changed.returncode else "")


def markdown(columns, rows) -> str:
    """Write a table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def store(name: str, found: dict) -> None:
    """Keep figures in results/, with where they come from."""
    where = {"cores": os.cpu_count(), "date": time.strftime("%Y-%m-%d"), "commit": commit()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found | where, indent=1) + "\n")

"""Encoders of the accuracy benchmarks, kept in a folder: tasks on the same samples share them."""

import dataclasses
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE

import numpy as np
import qiime2
from cross_validation import Problem
from qiime2.plugins import aam
from studies import DEPTHS, Study, load_study

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "q2-aam-benchmarks"


@dataclasses.dataclass(frozen=True)
class Part:
    """Samples of a study to pretrain on."""

    name: str
    study: Study
    ids: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Encoder:
    """An encoder and how it was made: seconds, those of the processor, commit, date."""

    artifact: qiime2.Artifact
    made: dict


def commit() -> str:
    """Name the commit that runs, with a + if files were changed since."""
    git = ["git", "-C", str(Path(__file__).parents[1])]
    shown = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=True, stdout=PIPE)
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "q2_aam"], check=False)
    return shown.stdout.decode().strip() + ("+" if changed.returncode else "")


def pretrained(
    parts: Sequence[Part],
    seed: int,
    cache: Path,
    start: Encoder | None = None,
    **settings,
) -> Encoder:
    """Pretrain on some samples of one or several studies, or take the encoder from the cache.

    Parameters
    ----------
    parts : sequence of Part
    seed : int
    cache : Path
        Delete it after changes to pretraining: encoders are known by their samples, seed and
        settings, and by the encoder that they continue.
    start : Encoder, optional
        Continue from it.
    **settings
        Of the action, where not its defaults.
    """
    known = [seed, settings, [[part.name, sorted(part.ids)] for part in parts]]
    known.append(start and start.made["key"])
    key = hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]
    name = "-".join([*(part.name for part in parts), f"seed{seed}", key])
    path, beside = cache / f"{name}.qza", cache / f"{name}.json"
    if beside.exists():
        return Encoder(qiime2.Artifact.load(str(path)), json.loads(beside.read_text()))
    initial = {} if start is None else {"initial_encoder": start.artifact}
    started, computed = time.time(), time.process_time()
    artifact = aam.actions.pretrain(
        tables=[part.study.table_of(part.ids, rarefied=True) for part in parts],
        distance_matrices=[part.study.distances_of(part.ids) for part in parts],
        random_seed=seed,
        **initial,
        **settings,
    ).encoder
    made = {
        "key": key,
        "seconds": round(time.time() - started, 1),
        "processor_seconds": round(time.process_time() - computed, 1),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
    }
    cache.mkdir(parents=True, exist_ok=True)
    artifact.save(str(path))
    beside.write_text(json.dumps(made) + "\n")  # last: it says that the encoder is whole
    return Encoder(artifact, made)


def whole_study(name: str) -> Part:
    """Take all samples of a study that have distances."""
    study = load_study(name)
    return Part(name, study, list(study.rarefied.ids()))


def encoder_of_fold(problem: Problem, training: np.ndarray, seed: int, cache: Path) -> Encoder:
    """Pretrain on a fold's training samples."""
    part = Part(problem.task.study, problem.study, problem.names(training))
    return pretrained([part], seed, cache)


def encoder_of_all(problem: Problem, seed: int, cache: Path) -> Encoder:
    """Pretrain on all samples of a study, those to be predicted too."""
    return pretrained([whole_study(problem.task.study)], seed, cache)


def encoder_of_studies(names: Sequence[str], seed: int, cache: Path, **settings) -> Encoder:
    """Pretrain on several whole studies together."""
    return pretrained([whole_study(name) for name in sorted(names)], seed, cache, **settings)


def encoder_of_others_then_fold(
    problem: Problem, training: np.ndarray, seed: int, cache: Path, **settings
) -> Encoder:
    """Pretrain on the other studies, and go on with a fold's training samples.

    Parameters
    ----------
    problem : Problem
    training : ndarray of int
        Positions.
    seed : int
    cache : Path
    **settings
        Of pretraining on the other studies, which all folds share.
    """
    others = [name for name in DEPTHS if name != problem.task.study]
    start = encoder_of_studies(others, seed, cache, **settings)
    part = Part(problem.task.study, problem.study, problem.names(training))
    return pretrained([part], seed, cache, start=start)

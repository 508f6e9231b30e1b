"""A task's labeled samples, and how they are divided: into folds, shares and permutations."""

import dataclasses
import json
from pathlib import Path

import numpy as np
from sklearn.model_selection import KFold
from studies import ALL_TASKS, Study, Task, labeled_samples, load_study

FOLDS = 5
STORED_FOLDS = Path(__file__).parent / "folds.json"


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is to be predicted of which samples."""

    name: str
    task: Task
    study: Study
    ids: list[str]
    values: np.ndarray  # for classes 1 if a sample is of the positive class, else 0
    classes: tuple[str, ...]  # the negative and the positive class; empty for numbers
    groups: np.ndarray  # each sample's own number if there are none

    def names(self, positions) -> list[str]:
        """Return the ids at some positions."""
        return [self.ids[position] for position in positions]


def load_problem(name: str) -> Problem:
    """Load a task's study and read what is to be predicted."""
    task = ALL_TASKS[name]
    study = load_study(task.study)
    ids, values, groups = labeled_samples(study, task)
    classes = ()
    if task.against_rest:
        values = np.where(values == task.against_rest, task.against_rest, "all others")
    if task.categorical:
        classes = tuple(np.unique(values).tolist())
        if len(classes) != 2:
            raise SystemExit(f"{name} has {len(classes)} classes; AUC needs two.")
        values = values == classes[1]
    if groups is None:
        groups = np.arange(len(ids))
    return Problem(name, task, study, ids, values.astype(float), classes, groups)


def folds_of(problem: Problem) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide the samples into positions to train on and to test on, `FOLDS` times.

    Groups are divided as `GroupKFold` of scikit-learn 1.7.1 does with numpy 2.4.2: other versions
    sort groups of one size in another order, and then other groups share a fold.
    """
    if problem.task.groups is None:
        return list(KFold(FOLDS, shuffle=True, random_state=0).split(problem.values))
    stored = json.loads(STORED_FOLDS.read_text())[problem.task.study]
    fold = np.array([stored[str(group)] for group in problem.groups])
    return [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(FOLDS)]


def share_of(problem: Problem, training: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Keep a share of the groups, at least two; larger shares hold what smaller ones do."""
    names = np.unique(problem.groups[training])
    order = np.random.default_rng([seed, 0x1ABE1]).permutation(len(names))
    kept = names[order[: max(2, round(share * len(names)))]]
    return training[np.isin(problem.groups[training], kept)]


def permuted(problem: Problem, seed: int) -> np.ndarray:
    """Permute values between groups.

    What is the same in all samples of a group goes from group to group; other values from sample
    to sample, as whole groups that were sampled at the same times would keep what is to be broken.
    """
    random = np.random.default_rng([seed, 0x1EAC])
    names, group = np.unique(problem.groups, return_inverse=True)
    first = np.array([problem.values[group == one][0] for one in range(len(names))])
    if (first[group] == problem.values).all():
        return random.permutation(first)[group]
    return random.permutation(problem.values)

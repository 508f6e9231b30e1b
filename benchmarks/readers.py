"""What the target should be read by: readers alone and together, on inner folds.

    python readers.py ecam-month sleep-age soils-ph ecam-delivery --inner 1
    python readers.py sleep-age --inner 4 --labels 0.25

The training samples of each fold are divided in four by group once more; test samples of the
folds are not used. Branches and clades come from the fold's encoder, which saw the samples without
labels; from an encoder that never learned; or from the study's own tree, which no model sees.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from accuracy_scores import scores
from cross_validation import Problem, folds_of, load_problem, share_of
from encoders import CACHE, commit, encoder_of_fold
from q2_aam.model.target_head import BlockScaling
from q2_aam.training.ridge import fit_ridge
from q2_aam.training.trees import (
    MOST_LEFT_OUT,
    grow_forest,
    left_out_answers,
    said_by,
    share_of_trees,
)
from reader_features import Features
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupKFold

from q2_aam.config import RANDOM_FEATURES
from q2_aam.model.heads.random_features import RandomFeatures
from q2_aam.model.log_abundance import log_abundance, stressing_presence

RESULTS = Path(__file__).parent / "results"
TREES = 150


def scaled(blocks: list[np.ndarray], kept: np.ndarray) -> np.ndarray:
    """Scale blocks as the target head does, by the samples kept, and join them."""
    parts = []
    for block in map(torch.from_numpy, blocks):
        scaling, known = BlockScaling(block.shape[1]), block[kept].double()
        scaling.fit(known.sum(dim=0), known.square().sum(), len(kept))
        parts.append(scaling(block))
    return torch.cat(parts, dim=1).numpy()


def by_ridge(
    features: np.ndarray, values, groups, kept, held, curved: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the ridge reader; return answers for what was held, and left-out ones for the rest."""
    curves = RandomFeatures(features.shape[1], RANDOM_FEATURES)(torch.from_numpy(features))
    both = np.hstack([features, curved * curves.numpy()]).astype(np.float64)
    solved = fit_ridge(
        lambda rows: iter([both[kept][rows]]), features.shape[1], values[kept, None],
        np.ones(len(kept)), groups[kept], np.random.default_rng(0),
    )  # fmt: skip
    weights = np.concatenate([solved.weights.linear, solved.weights.random], axis=1)
    return both[held] @ weights[0] + solved.weights.intercept[0], solved.left_out[:, 0]


def read_inner_fold(features: Features, values, groups, kept, held, categorical) -> dict:
    """Predict what was held by every reader."""
    known = features.known(kept)
    asvs = log_abundance(torch.from_numpy(features.fractions[:, known]))
    stressed, asvs, ones = stressing_presence(asvs).numpy(), asvs.numpy(), np.ones(len(kept))
    clades = features.clades(kept, features.embedding)
    untrained = features.clades(kept, features.untrained)
    target, nodes = values[kept, None].astype(float), max(3, len(kept))
    found = {}
    forest = grow_forest(stressed[kept], target, ones, TREES, nodes, 0)
    for together in ("mean", "median") if not categorical else ("mean",):
        name = f"trees on ASVs, {together}"
        found[name] = said_by(forest, stressed[held], together == "median")[:, 0]
    left_out = left_out_answers(
        stressed[kept], target, ones, groups[kept], MOST_LEFT_OUT, nodes, 0, not categorical
    )
    blocks = {
        "ASVs": [asvs],
        "branches": [features.branches],
        "clades": [clades],
        "clades of the true tree": [features.in_tree],
        "branches, untrained": [features.untrained_branches],
        "clades, untrained": [untrained],
        "ASVs and branches": [asvs, features.branches],
        "ASVs and clades": [asvs, clades],
        "ASVs and clades of the true tree": [asvs, features.in_tree],
        "all, untrained": [asvs, features.untrained_branches, untrained],
        "all, straight lines only": [asvs, features.branches, clades],
        "all": [asvs, features.branches, clades],
    }
    for reader, parts in blocks.items():
        straight = reader.endswith("only")
        ridge, of_ridge = by_ridge(scaled(parts, kept), values, groups, kept, held, not straight)
        share = share_of_trees(target, of_ridge[:, None], left_out, ones)
        found[f"ridge on {reader}"] = ridge
        found[f"ridge on {reader}; and trees"] = ridge + share * (found[name] - ridge)
    found["ridge on all; and trees, half each"] = (ridge + found[name]) / 2
    on_branches = grow_forest(features.branches[kept], target, ones, TREES, nodes, 0)
    found["trees on branches"] = said_by(on_branches, features.branches[held], not categorical)[
        :, 0
    ]
    if not categorical:
        forest = RandomForestRegressor(TREES, random_state=0).fit(asvs[kept], values[kept])
        found["random forest"] = forest.predict(asvs[held])
    return found


def run(problem: Problem, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Average each reader's scores over inner folds."""
    values = problem.values.astype(float)
    _, groups = np.unique(problem.groups, return_inverse=True)
    rows: dict[str, list[dict]] = {}
    for fold, (training, _) in enumerate(folds_of(problem)):
        encoder = encoder_of_fold(problem, training, 0, options.cache)
        features = Features(problem, encoder.artifact)
        inner = list(GroupKFold(4).split(training, groups=groups[training]))[: options.inner]
        for number, (kept, held) in enumerate(inner):
            kept, held = share_of(problem, training[kept], options.labels, number), training[held]
            found = read_inner_fold(features, values, groups, kept, held, bool(problem.classes))
            for name, answers in found.items():
                of_fold = np.zeros(len(held))
                scored = scores(answers, values[held], of_fold, bool(problem.classes))
                rows.setdefault(name, []).append(scored)
        print(problem.name, "fold", fold, flush=True)
    return {
        name: {score: float(np.nanmean([one[score] for one in found])) for score in found[0]}
        for name, found in rows.items()
    }


def main() -> None:
    """Run what was asked for, print one table and store every figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--inner", type=int, default=4, help="inner folds of each fold, up to 4")
    parser.add_argument("--labels", type=float, default=1.0, help="share of the groups to learn of")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where encoders are kept")
    parser.add_argument("--output", type=Path, default=RESULTS / "readers.json")
    options = parser.parse_args()
    found = {name: run(load_problem(name), options) for name in options.tasks}
    content = {
        "commit": commit(), "date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(),
        "inner": options.inner, "labels": options.labels, "scores": found,
    }  # fmt: skip
    options.output.write_text(json.dumps(content, indent=1) + "\n")
    names = dict.fromkeys(name for scored in found.values() for name in scored)
    print("| reader | " + " | ".join(found) + " |")
    print("| --- |" + " --- |" * len(found))
    for name in names:
        cells = [
            ", ".join(f"{score} {value:.3f}" for score, value in scored.get(name, {}).items())
            for scored in found.values()
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

"""What the target should be read by: readers alone and together, on inner folds.

    python readers.py ecam-month sleep-age soils-ph ecam-delivery --inner 2

The training samples of each fold are divided in four by group once more; test samples of the
folds are not used. Branches come from the fold's encoder, which saw the samples without labels.
"""

import argparse
import json
import os
import time
from pathlib import Path

import biom
import numpy as np
import pandas as pd
import torch
from accuracy_scores import scores
from cross_validation import Problem, folds_of, load_problem
from encoders import CACHE, commit, encoder_of_fold
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupKFold

from q2_aam.actions.named_sequences import merge_sequences
from q2_aam.config import RANDOM_FEATURES
from q2_aam.data.study import build_studies
from q2_aam.data.table import read_table
from q2_aam.inference import load_network, sample_states
from q2_aam.model.log_abundance import log_abundance, stressing_presence
from q2_aam.model.network import Parts
from q2_aam.model.random_features import RandomFeatures
from q2_aam.model.target_head import BlockScaling
from q2_aam.storage.model import read_model
from q2_aam.training.ridge import fit_ridge
from q2_aam.training.trees import grow_forest, left_out_answers, said_by, share_of_trees
from q2_aam.types import AAMModelDirectoryFormat

RESULTS = Path(__file__).parent / "results"
TREES, PREVALENT = 150, 0.01


class Features:
    """What readers see of a problem's samples, by an encoder.

    Attributes
    ----------
    fractions : ndarray of float32, (samples, ASVs)
    branches : ndarray of float32, (samples, branches)
        Log abundances.
    """

    def __init__(self, problem: Problem, encoder):
        table = problem.study.table.filter(set(problem.ids), inplace=False)
        counts = table.sort_order(problem.ids).matrix_data.T.toarray()
        self.fractions = (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
        network = load_network(*read_model(str(encoder.view(AAMModelDirectoryFormat))))
        samples = read_table(problem.study.table_of(problem.ids).view(biom.Table))
        dna = merge_sequences(problem.study.sequences.view(pd.Series))
        config = network.config
        studies = build_studies([samples], dna, config.max_sequence_length, config.max_asvs)
        place = {name: row for row, name in enumerate(samples.sample_ids)}
        rows = np.array([place[name] for name in problem.ids])
        with torch.no_grad():
            states = sample_states(network, studies, 0, rows, None, Parts(False, False, True))
            self.branches = torch.cat([state.abundance for state in states]).numpy()


def scaled(blocks: list[np.ndarray], kept: np.ndarray) -> np.ndarray:
    """Scale blocks as the target head does, by the samples kept, and join them."""
    parts = []
    for block in map(torch.from_numpy, blocks):
        scaling, known = BlockScaling(block.shape[1]), block[kept].double()
        scaling.fit(known.sum(dim=0), known.square().sum(), len(kept))
        parts.append(scaling(block))
    return torch.cat(parts, dim=1).numpy()


def by_ridge(features: np.ndarray, values, groups, kept, held) -> tuple[np.ndarray, np.ndarray]:
    """Fit the ridge reader; return answers for what was held, and left-out ones for the rest."""
    curves = RandomFeatures(features.shape[1], RANDOM_FEATURES)(torch.from_numpy(features))
    both = np.hstack([features, curves.numpy()]).astype(np.float64)
    solved = fit_ridge(
        lambda rows: iter([both[kept][rows]]), features.shape[1], values[kept, None],
        np.ones(len(kept)), groups[kept], np.random.default_rng(0),
    )  # fmt: skip
    weights = np.concatenate([solved.weights.linear, solved.weights.random], axis=1)
    return both[held] @ weights[0] + solved.weights.intercept[0], solved.left_out[:, 0]


def read_inner_fold(features: Features, values, groups, kept, held, categorical) -> dict:
    """Predict what was held by every reader."""
    known = (features.fractions[kept] > 0).mean(axis=0) >= PREVALENT
    asvs = log_abundance(torch.from_numpy(features.fractions[:, known]))
    stressed = stressing_presence(asvs).numpy()
    asvs, ones, found = asvs.numpy(), np.ones(len(kept)), {}
    blocks = {"ASVs": [asvs], "branches": [features.branches], "both": [asvs, features.branches]}
    for name, parts in blocks.items():
        read = by_ridge(scaled(parts, kept), values, groups, kept, held)
        found[f"ridge on {name}"] = read[0]
    ridge, left_out_ridge = read
    nodes, target = len(kept), values[kept, None].astype(float)
    trees_of = {
        "trees on ASVs, log(1 + 10⁴ f)": asvs,
        "trees on branches": features.branches,
        "trees on ASVs": stressed,
    }
    for name, part in trees_of.items():
        forest = grow_forest(part[kept], target, ones, TREES, nodes, 0)
        for together, median in (("mean", False), ("median", True)):
            found[f"{name}, {together}"] = said_by(forest, part[held], median)[:, 0]
    for together, median in (("mean", False), ("median", True)):
        trees = found[f"trees on ASVs, {together}"]
        left_out = left_out_answers(
            stressed[kept], target, ones, groups[kept], 50, nodes, 0, median
        )
        share = share_of_trees(target, left_out_ridge[:, None], left_out, ones)
        found[f"ridge and trees ({together}), weighed"] = ridge + share * (trees - ridge)
        found[f"ridge and trees ({together}), half each"] = (ridge + trees) / 2
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
        for kept, held in inner:
            kept, held = training[kept], training[held]
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--inner", type=int, default=4, help="inner folds of each fold, up to 4")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where encoders are kept")
    parser.add_argument("--output", type=Path, default=RESULTS / "readers.json")
    options = parser.parse_args()
    found = {name: run(load_problem(name), options) for name in options.tasks}
    content = {
        "commit": commit(), "date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(),
        "inner": options.inner, "scores": found,
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

"""Which heads, and features of them, predict best: on inner folds, over many columns together.

    python benchmarks/heads.py                     # all columns: tables of numbers and of classes
    python benchmarks/heads.py delivery month      # some

The training samples of each of five folds are divided once more, 3 to 1 by group; test samples of
the folds are not used. Each candidate is tuned and weighed by out-of-fold predictions, exactly as
`fit-*` does it. A forest of scikit-learn, as q2-sample-classifier grows it, stands beside.
"""

import time
import warnings
from typing import NamedTuple

import biom
import numpy as np
import pandas as pd
import torch
from measuring import markdown, parser_of, store
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import roc_auc_score
from studies import INFANTS, Task, labeled_samples, load_study

from q2_aam.actions.inputs import merge_sequences
from q2_aam.data.study import build_studies
from q2_aam.data.table import read_table
from q2_aam.inference import all_states, load_network
from q2_aam.model.heads.features import SampleState, Scaling, log_abundance, sharper_log
from q2_aam.model.heads.forest import ForestHead
from q2_aam.model.heads.linear import LinearHead, class_fractions
from q2_aam.model.network import Parts
from q2_aam.storage.model import read_boxed
from q2_aam.training.heads import forest, logistic, ridge
from q2_aam.training.heads.blend import blend_of_classes, blend_of_numbers, make_folds
from q2_aam.training.heads.features import Known

INFANT, MOUSE, SOIL = ("host_subject_id", INFANTS), ("mouse_number", None), (None, None)
CLASSES = {
    "delivery": ("ecam", INFANT), "antiexposedall": ("ecam", INFANT), "diet": ("ecam", INFANT),
    "diet_3": ("ecam", INFANT), "sex": ("ecam", INFANT), "mom_ld_abx": ("ecam", INFANT),
    "exposure_type": ("sleep-apnea-mouse", MOUSE), "env_feature": ("soils88-ph", SOIL),
    "texture": ("soils88-ph", SOIL), "soil_type": ("soils88-ph", SOIL),
}  # fmt: skip
NUMBERS = {
    "month": ("ecam", INFANT), "age": ("sleep-apnea-mouse", MOUSE),
    "weight": ("sleep-apnea-mouse", MOUSE), "ph": ("soils88-ph", SOIL),
    "annual_season_temp": ("soils88-ph", SOIL), "annual_season_precpt": ("soils88-ph", SOIL),
    "silt_clay": ("soils88-ph", SOIL), "carb_nitro_ratio": ("soils88-ph", SOIL),
    "soil_moisture_deficit": ("soils88-ph", SOIL), "latitude": ("soils88-ph", SOIL),
}  # fmt: skip
SMALLEST_CLASS, PREVALENT, TREES, LEAVES, RANDOM_FEATURES = 5, 0.01, 150, 400, 2048
FOREST = "random forest"  # of scikit-learn
# single heads, and which of them are blended; the product's own first
LINEAR = {
    "ridge": ("ridge", ("vocabulary", "branches"), RANDOM_FEATURES),
    "ridge without random features": ("ridge", ("vocabulary", "branches"), 0),
    "logistic": ("logistic", ("presence",), 0),
}
BLENDS = {
    "ridge, logistic, forest": ("ridge", "logistic", "forest"),
    "ridge, forest": ("ridge", "forest"),
    "ridge without random features, forest": ("ridge without random features", "forest"),
}  # fmt: skip


class Problem(NamedTuple):
    """Samples of one column: features, values or class numbers, groups from 0 on, fractions."""

    features: SampleState
    fractions: np.ndarray
    values: np.ndarray
    groups: np.ndarray
    classes: int


def load_problem(name: str) -> Problem:
    """Read the samples that have a value, of classes that are large enough."""
    study_name, (groups_column, only) = (CLASSES | NUMBERS)[name]
    study = load_study(study_name)
    task = Task(study_name, name, groups_column, only, categorical=name in CLASSES)
    ids, values, groups = labeled_samples(study, task)
    kept = np.ones(len(ids), dtype=bool)
    if name in CLASSES:
        _, numbers, counts = np.unique(values.astype(str), return_inverse=True, return_counts=True)
        kept = counts[numbers] >= SMALLEST_CLASS
        values = np.unique(numbers[kept], return_inverse=True)[1]
    else:
        values = values.astype(float)
        values = (values - values.min()) / np.ptp(values)
    ids = [one for one, keep in zip(ids, kept, strict=True) if keep]
    groups = np.arange(len(ids)) if groups is None else groups[kept]
    groups = np.unique(groups, return_inverse=True)[1]
    fractions, branches = read_samples(study, ids)
    features = SampleState(vocabulary=torch.from_numpy(fractions), branches=branches)
    classes = int(values.max()) + 1 if name in CLASSES else 0
    return Problem(features, fractions, values, groups, classes)


def read_samples(study, ids: list[str]) -> tuple[np.ndarray, torch.Tensor]:
    """Return relative abundances of ASVs and log abundances of branches, in the order of ids."""
    samples = read_table(study.table_of(ids).view(biom.Table))
    dna = merge_sequences(study.sequences.view(pd.Series))
    config, arrays = read_boxed()
    studies = build_studies([samples], dna, config.max_sequence_length, 8192)
    network = load_network(config, arrays)
    place = {name: row for row, name in enumerate(samples.sample_ids)}
    rows = np.array([place[name] for name in ids])
    parts = Parts(attend=False, detect=False, quantify=True)
    state = all_states(network, studies, 0, np.arange(len(ids)), None, parts)
    return studies.studies[0].abundances.toarray()[rows], state.branches[torch.from_numpy(rows)]


def predict_inner(problem: Problem, kept: np.ndarray, held: np.ndarray, seed: int) -> dict:
    """Tune heads on some samples; return predictions of each, out-of-fold and of what was held."""
    groups = np.unique(problem.groups[kept], return_inverse=True)[1]
    values, number = problem.values[kept], problem.classes
    known = Known(
        np.eye(number)[values] if number else values[:, None],
        values if number else None,
        np.ones(len(kept)),
    )
    folds = make_folds(groups, known.classes, 5, seed)
    prevalent = (problem.fractions[kept] > 0).mean(axis=0) >= PREVALENT
    known_asvs = log_abundance(torch.from_numpy(problem.fractions[:, prevalent]))
    features = problem.features._replace(vocabulary=known_asvs)
    number_of_asvs, branches = known_asvs.shape[1], features.branches.shape[1]
    sizes = {"vocabulary": number_of_asvs, "presence": number_of_asvs, "branches": branches}
    scaling = Scaling(sizes)
    blocks_kept = {"vocabulary": known_asvs[kept], "branches": features.branches[kept]}
    scaling.fit([SampleState(**blocks_kept)])
    found = {}
    for name, (kind, blocks, curves) in LINEAR.items():
        if kind == "logistic" and not number:
            continue
        head = LinearHead({one: sizes[one] for one in blocks}, max(1, number), curves)
        inputs = head.inputs(scaling(features, blocks)).numpy()
        fitter = {"ridge": ridge, "logistic": logistic}[kind]
        penalty, left_out = fitter.out_of_fold(head, inputs[kept], known, folds, seed)
        fitter.fit(head, inputs[kept], known, penalty, seed)
        outputs = head(scaling(features, blocks)[held])
        if number:
            outputs = outputs.softmax(1) if kind == "logistic" else class_fractions(outputs)
        found[name] = (left_out, outputs.double().numpy())
    inputs = torch.cat([sharper_log(features.vocabulary), features.branches], dim=1).numpy()
    asvs, every = list(range(sizes["vocabulary"])), list(range(inputs.shape[1]))
    levels = () if number else (0.5,)
    for name, columns in (("forest", (asvs, every[len(asvs) :])), ("forest on ASVs", (asvs, asvs))):
        head = ForestHead(TREES, 2 * LEAVES - 1, max(1, number), levels, columns)
        _, left_out = forest.out_of_fold(head, inputs[kept], known, folds, seed)
        forest.fit(head, inputs[kept], known, None, seed)
        found[name] = (left_out, head(torch.from_numpy(inputs[held])).double().numpy())
    return found


def by_random_forest(problem: Problem, kept: np.ndarray, held: np.ndarray, seed: int) -> np.ndarray:
    """Predict by a forest on relative abundances, as q2-sample-classifier grows it."""
    kind = RandomForestClassifier if problem.classes else RandomForestRegressor
    model = kind(TREES, random_state=seed).fit(problem.fractions[kept], problem.values[kept])
    if not problem.classes:
        return model.predict(problem.fractions[held])[:, None]
    outputs = np.full((len(held), problem.classes), 1e-6)
    outputs[:, model.classes_] = model.predict_proba(problem.fractions[held])
    return outputs / outputs.sum(axis=1, keepdims=True)


def scores(outputs: np.ndarray, actual: np.ndarray, classes: int) -> dict[str, float]:
    """Score what was held: numbers by MAE, classes by AUC and log loss."""
    if not classes:
        return {"mae": float(np.abs(outputs[:, 0] - actual).mean())}
    ones = range(1, 2) if classes == 2 else range(classes)
    aucs = [roc_auc_score(actual == one, outputs[:, one]) for one in ones if (actual == one).any()]
    right = outputs[np.arange(len(actual)), actual].clip(1e-6)
    return {
        "auc": float(np.mean(aucs)) if len(set(actual)) > 1 else float("nan"),
        "log_loss": float(-np.log(right).mean()),
    }


def run(name: str, seed: int) -> dict[str, dict[str, float]]:
    """Average the scores of every head and blend over the inner folds of one column."""
    problem, rows = load_problem(name), {}
    strata = problem.values if problem.classes else None
    for place, test in enumerate(make_folds(problem.groups, strata, 5, 100 + seed)):
        training = np.setdiff1d(np.arange(len(problem.groups)), test)
        groups = np.unique(problem.groups[training], return_inverse=True)[1]
        inner = None if strata is None else strata[training]
        rest = make_folds(groups, inner, 4, 200 + seed)[place % 4]
        kept, held = np.delete(training, rest), training[rest]
        found, actual = predict_inner(problem, kept, held, seed), problem.values[kept]
        outputs = {FOREST: by_random_forest(problem, kept, held, seed)}
        outputs |= {one: output for one, (_, output) in found.items()}
        for blend, names in BLENDS.items():
            if set(names) <= set(found):
                left_out = np.stack([found[one][0] for one in names])
                weigh = blend_of_classes if problem.classes else blend_of_numbers
                left_out = left_out if problem.classes else left_out[..., 0]
                weights = weigh(left_out, actual, np.ones(len(kept)))
                outputs[blend] = np.tensordot(weights, [found[one][1] for one in names], 1)
        for one, output in outputs.items():
            rows.setdefault(one, []).append(scores(output, problem.values[held], problem.classes))
    return {
        one: {score: float(np.nanmean([row[score] for row in folds])) for score in folds[0]}
        for one, folds in rows.items()
    }


def table(found: dict[str, dict], score: str, relative: bool) -> str:
    """Write one score as a table: a row a model, a column a target, and the mean."""
    rows = []
    for model in next(iter(found.values())):
        values = [
            one[model][score] / (one[FOREST][score] if relative else 1) for one in found.values()
        ]
        rows.append([model, *(f"{value:.3f}" for value in (*values, np.mean(values)))])
    return markdown(["model", *found, "mean"], rows)


def main() -> None:
    """Print tables and store every figure."""
    parser = parser_of(__doc__)
    parser.add_argument("columns", nargs="*", default=[*CLASSES, *NUMBERS])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = {}
    for name in options.columns:
        started = time.time()
        found[name] = run(name, options.seed)
        print(name, f"{time.time() - started:.0f} s", flush=True)
    store("heads", {"seed": options.seed, "scores": found})
    for names, kinds in ((CLASSES, ("auc", "log_loss")), (NUMBERS, ("mae",))):
        some = {name: one for name, one in found.items() if name in names}
        for score in kinds if some else ():
            print(f"\n{score}" + (f", as a part of that of the {FOREST}" if score == "mae" else ""))
            print(table(some, score, relative=score == "mae"))


if __name__ == "__main__":
    main()

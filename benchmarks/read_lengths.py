"""Whether a table of other reads is the same table: errors when reads are cut, mixed or unseen.

    python read_lengths.py
    python read_lengths.py ecam-month --folds 1

Fits and predictions go through the actions, with defaults. `cut` fits on whole reads and predicts
cut ones; `short` fits on reads cut to 100 nt and predicts whole ones; `mixed` cuts the reads of
half of the training groups, in one table; `dropped` takes a random 30 % of the ASVs out of the
training table. The forest reads tables that were cut by hand to the common length.
"""

import json
import resource
import time
from pathlib import Path

import biom
import numpy as np
import pandas as pd
import qiime2
import skbio
from accuracy_scores import scores
from cross_validation import Problem, folds_of, load_problem
from measuring import parser_of
from qiime2.plugins import aam
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from q2_aam.data import matching

RESULTS = Path(__file__).parent / "results"
CUTS = {
    "sleep-apnea-mouse": {"first 80": (0, 80), "from 15": (15, None)},
    "soils88-ph": {"first 120": (0, 120), "first 100": (0, 100), "first 90": (0, 90)},
    "ecam": {
        "first 130": (0, 130), "first 120": (0, 120), "first 100": (0, 100), "first 90": (0, 90),
        "from 20": (20, None), "from 50": (50, None),
    },
}  # fmt: skip
SHORT = {"sleep-apnea-mouse": (0, 80)}
TASKS = ("ecam-month", "sleep-age", "soils-ph", "ecam-delivery", "sleep-exposure")


class Reads:
    """A problem's table with its DNA, cut as one likes; equal reads are one feature."""

    def __init__(self, problem: Problem):
        self.problem = problem
        dna = problem.study.sequences.view(pd.Series).map(str)
        table = problem.study.table.filter(set(problem.ids), inplace=False)
        table = table.sort_order(problem.ids)
        self.dna = [dna[name] for name in table.ids("observation")]
        self.counts = table.matrix_data.T.tocsr()

    def table(self, rows, cuts=(0, None), keep=None) -> qiime2.Artifact:
        """Write samples as a table whose ids are their reads; `cuts` may differ by sample."""
        parts: dict[tuple, list[int]] = {}
        for row, cut in zip(
            rows, cuts if isinstance(cuts, list) else [cuts] * len(rows), strict=True
        ):
            parts.setdefault(cut, []).append(row)
        tables = []
        for (start, stop), members in parts.items():
            counts = self.counts[members].toarray().T
            if keep is not None:
                counts = counts * keep[:, None]
            cut = [one[start:stop] for one in self.dna]
            frame = pd.DataFrame(counts, cut, self.problem.names(members)).groupby(level=0).sum()
            tables.append(frame[frame.sum(axis=1) > 0])
        frame = pd.concat(tables, axis=1).fillna(0.0)
        frame = frame.loc[:, frame.sum() > 0]
        found = biom.Table(frame.to_numpy(), list(frame.index), list(frame.columns))
        return qiime2.Artifact.import_data("FeatureTable[Frequency]", found)


def fit(problem: Problem, table: qiime2.Artifact, training: np.ndarray):
    """Fit through the action, with defaults."""
    ids = [name for name in problem.names(training) if name in set(table.view(biom.Table).ids())]
    groups = {}
    if problem.task.groups is not None:
        groups["groups"] = problem.study.column(problem.task.groups, ids, numeric=False)
    place = {name: row for row, name in enumerate(problem.ids)}
    values = pd.Series(
        [problem.values[place[one]] for one in ids], pd.Index(ids, name="id"), name="y"
    )
    if problem.classes:
        names = values.map({0.0: problem.classes[0], 1.0: problem.classes[1]})
        column = qiime2.CategoricalMetadataColumn(names)
        return aam.actions.fit_classifier(table, column, **groups)[0]
    return aam.actions.fit_regressor(table, qiime2.NumericMetadataColumn(values), **groups)[0]


def predict(
    problem: Problem, model, table: qiime2.Artifact, test: np.ndarray, held: list | None = None
) -> np.ndarray:
    """Predict through the action: numbers, or probabilities of the positive class.

    `held` is given, for each sample, the share of its reads that was not recognized and whether
    its interval holds the truth.
    """
    if problem.classes:
        found = aam.actions.predict_classification(table, model, min_recognized=0.0)
        return found.probabilities.view(pd.DataFrame)[problem.classes[1]][problem.names(test)]
    found = aam.actions.predict_regression(table, model, min_recognized=0.0)
    if held is not None:
        bounds = found.intervals.view(pd.DataFrame).loc[problem.names(test)]
        inside = (bounds["lower"] <= problem.values[test]) & (
            problem.values[test] <= bounds["upper"]
        )
        held += zip(bounds["embedding_only"], inside, strict=True)
    return found.predictions.view(pd.Series)[problem.names(test)]


def forest(reads: Reads, training, test, cut) -> np.ndarray:
    """Predict by a forest on reads that were cut by hand, all alike."""
    start, stop = cut
    names, column = np.unique([one[start:stop] for one in reads.dna], return_inverse=True)
    onto = np.zeros((len(reads.dna), len(names)))
    onto[np.arange(len(reads.dna)), column] = 1
    counts = reads.counts @ onto
    features = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    features = features[:, (features[training] > 0).mean(axis=0) >= 0.01]
    values = reads.problem.values
    kind = RandomForestClassifier if reads.problem.classes else RandomForestRegressor
    model = kind(150, random_state=0).fit(features[training], values[training])
    if reads.problem.classes:
        return model.predict_proba(features[test])[:, 1]
    return model.predict(features[test])


def run_fold(reads: Reads, training, test, fold: int, held: list) -> dict:
    """Predict a fold's test samples in every way; see `predict` for `held`."""
    problem, study = reads.problem, reads.problem.task.study
    found = {}
    whole = fit(problem, reads.table(training), training)
    found["whole"] = predict(problem, whole, reads.table(test), test, held)
    found["forest, whole"] = forest(reads, training, test, (0, None))
    for name, cut in CUTS[study].items():
        found[name] = predict(problem, whole, reads.table(test, cut), test)
    cut = SHORT.get(study, (0, 100))
    found["forest, cut"] = forest(reads, training, test, cut)
    short = fit(problem, reads.table(training, cut), training)
    found["short"] = predict(problem, short, reads.table(test), test)
    names = np.unique(problem.groups[training])
    half = np.isin(problem.groups[training], names[::2])
    mixed = reads.table(training, [cut if one else (0, None) for one in half])
    found["mixed"] = predict(problem, fit(problem, mixed, training), reads.table(test), test)
    kept = np.random.default_rng(fold).random(len(reads.dna)) > 0.3
    dropped = fit(problem, reads.table(training, keep=kept), training)
    found["dropped"] = predict(problem, dropped, reads.table(test), test, held)
    return found


def coverage(held: list) -> pd.DataFrame:
    """Return how often intervals hold the truth, by the share of reads not recognized."""
    frame = pd.DataFrame(held, columns=["unrecognized", "holds"])
    bins = pd.cut(frame["unrecognized"], [-0.001, 0.02, 0.1, 0.25, 0.5, 1.0])
    return frame.groupby(bins, observed=True)["holds"].agg(["mean", "size"]).round(3)


def distances_when_cut(reads: Reads, training: np.ndarray, test: np.ndarray) -> dict:
    """Correlate predicted with true UniFrac of unseen samples, by how reads are cut.

    By a model that holds the sequences of the training samples, and by the bundled encoder alone.
    """
    problem = reads.problem
    rarefied = set(problem.study.rarefied.ids())
    rows = np.array([row for row in test[:200] if problem.ids[row] in rarefied])
    ids = problem.names(rows)
    truth = problem.study.distances.filter(ids).condensed_form()
    model, found = fit(problem, reads.table(training), training), {}
    for name, cut in ({"whole": (0, None)} | CUTS[problem.task.study]).items():
        table = reads.table(rows, cut)
        for by, chosen in (("fitted model", {"model": model}), ("encoder alone", {})):
            predicted = aam.actions.predict_distances(table, **chosen).distance_matrix
            predicted = predicted.view(skbio.DistanceMatrix).filter(ids).condensed_form()
            r = float(np.corrcoef(predicted, truth)[0, 1])
            found[f"{name}, {by}"] = round(r, 4)
    return found


def speed_of_matching() -> dict[str, float]:
    """Time 50,000 sequences against a vocabulary of 8,192."""
    random = np.random.default_rng(0)
    letters = np.array(list("ACGT"))
    root = random.integers(0, 4, 253)

    def relatives(number: int, rate: float) -> list[str]:
        changed = random.random((number, 253)) < rate
        found = np.where(changed, random.integers(0, 4, (number, 253)), root)
        return ["".join(row) for row in letters[found]]

    vocabulary = matching.Vocabulary(relatives(8192, 0.1), np.ones(8192))
    sequences = [one[:150] for one in vocabulary.sequences] + relatives(50_000 - 8192, 0.08)
    started = time.process_time()
    match = matching.match_sequences(sequences, vocabulary)
    seconds = time.process_time() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # first of all: the peak
    return {
        "seconds": round(seconds, 1),
        "peak_gib_of_process": round(most, 2),
        "overlapping": int((match.kind == 1).sum()),
    }


def main() -> None:
    """Run what was asked for, print one table a task and store every figure."""
    parser = parser_of(__doc__)
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--folds", type=int, default=5, help="only the first folds")
    options = parser.parse_args()
    path = RESULTS / "read_lengths.json"
    result = json.loads(path.read_text()) if path.exists() else {}
    result["matching"] = speed_of_matching()
    print(result["matching"], flush=True)
    for name in options.tasks:
        problem = load_problem(name)
        reads, per_fold, held = Reads(problem), [], []
        if not problem.classes:
            result[f"{name}, UniFrac r"] = distances_when_cut(reads, *folds_of(problem)[0])
            print(name, "UniFrac r", result[f"{name}, UniFrac r"], flush=True)
        for fold, (training, test) in enumerate(folds_of(problem)[: options.folds]):
            found = run_fold(reads, training, test, fold, held)
            actual = problem.values[test]
            of_fold = np.zeros(len(test))
            per_fold.append(
                {
                    what: scores(np.asarray(one), actual, of_fold, bool(problem.classes))
                    for what, one in found.items()
                }
            )
        score = "auc" if problem.classes else "mae"
        table = pd.DataFrame([{k: v[score] for k, v in one.items()} for one in per_fold])
        result[name] = per_fold
        print(f"\n| {name} | mean {score} | to whole | worst fold |\n| --- | --- | --- | --- |")
        for what in table:
            whole = table["forest, whole" if what.startswith("forest") else "whole"]
            change = table[what] - whole if problem.classes else table[what] / whole
            worst = change.min() if problem.classes else change.max()
            mean = table[what].mean()
            total = mean - whole.mean() if problem.classes else mean / whole.mean()
            print(f"| {what} | {mean:.3f} | {total:.3f} | {worst:.3f} |", flush=True)
        if held:
            print("intervals hold, by share of reads not recognized:", coverage(held), sep="\n")
            result[f"{name}, coverage"] = coverage(held).rename(str).to_dict("index")
        path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

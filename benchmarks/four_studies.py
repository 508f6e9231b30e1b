"""Take four real studies through pretrain, fit and predict, and one encoder through all of them.

    python benchmarks/four_studies.py --epochs 10

No study is a special case: soils have 260 ASVs a sample, mice 100-nt ASVs, udca no metadata.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import skbio
from qiime2.plugins import aam
from studies import DEPTHS, TASKS, labeled_samples, load_study

RESULTS = Path(__file__).parent / "results"


def pretrained(studies, epochs: int):
    """Pretrain one encoder on some studies, each with its matrix."""
    ids = [list(study.rarefied.ids()) for study in studies]
    return aam.actions.pretrain(
        tables=[
            study.table_of(names, rarefied=True) for study, names in zip(studies, ids, strict=True)
        ],
        distance_matrices=[
            study.distances_of(names) for study, names in zip(studies, ids, strict=True)
        ],
        epochs=epochs,
    ).encoder


def unifrac_r(study, encoder) -> float:
    """Correlate predicted with computed UniFrac over all pairs (most of them trained on)."""
    predicted = aam.actions.predict_distances(
        table=study.table_of(list(study.rarefied.ids()), rarefied=True), model=encoder
    ).distance_matrix.view(skbio.DistanceMatrix)
    computed = study.distances.filter(predicted.ids)
    return float(np.corrcoef(predicted.condensed_form(), computed.condensed_form())[0, 1])


def held_out_error(study, task, encoder, epochs: int) -> dict[str, float]:
    """Fit a task on four fifths of its samples and predict the rest, whole groups apart."""
    ids, values, groups = labeled_samples(study, task)
    grouped = {} if groups is None else {"groups": study.column(task.groups, ids, numeric=False)}
    column = study.column(task.column, ids, numeric=True)
    split = aam.actions.split_samples(table=study.table_of(ids), metadata=column, **grouped)
    regressor = aam.actions.fit_regressor(
        table=split.training_table,
        sequences=study.sequences,
        metadata=column,
        encoder=encoder,
        epochs=epochs,
        **grouped,
    ).regressor
    predicted = aam.actions.predict_regression(
        table=split.test_table, sequences=study.sequences, regressor=regressor
    ).predictions.view(pd.Series)
    truth = pd.Series(values.astype(float), index=ids)
    error = (predicted - truth[predicted.index]).abs().mean()
    rest = truth.drop(predicted.index)
    constant = (truth[predicted.index] - rest.mean()).abs().mean()
    return {"samples": len(predicted), "mae": float(error), "constant_mae": float(constant)}


def main() -> None:
    """Run everything and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    epochs = parser.parse_args().epochs
    studies = {name: load_study(name) for name in DEPTHS}
    tasks = {task.study: task for task in TASKS.values() if not task.categorical}
    results = {}
    for name, study in studies.items():
        started = time.time()
        encoder = pretrained([study], epochs)
        results[name] = {"unifrac_r": unifrac_r(study, encoder)}
        if name in tasks:
            results[name] |= held_out_error(study, tasks[name], encoder, epochs)
        results[name]["seconds"] = round(time.time() - started)
        print(name, json.dumps(results[name]), flush=True)
    started = time.time()
    encoder = pretrained(list(studies.values()), epochs)
    together = {name: unifrac_r(study, encoder) for name, study in studies.items()}
    results["together"] = {"unifrac_r": together, "seconds": round(time.time() - started)}
    print("together", json.dumps(results["together"]), flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "four-studies.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

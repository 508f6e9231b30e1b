"""Fit and predict the demo study on several splits by child, beside a forest on the same splits.

    python demo_splits.py ../demo-output --settling 0 0.5

Needs the folder that `make demo` writes. The encoder saw all samples, without labels.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import biom
import numpy as np
import pandas as pd
import qiime2
from qiime2.plugins import aam
from sklearn.ensemble import RandomForestRegressor

RESULTS = Path(__file__).parent / "results"


def log_abundances(table: qiime2.Artifact) -> pd.DataFrame:
    """Return log relative abundances, samples × features."""
    fractions = table.view(biom.Table).norm(inplace=False)
    values = np.log1p(1e4 * fractions.matrix_data.T.toarray())
    return pd.DataFrame(values, fractions.ids(), fractions.ids(axis="observation"))


def errors_of_split(folder: Path, seed: int, settling: float) -> tuple[float, float]:
    """Return the mean absolute errors of ours and of the forest, in months."""
    table, sequences, encoder = (
        qiime2.Artifact.load(str(folder / f"{name}.qza"))
        for name in ("labeled", "rep-seqs", "encoder")
    )
    metadata = qiime2.Metadata.load(str(folder / "metadata.tsv"))
    month, child = metadata.get_column("month"), metadata.get_column("studyid")
    split = aam.actions.split_samples(
        table=table, metadata=month, groups=child, test_size=0.25, random_seed=seed
    )
    regressor = aam.actions.fit_regressor(
        table=split.training_table, sequences=sequences, metadata=month, groups=child,
        encoder=encoder, settling=settling, random_seed=seed, threads=1,
    ).regressor  # fmt: skip
    predicted = aam.actions.predict_regression(
        table=split.test_table, sequences=sequences, regressor=regressor
    ).predictions.view(pd.Series)
    truth = month.to_series()
    training, test = log_abundances(split.training_table), log_abundances(split.test_table)
    test = test.reindex(columns=training.columns, fill_value=0)
    forest = RandomForestRegressor(300, random_state=0).fit(training, truth[training.index])
    of_forest = np.abs(forest.predict(test) - truth[test.index]).mean()
    return float((predicted - truth[predicted.index]).abs().mean()), float(of_forest)


def main() -> None:
    """Run every setting on every split and store the errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--settling", type=float, nargs="+", default=[0.5])
    parser.add_argument("--splits", type=int, default=5)
    options = parser.parse_args()
    os.environ["Q2_AAM_RUN_DIR"] = tempfile.mkdtemp()  # no result of an earlier run
    results = {}
    for settling in options.settling:
        found = [errors_of_split(options.folder, s, settling) for s in range(options.splits)]
        ours, forest = np.mean(found, axis=0)
        results[str(settling)] = {"splits": found, "mae": ours, "forest_mae": forest}
        print(f"settling {settling}: ours {ours:.2f}, forest {forest:.2f}", flush=True)
    (RESULTS / "demo-splits.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

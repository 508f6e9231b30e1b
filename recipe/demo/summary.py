"""Say in plain words what the demo found: ``python summary.py FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

import biom
import numpy as np
import pandas as pd
from qiime2 import Artifact
from skbio import DistanceMatrix
from sklearn.metrics import r2_score

TARGET, CHILD = "month", "studyid"


def main(folder: Path) -> None:
    """Print the scores of q2-aam, a random forest and a constant, and where to look."""

    def load(name: str, view: type):
        return Artifact.load(str(folder / f"{name}.qza")).view(view)

    metadata = pd.read_csv(folder / "metadata.tsv", sep="\t", index_col=0, dtype=str)
    age = metadata[TARGET].astype(float)
    truth = age[list(load("test", biom.Table).ids())]
    constant = age[list(load("training", biom.Table).ids())].mean()
    predictions = {
        "q2-aam": load("predictions", pd.Series),
        "q2-aam, pretrained here": load("pretrained-predictions", pd.Series),
        "random forest": load("forest-predictions", pd.Series),
        "constant (training mean)": pd.Series(constant, index=truth.index),
    }
    predictions = pd.DataFrame({name: one.astype(float) for name, one in predictions.items()})
    errors = predictions.loc[truth.index].sub(truth, axis=0).abs()
    children = metadata.loc[truth.index, CHILD].nunique()
    print(
        f"\nAge in months, {len(truth)} test samples of {children} children never used for fitting"
    )
    print("('pretrained here' saw their microbiomes without labels, as it saw all):\n")
    print(f"  {'':26}{'mean absolute error':>20}{'R²':>8}")
    for name in errors:
        r2 = r2_score(truth, predictions.loc[truth.index, name])
        print(f"  {name:26}{errors[name].mean():>13.2f} months{r2:>8.2f}")
    print_verdict(*(errors[name] for name in errors))
    computed = load("unifrac", DistanceMatrix)
    print(
        "\nUniFrac predicted without a tree and the computed one, over all pairs of test samples:"
    )
    for name, file in (("bundled encoder", "predicted"), ("pretrained here", "pretrained")):
        predicted = load(f"{file}-unifrac", DistanceMatrix)
        actual = computed.filter(predicted.ids).condensed_form()
        correlation = np.corrcoef(predicted.condensed_form(), actual)[0, 1]
        print(f"  {name:26}correlation {correlation:.2f} over {len(actual):,} pairs")
    print("\nLook at (qiime tools view FILE, or https://view.qiime2.org):")
    for path in sorted(folder.resolve().glob("*.qzv")):
        print(f"  {path.parent.name}/{path.name}")


def print_verdict(
    ours: pd.Series, pretrained: pd.Series, forest: pd.Series, constant: pd.Series
) -> None:
    """Say who won, whoever it is, how much that means, and what pretraining added."""
    gain = 1 - ours.mean() / constant.mean()
    against_constant = (
        f"its error is {100 * gain:.0f} % below that of a constant guess"
        if gain > 0
        else "it is no better than a constant guess: something is wrong"
    )
    print(f"\nq2-aam is {ours.mean():.1f} months off on average; {against_constant}.")
    lead = forest.mean() - ours.mean()
    if round(ours.mean(), 2) == round(forest.mean(), 2):
        verdict = "q2-aam and the random forest are equally close"
    elif lead > 0:
        verdict = f"q2-aam is closer than the random forest by {lead:.2f} months"
    else:
        verdict = f"Here the random forest wins: it is closer by {-lead:.2f} months"
    print(f"{verdict} (q2-aam was closer on {(ours < forest).sum()} of {len(ours)} samples).")
    print("With so few children, a small difference between the two may be chance.")
    change = round(ours.mean(), 2) - round(pretrained.mean(), 2)
    verdict = (
        f"by {abs(change):.2f} months {'less' if change > 0 else 'more'}" if change else "alike"
    )
    print(f"Pretrained on the study's own matrix, it errs {verdict}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

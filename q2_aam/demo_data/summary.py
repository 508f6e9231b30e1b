"""Say in plain words what the demo found: ``python summary.py FOLDER``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import biom
import numpy as np
import pandas as pd
from qiime2 import Artifact
from skbio import DistanceMatrix

TARGET, CHILD = "month", "studyid"


@dataclass(frozen=True)
class Score:
    """How well one way of predicting did on the test samples, in months."""

    name: str
    errors: np.ndarray
    r2: float

    @property
    def mae(self) -> float:
        """Mean absolute error."""
        return float(self.errors.mean())


def main(folder: Path) -> None:
    """Print the scores of q2-aam, a random forest and a constant, and where to look."""
    metadata = pd.read_csv(folder / "metadata.tsv", sep="\t", index_col=0, dtype=str)
    age = metadata[TARGET].astype(float)
    truth = age[sample_ids(folder / "test.qza")]
    constant = age[sample_ids(folder / "training.qza")].mean()
    ours, pretrained, forest = (
        score(name, truth, read_predictions(folder / f"{file}.qza"))
        for name, file in (
            ("q2-aam", "predictions"),
            ("q2-aam, pretrained here", "pretrained-predictions"),
            ("random forest", "forest-predictions"),
        )
    )
    dummy = score("constant (training mean)", truth, pd.Series(constant, index=truth.index))
    children = metadata.loc[truth.index, CHILD].nunique()
    print_scores([ours, pretrained, forest, dummy], len(truth), children)
    print_verdict(ours, forest, dummy)
    print_pretraining(ours, pretrained)
    print_distances(folder)
    print_where_to_look(folder)


def sample_ids(path: Path) -> list[str]:
    """Return the ids of the samples in a feature table."""
    return list(Artifact.load(str(path)).view(biom.Table).ids())


def read_predictions(path: Path) -> pd.Series:
    """Return predictions by sample id."""
    return Artifact.load(str(path)).view(pd.Series).astype(float)


def score(name: str, truth: pd.Series, predictions: pd.Series) -> Score:
    """Compare predictions with the truth, sample by sample."""
    residuals = (truth - predictions[truth.index]).to_numpy()
    spread = ((truth - truth.mean()) ** 2).sum()
    return Score(name, np.abs(residuals), float(1 - (residuals**2).sum() / spread))


def print_scores(scores: list[Score], samples: int, children: int) -> None:
    """Print one line for each way of predicting."""
    print(f"\nAge in months, {samples} test samples of {children} children never used for fitting")
    print("('pretrained here' saw their microbiomes without labels, as it saw all):\n")
    print(f"  {'':26}{'mean absolute error':>20}{'R²':>8}")
    for one in scores:
        print(f"  {one.name:26}{one.mae:>13.2f} months{one.r2:>8.2f}")


def print_verdict(ours: Score, forest: Score, constant: Score) -> None:
    """Say who won, whoever it is, and how much that means."""
    gain = 1 - ours.mae / constant.mae
    against_constant = (
        f"its error is {100 * gain:.0f} % below that of a constant guess"
        if gain > 0
        else "it is no better than a constant guess: something is wrong"
    )
    print(f"\nq2-aam is {ours.mae:.1f} months off on average; {against_constant}.")
    closer = int((ours.errors < forest.errors).sum())
    if round(ours.mae, 2) == round(forest.mae, 2):
        verdict = "q2-aam and the random forest are equally close"
    elif ours.mae < forest.mae:
        verdict = f"q2-aam is closer than the random forest by {forest.mae - ours.mae:.2f} months"
    else:
        verdict = f"Here the random forest wins: it is closer by {ours.mae - forest.mae:.2f} months"
    print(f"{verdict} (q2-aam was closer on {closer} of {len(ours.errors)} samples).")
    print("With so few children, a small difference between the two may be chance.")


def print_pretraining(ours: Score, pretrained: Score) -> None:
    """Say what pretraining on the study's own samples added."""
    change = round(ours.mae, 2) - round(pretrained.mae, 2)
    verdict = (
        f"by {abs(change):.2f} months {'less' if change > 0 else 'more'}" if change else "alike"
    )
    print(f"Pretrained on the study's own matrix, it errs {verdict}.")


def print_distances(folder: Path) -> None:
    """Compare predicted with computed UniFrac, over all pairs of test samples."""
    computed = read_distances(folder / "unifrac.qza")
    print(
        "\nUniFrac predicted without a tree and the computed one, over all pairs of test samples:"
    )
    for name, file in (("bundled encoder", "predicted"), ("pretrained here", "pretrained")):
        predicted = read_distances(folder / f"{file}-unifrac.qza")
        actual = computed.filter(predicted.ids).condensed_form()
        correlation = np.corrcoef(predicted.condensed_form(), actual)[0, 1]
        print(f"  {name:26}correlation {correlation:.2f} over {len(actual):,} pairs")


def read_distances(path: Path) -> DistanceMatrix:
    """Return a matrix of distances."""
    return Artifact.load(str(path)).view(DistanceMatrix)


def print_where_to_look(folder: Path) -> None:
    """Name the visualizations and how to open them."""
    print("\nLook at (qiime tools view FILE, or https://view.qiime2.org):")
    for path in sorted(folder.resolve().glob("*.qzv")):
        print(f"  {path.parent.name}/{path.name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

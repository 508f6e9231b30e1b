"""What is gained and lost by computing less exactly: seconds; UniFrac and months of new children.

python exactness.py --epochs 10

Each variant pretrains on four fifths of ecam's children, from one seed and for as many epochs; then
months are fitted with the encoder frozen, and the last fifth is predicted.
Historical embeddings exist here alone: each step encodes a share of its ASVs anew, and takes the
others as they were when the epoch began (Fey et al. 2021, "GNNAutoScale").
"""

import argparse
import dataclasses
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from aam_predictions import fitted_predictions, unifrac_of_unseen
from accuracy_scores import regression_scores
from cross_validation import folds_of, load_problem
from encoders import Part, commit, pretrained

RESULTS = Path(__file__).parent / "results"
PLAIN = "as it is: 5 nucleotides a token, fp32"
VARIANTS = {
    PLAIN: {},
    "bf16": {"precision": "bf16"},
    "a quarter of each step's ASVs anew": {"share": 0.25},
    "10 nucleotides a token": {"nucleotides_per_token": 10},
    "3 nucleotides a token": {"nucleotides_per_token": 3},
    "1 nucleotide a token": {"nucleotides_per_token": 1},
}
COLUMNS = ("variant", "UniFrac r", "R²", "months, MAE", "processor s", "times as fast")


class History:
    """Embeds a share of each step's ASVs, and remembers the others from the epoch's start.

    Parameters
    ----------
    share : float
    """

    def __init__(self, share: float):
        from q2_aam.training import loop, steps

        self.share, self.remembered = share, None
        self._embed, self._train = steps.embed_distinct, trainer.Trainer._train
        self._places = steps, trainer.Trainer
        self._random = np.random.default_rng(0)

    def __enter__(self):
        steps, trainer = self._places

        def train(of_trainer, *arguments):
            everything = np.arange(len(of_trainer.task.studies.asvs))
            self.remembered = of_trainer._embed(everything)
            return self._train(of_trainer, *arguments)

        steps.embed_distinct, trainer._train = self.embed, train

    def __exit__(self, *error):
        steps, trainer = self._places
        steps.embed_distinct, trainer._train = self._embed, self._train

    def embed(self, network, studies, batch, pieces: int = 1) -> torch.Tensor:
        """Embed the distinct ASVs of a batch, (U, D), most of them from memory."""
        number = max(1, round(self.share * len(batch.asvs)))
        chosen = np.sort(self._random.choice(len(batch.asvs), number, replace=False))
        part = dataclasses.replace(batch, asvs=batch.asvs[chosen])
        anew = self._embed(network, studies, part, pieces)
        return self.remembered[batch.asvs].index_copy(0, torch.from_numpy(chosen), anew)


def measure(name: str, settings: dict, epochs: int, seed: int) -> dict:
    """Pretrain one variant on the first fold's training samples, and predict its test samples."""
    problem = load_problem("ecam-month")
    training, test = folds_of(problem)[0]
    settings = dict(settings)
    share = settings.pop("share", 1.0)
    part = Part(problem.task.study, problem.study, problem.names(training))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["Q2_AAM_RUN_DIR"] = folder  # no result of an earlier run
        make = {"epochs": epochs, **settings}
        if share < 1:
            with History(share):
                encoder = pretrained([part], seed, Path(folder), **make)
        else:
            encoder = pretrained([part], seed, Path(folder), **make)
        found = unifrac_of_unseen(problem.study, problem.names(test), encoder)
        predicted, _ = fitted_predictions(
            problem, problem.values, training, test, encoder, seed, precision="fp32"
        )
        found["months_mae"] = regression_scores(predicted, problem.values[test])["mae"]
    return {"variant": name, "epochs": epochs, "seed": seed} | found | encoder.made


def table_of(results: list[dict]) -> str:
    """Write results as a table in Markdown, each beside the default."""
    (plain,) = (result for result in results if result["variant"] == PLAIN)
    lines = [COLUMNS, ["---"] * len(COLUMNS)]
    for result in results:
        faster = plain["processor_seconds"] / result["processor_seconds"]
        lines.append([
            result["variant"], f"{result['unifrac_r']:.3f}", f"{result['unifrac_r2']:.3f}",
            f"{result['months_mae']:.2f}", f"{result['processor_seconds']:.0f}", f"{faster:.2f}",
        ])  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Measure all variants, print the table and store every figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--output", type=Path, default=RESULTS / "exactness.json")
    options = parser.parse_args()
    results = []
    for name in dict.fromkeys([PLAIN, *options.variants]):
        results.append(measure(name, VARIANTS[name], options.epochs, options.seed))
        print(json.dumps(results[-1]), flush=True)
        content = {"commit": commit(), "date": time.strftime("%Y-%m-%d"), "results": results}
        options.output.write_text(json.dumps(content, indent=1) + "\n")
    print(table_of(results))


if __name__ == "__main__":
    main()

"""Where the attention head pays: error with and without it, by samples and by kind of target.

    python attention.py --samples 200 1000
    python attention.py --samples 16000 --settings '{"batch_size": 64}'
    python attention.py --samples 16000 --targets both --settings '{"freeze_encoder": false}'

Simulated tables of the demo's most common ASVs. The target is a sum over clades of their tree
(additive), a sum of products of two clades (interactions), half of each (both), or the third that
both lies in (classes); a fifth of its variance is noise. The settings are of fits with the head.
"""

import contextlib
import io
import json
import time
from pathlib import Path

import biom
import numpy as np
import pandas as pd
import qiime2
import skbio
from made_up import PREVALENCE_SPREAD, draw_counts
from measuring import RESULTS, markdown, parser_of, store
from qiime2.plugins import aam
from scipy.stats import zscore
from sklearn.metrics import r2_score, roc_auc_score

KINDS, THIRDS = ("additive", "interactions", "both", "classes"), ("low", "middle", "top")
ASVS, RICHNESS, LARGEST, TERMS, NOISE, TESTED = 300, (40, 120), 8, 12, 0.2, 1000
DEMO = Path(__file__).parents[1] / "q2_aam" / "demo_data"


def read_asvs() -> tuple[list[str], list[list[int]]]:
    """Return DNA of the demo's most common ASVs, and clades of them that share none."""
    views = {"table": pd.DataFrame, "rep-seqs": pd.Series, "rooted-tree": skbio.TreeNode}
    files = {name: qiime2.Artifact.load(DEMO / f"{name}.qza") for name in views}
    table, dna, tree = (files[name].view(view) for name, view in views.items())
    common = (table > 0).sum().sort_values(ascending=False, kind="stable").index[:ASVS]
    tree = tree.shear(set(common))
    order = [tip.name for tip in tree.tips()]
    clades, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        tips = [order.index(tip.name) for tip in node.tips(include_self=True)]
        if len(tips) > LARGEST:
            waiting += node.children
        else:
            clades.append(tips)
    return dna[order].astype(str).tolist(), clades


def draw_targets(counts, clades, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the number or class of each sample, by kind of target."""
    shares = np.asarray(counts / counts.sum(axis=1, keepdims=True))
    sums = np.stack([shares[:, asvs].sum(axis=1) for asvs in clades], axis=1)
    related = zscore(np.log(sums + 1e-3))
    first, second = (related[:, random.permutation(related.shape[1])[:TERMS]] for _ in range(2))
    weights = random.standard_normal(TERMS)
    additive, products = zscore(first @ weights), zscore((first * second) @ weights)
    noise = np.sqrt(NOISE / (1 - NOISE)) * random.standard_normal(len(shares))
    both = zscore(additive + products) + noise
    thirds = np.digitize(both, np.quantile(both, [1 / 3, 2 / 3]))
    numbers = (additive + noise, products + noise, both, np.array(THIRDS)[thirds])
    return dict(zip(KINDS, numbers, strict=True))


def run(table: qiime2.Artifact, values: pd.Series, head: str, settings: dict) -> dict:
    """Fit on all but the last samples, predict these, and say what the fit took."""
    printed, started, known = io.StringIO(), time.process_time(), values[-TESTED:]
    settings = {"attention_head": head, "missing_samples": "ignore"} | settings
    with contextlib.redirect_stdout(printed):
        if values.dtype == float:
            column = qiime2.NumericMetadataColumn(values[:-TESTED])
            model, _ = aam.actions.fit_regressor(table, column, **settings)
            seconds = time.process_time() - started
            found = aam.actions.predict_regression(table, model).predictions.view(pd.Series)
            score = r2_score(known, found[known.index])
        else:
            column = qiime2.CategoricalMetadataColumn(values[:-TESTED])
            model, _ = aam.actions.fit_classifier(table, column, **settings)
            seconds = time.process_time() - started
            found = aam.actions.predict_classification(table, model).probabilities
            found = found.view(pd.DataFrame).loc[known.index, list(THIRDS)]
            score = roc_auc_score(known, found, multi_class="ovr", labels=THIRDS)
    heads = next(one for one in printed.getvalue().splitlines() if one.startswith("predictions:"))
    return {"score": float(score), "s": seconds, "heads": heads.removeprefix("predictions: ")}


def main() -> None:
    """Fit every target at every size, print a table and store it beside what was stored."""
    parser = parser_of(__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--targets", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--settings", type=json.loads, default={}, help="as JSON")
    options, rows, result = parser.parse_args(), [], {}
    dna, clades = read_asvs()
    for samples in options.samples:
        random = np.random.default_rng([0, samples])
        prevalence = PREVALENCE_SPREAD * random.standard_normal(ASVS)
        counts = draw_counts(prevalence, samples + TESTED, RICHNESS, random)
        ids = [f"sample{place:06d}" for place in range(samples + TESTED)]
        table = biom.Table(counts.T, dna, ids)
        table = qiime2.Artifact.import_data("FeatureTable[Frequency]", table)
        targets = draw_targets(counts.toarray(), clades, random)
        for name in options.targets:
            values = pd.Series(targets[name], pd.Index(ids, name="id"), name="y")
            off, on = run(table, values, "off", {}), run(table, values, "on", options.settings)
            settings = " ".join(f"{name}={value}" for name, value in options.settings.items())
            result[f"{samples} {name} {settings}".rstrip()] = {"off": off, "on": on}
            scores = [f"{one[what]:.3g}" for what in ("score", "s") for one in (off, on)]
            rows.append([f"{samples:,}", name, *scores, on["heads"]])
            print(rows[-1], flush=True)
    columns = ["samples", "target", "R² or AUC without", "with", "s without", "with", "heads"]
    print(markdown(columns, rows))
    kept = RESULTS / "attention.json"
    store("attention", (json.loads(kept.read_text()) if kept.exists() else {}) | result)


if __name__ == "__main__":
    main()

"""The stages whose growth is measured, each by the functions that the actions call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from large_table import LENGTH, LargeTable
from q2_aam.training.prefetch import prepared_batches
from simulated_trees import TREES, fill_trees

from q2_aam.config import ModelConfig, TrainingConfig
from q2_aam.data.alignment import with_distances
from q2_aam.data.batches import build_batch, epoch_order
from q2_aam.data.distances import Distances, parse_distances
from q2_aam.data.splits import train_test_split
from q2_aam.data.study import Studies, build_studies
from q2_aam.data.table import SampleTable, read_table
from q2_aam.data.target_scaling import describe_target
from q2_aam.data.vocabulary import know_prevalent_asvs
from q2_aam.inference import predict_samples, to_tensors
from q2_aam.model.network import Network
from q2_aam.training import fit, init
from q2_aam.training.device import build_accelerator
from q2_aam.training.logger import TrainingLogger

TABLE, MATRIX_TEXT, MATRIX = "table.npz", "distance-matrix.tsv", "distances.npy"
VALIDATION_SIZE, BATCH_SIZE = 0.2, 32  # fit-regressor's defaults
_ROWS_AT_ONCE = 500


def store_matrix(table: LargeTable, folder: Path) -> None:
    """Write 1 - shared / held by either, as QIIME 2 keeps distances and as numbers."""
    held = (table.matrix_data.T > 0).astype(np.float32).tocsr()
    sizes = np.asarray(held.sum(axis=1)).ravel()
    ids, number = table.ids("sample"), len(sizes)
    matrix = np.lib.format.open_memmap(folder / MATRIX, "w+", np.float32, (number, number))
    texts = np.array([f"{step / 10000:.4f}\t" for step in range(10001)], dtype="S7")
    with (folder / MATRIX_TEXT).open("wb") as file:
        file.write(("\t".join(["", *ids]) + "\n").encode())
        for first in range(0, number, _ROWS_AT_ONCE):
            rows = slice(first, first + _ROWS_AT_ONCE)
            shared = (held[rows] @ held.T).toarray()
            steps = 1e4 * (1 - shared / (sizes[rows, None] + sizes - shared))
            steps = steps.round().astype(np.int64)
            matrix[rows] = steps / 1e4
            for name, row in zip(ids[rows], texts[steps], strict=True):
                file.write(f"{name}\t".encode() + row.tobytes()[:-1] + b"\n")


def read_samples(table: LargeTable) -> tuple[SampleTable, Studies, np.ndarray, dict]:
    """Read a table as fitting does; return samples, studies, known ASVs and who trains."""
    samples = read_table(table)
    studies = build_studies([samples], None, LENGTH, ModelConfig().max_asvs)
    kept, held = train_test_split(samples.sample_ids, VALIDATION_SIZE, 0)
    position = {name: place for place, name in enumerate(samples.sample_ids)}
    split = {
        part: np.array([position[name] for name in names], dtype=np.int64)
        for part, names in (("training", kept), ("validation", held))
    }
    studies, known = know_prevalent_asvs(studies, split["training"], LENGTH)
    return samples, studies, known, split


def load(folder: Path, threads: int, meter) -> dict:
    """Read the table, as it comes from BIOM, into what training reads."""
    table = LargeTable.read(folder / TABLE)
    with meter:
        _, _, known, _ = read_samples(table)
    return {"known_asvs": len(known)}


def read_matrix(folder: Path, threads: int, meter) -> dict:
    """Read and check the distance matrix, and align it with the samples."""
    samples = read_table(LargeTable.read(folder / TABLE))
    with meter:
        with (folder / MATRIX_TEXT).open(encoding="utf-8-sig") as lines:
            ids, values = parse_distances(lines)
        with_distances(samples, ids, values, "the distance matrix", "error")
    return {"matrix_gib": values.nbytes / 2**30}


def _with_distances(studies: Studies, folder: Path) -> Studies:
    """Add the distances, where there are any, as parsed: in memory, read only."""
    if not (folder / MATRIX).exists():
        return studies
    matrix = np.load(folder / MATRIX)
    (study,) = studies.studies
    found = Distances(matrix, np.arange(len(matrix)))
    study = type(study)(study.sample_ids, study.abundances, found)
    return Studies(studies.asvs, (study,), studies.known)


def batching(folder: Path, threads: int, meter) -> dict:
    """Build every batch of an epoch, one after the other."""
    _, studies, _, split = read_samples(LargeTable.read(folder / TABLE))
    studies = _with_distances(studies, folder)
    order = epoch_order([split["training"]], BATCH_SIZE, 0, 0)
    distinct = 0
    with meter:
        for study, samples in order:
            distinct += len(build_batch(studies, study, samples, tokens=False).asvs)
    return {"batches": len(order), "distinct_asvs_a_batch": distinct / len(order)}


def epoch(folder: Path, threads: int, meter) -> dict:
    """Go through an epoch as training does, without a model: batches by a thread, as tensors."""
    _, studies, _, split = read_samples(LargeTable.read(folder / TABLE))
    studies = _with_distances(studies, folder)
    workers = TrainingConfig().workers
    with meter:
        order = epoch_order([split["training"]], BATCH_SIZE, 0, 1)
        for batch in prepared_batches(studies, order, workers):
            to_tensors(batch, torch.device("cpu"))
    return {"batches": len(order)}


def _new_network(studies: Studies, known: np.ndarray, split: dict) -> tuple[Network, np.ndarray]:
    """Make a network as if from an encoder, and a target that some known ASVs bear on."""
    random = np.random.default_rng(0)
    held = studies.studies[0].abundances
    effect = np.where(studies.known < len(known), random.standard_normal(held.shape[1]), 0)
    values = (held > 0).astype(np.float32) @ effect + 5 * random.standard_normal(held.shape[0])
    target = describe_target("target", values[split["training"]], "z-score", len(known))
    target = fit.with_heads(target, TREES, len(values), attends=False)
    network = init.new_network(ModelConfig(target=target), studies, 0, torch.device("cpu"))
    fit.remember_asvs(network, known)
    return network, (values - target.location) / target.scale


def closed_form(folder: Path, threads: int, meter) -> dict:
    """Fit all heads in closed form, on every sample, with an encoder kept as it is."""
    accelerator = build_accelerator("cpu", "fp32", threads)
    samples, studies, known, _ = read_samples(LargeTable.read(folder / TABLE))
    every = np.arange(len(samples.sample_ids))
    network, targets = _new_network(studies, known, {"training": every})
    labels = fit.Labels(targets, every, every, every[:0])
    with meter:
        fitted = fit.fit(
            network, studies, labels, TrainingConfig(freeze_encoder=True), accelerator,
            TrainingLogger("fit-regressor", 1),
        )  # fmt: skip
    shown = fitted.shown
    residual = np.abs(shown.answers[:, 0] - shown.targets).mean()
    spread = np.abs(shown.targets - shown.targets.mean()).mean()
    return {"mean_absolute_error_of_constant": float(residual / spread)}


def predict(folder: Path, threads: int, meter) -> dict:
    """Predict the target of every sample."""
    build_accelerator("cpu", "fp32", threads)
    samples, studies, known, split = read_samples(LargeTable.read(folder / TABLE))
    network, _ = _new_network(studies, known, split)
    fill_trees(network.target_head)
    with meter:
        predict_samples(network, studies, 0, np.arange(len(samples.sample_ids)))
    return {}


STAGES = {
    "load": load,
    "matrix": read_matrix,
    "batching": batching,
    "epoch": epoch,
    "closed form": closed_form,
    "predict": predict,
}

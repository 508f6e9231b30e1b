"""What each ASV does to a model's predictions: how they change when the ASV is taken out."""

from collections.abc import Callable

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .config.target import CLASSIFICATION
from .data.study import Studies, build_batch
from .inference import device_of, embed_asvs, predict_states, to_tensors
from .model.network import Network, SampleBatch

# ASVs of all removals together, by whether the attention head reads them; bounds the memory
_ASVS_AT_ONCE = {True: 2**15, False: 2**18}


def effects_of_asvs(
    network: Network, studies: Studies, in_units: Callable[[np.ndarray], np.ndarray],
    samples_per_asv: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Find by how much each ASV raises and lowers predictions, both (asvs, outputs) and at least 0.

    Each ASV is taken out of samples that hold it, as if it had never been in the table; the change
    is averaged over all samples. One that is a sample's only ASV stays. Of more than
    `samples_per_asv` samples, some spread over its abundances are taken. `in_units` turns
    predictions (R, O) into what is explained, (R, outputs). See Zeiler and Fergus 2014,
    "Visualizing and understanding convolutional networks" (occlusion); Covert, Lundberg and Lee
    2021, "Explaining by removing".
    """
    study = studies.studies[0]
    held = np.unique(study.abundances.indices)
    embedded = embed_asvs(network, studies.asvs, held)
    removals = spread_removals(study.abundances, samples_per_asv)
    # a sample of one ASV cannot lose it: where there are no others, nothing is important
    target = network.config.target
    outputs = len(target.classes) if target.kind == CLASSIFICATION else 1
    raises, lowers = np.zeros((2, len(studies.asvs), outputs))
    for sample in np.flatnonzero(np.diff(removals.indptr)):
        chosen = slice(*removals.indptr[sample : sample + 2])
        asvs, stands_for = removals.indices[chosen], removals.data[chosen]
        predictions = in_units(_predictions_without(network, studies, sample, asvs, embedded, held))
        effects = (predictions[0] - predictions[1:]) * stands_for[:, None]
        raises[asvs] += effects.clip(min=0)
        lowers[asvs] += (-effects).clip(min=0)
    return raises / len(study), lowers / len(study)


def spread_removals(abundances: scipy.sparse.csr_matrix, most: int) -> scipy.sparse.csr_matrix:
    """Choose which ASVs are taken out of which samples: at most `most`, at even steps of abundance.

    Returns, (samples, asvs), how many samples each of these stands for.
    """
    sizes = np.diff(abundances.indptr)
    rows = np.repeat(np.arange(abundances.shape[0]), sizes)
    kept = np.flatnonzero(sizes[rows] > 1)
    rows, columns, values = rows[kept], abundances.indices[kept], abundances.data[kept]
    order = np.lexsort((rows, values, columns))
    rows, columns = rows[order], columns[order]
    holders = np.bincount(columns, minlength=abundances.shape[1])
    rank = np.arange(len(columns)) - (np.cumsum(holders) - holders)[columns]
    of_column = holders[columns]
    wanted = np.minimum(of_column, most)
    chosen = (rank + 1) * wanted // of_column > rank * wanted // of_column
    stands_for = (of_column / wanted)[chosen]
    return scipy.sparse.csr_matrix(
        (stands_for, (rows[chosen], columns[chosen])), shape=abundances.shape
    )


def _predictions_without(
    network: Network, studies: Studies, sample: int, asvs: np.ndarray, embedded: Tensor, held
) -> np.ndarray:
    """Predict a sample as it is, and without each of some of its ASVs: (1 + R, O) float64."""
    device = device_of(network)
    batch = build_batch(studies, 0, np.array([sample]))
    whole = to_tensors(batch, device)
    own = embedded.index_select(0, torch.from_numpy(np.searchsorted(held, batch.asvs)).to(device))
    slots = torch.from_numpy(np.searchsorted(batch.asvs, asvs)).to(device)
    needed, parts = network.parts_to_predict(), []
    at_once = max(1, _ASVS_AT_ONCE[needed.attend] // len(batch.asvs))
    for places in slots.split(at_once):
        rows = 1 + torch.arange(len(places), device=device)  # the first row is the sample as it is
        abundances = whole.abundances.repeat(1 + len(places), 1)
        left = 1 - abundances[rows, places]
        abundances[rows, places] = 0
        abundances[rows] /= left[:, None]
        index, _, _, *others = whole
        others = [None if part is None else part.expand(len(abundances), -1) for part in others]
        index = index.expand(len(abundances), -1).contiguous()
        changed = SampleBatch(index, abundances, whole.known, *others)
        with torch.no_grad():
            state = network.embed_samples(own, changed, None, *needed)
        parts.append(predict_states(network, state)[bool(parts) :])
    return np.concatenate(parts)

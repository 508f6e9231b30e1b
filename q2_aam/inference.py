"""From a model and samples to embeddings, predictions and distances; each ASV is read once."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import scipy.linalg
import scipy.sparse
import torch
from torch import Tensor

from .config import CLASSIFICATION, ModelConfig
from .data.study import Batch, Studies, asv_tokens, build_batch
from .data.tokens import Asvs
from .model.branches import SharedAsvs
from .model.network import Network, Parts, SampleBatch, SampleState

# a CPU is fastest while the activations of a part fit its cache
ASVS_AT_ONCE = {"cpu": 64, "cuda": 1024}
# ASVs of one length that are computed apart: fewer cost less with others, under a mask
LEAST_ALIKE = 64
# a row of a matrix product is the same to the last bit among any multiple of so many rows
ROWS_ALIKE = 16
CACHE_BYTES = 2**26
_OVERHEAD = 300  # bytes of an entry of a dict beside its content
SAMPLES_AT_ONCE = 64
_DISTANCE_ROWS_AT_ONCE = 256
_ROWS_CENTERED_AT_ONCE = 4096
# ASVs of all removals together, by whether the attention head reads them; bounds the memory
_ASVS_REMOVED_AT_ONCE = {True: 2**15, False: 2**18}


def device_of(network: Network) -> torch.device:
    """Return the device that holds the network."""
    return network.asv_mean.device


def load_network(config: ModelConfig, arrays: dict[str, np.ndarray]) -> Network:
    """Build a network in evaluation mode from exactly the tensors of its config."""
    network = Network(config)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return network.eval()


def arrays_of(network: Network) -> dict[str, np.ndarray]:
    """Return the weights for storing: contiguous float32 arrays on the CPU."""
    return {
        name: np.ascontiguousarray(tensor.detach().cpu().numpy())
        for name, tensor in network.state_dict().items()
    }


def to_device(array: np.ndarray | Tensor, device: torch.device) -> Tensor:
    """Send an array to a device; the host does not wait for what the device still computes."""
    tensor = torch.as_tensor(array)
    if device.type == "cuda":
        tensor = tensor.pin_memory()  # a copy from other memory waits
    return tensor.to(device, non_blocking=True)


def to_tensors(batch: Batch, device: torch.device) -> SampleBatch:
    """Send a batch's samples to a device."""
    arrays = (batch.index, batch.abundances, batch.known, batch.covariates, batch.presence)
    return SampleBatch(*(None if one is None else to_device(one, device) for one in arrays))


class EmbeddingCache:
    """Embeddings by the ASV's tokens, of the encoder that was used last in this process.

    Pipelines fit and predict fold after fold of one table, whose ASVs need be read only once.
    """

    def __init__(self):
        self.encoder, self.rows, self.bytes = b"", {}, 0

    def of(self, network: Network) -> dict[bytes, np.ndarray]:
        """Return the embeddings of this encoder, device and precision, and forget any others."""
        kind = device_of(network).type
        digest = hashlib.blake2b(f"{kind} {torch.is_autocast_enabled()}".encode())
        weights = network.asv_encoder.state_dict().values()
        for tensor in (*weights, network.asv_mean, network.asv_scale):
            digest.update(str(tuple(tensor.shape)).encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().data)
        if digest.digest() != self.encoder:
            self.encoder, self.rows, self.bytes = digest.digest(), {}, 0
        return self.rows

    def add(self, keys: list[bytes], embeddings: np.ndarray) -> None:
        """Remember embeddings while there is room."""
        for key, row in zip(keys, embeddings, strict=True):
            self.bytes += len(key) + row.nbytes + _OVERHEAD
            if self.bytes > CACHE_BYTES:
                return
            self.rows[key] = row


embedding_cache = EmbeddingCache()


@torch.no_grad()
def embed_asvs(network: Network, asvs: Asvs, chosen: np.ndarray) -> Tensor:
    """Embed some ASVs: (U, D), in the order of `chosen`, (U,) int64; each is read once."""
    rows = embedding_cache.of(network)
    keys = [asvs.tokens[row, : 1 + asvs.lengths[row]].tobytes() for row in chosen]
    is_new = np.array([key not in rows for key in keys], dtype=bool)
    found = np.empty((len(chosen), network.config.hidden_size), np.float32)
    if is_new.any():
        parts, back = token_parts(network, asvs, chosen[is_new], least_alike=1)
        read = []
        for tokens, padded in parts:  # on CPUs what stands beside an ASV must not change it
            more = tokens[:1].expand(-len(tokens) % ROWS_ALIKE, -1)
            read.append(network.embed_asvs(torch.cat([tokens, more]), padded)[: len(tokens)])
        found[is_new] = torch.cat(read).index_select(0, back).cpu().numpy()
    for place in np.flatnonzero(~is_new):
        found[place] = rows[keys[place]]
    embedding_cache.add([keys[place] for place in np.flatnonzero(is_new)], found[is_new])
    return to_device(found, device_of(network))


def token_parts(
    network: Network, asvs: Asvs, chosen: np.ndarray, at_once: int = 2**63, least_alike: int = 0
) -> tuple[list[tuple[Tensor, bool]], Tensor]:
    """Divide ASVs into parts of one number of tokens, which need no mask, on the device.

    A mask keeps attention from its fastest kernel, and padding is computed in vain. Lengths of
    fewer ASVs than `least_alike` (else `LEAST_ALIKE`) share padded parts. A part has at most
    `at_once` ASVs, and no more than suits the device. Returns the parts, as `Network.embed_asvs`
    takes them, and where each of `chosen`, (U,) int64, stands in them, one after the other.
    """
    device = device_of(network)
    at_once = min(at_once, ASVS_AT_ONCE.get(device.type, 1024))
    tokens = -(-asvs.lengths[chosen] // network.config.nucleotides_per_token)
    _, kind, number = np.unique(tokens, return_inverse=True, return_counts=True)
    alike = np.where(number[kind] < (least_alike or LEAST_ALIKE), -1, kind)
    order, parts = np.lexsort((tokens, alike)), []
    for group in np.split(order, 1 + np.flatnonzero(np.diff(alike[order]))):
        for start in range(0, len(group), at_once):
            part = group[start : start + at_once]
            padded = bool(tokens[part].min() != tokens[part].max())
            parts.append((to_device(asv_tokens(asvs, chosen[part]), device), padded))
    return parts, to_device(np.argsort(order), device)


@torch.no_grad()
def embed_held(network: Network, asvs: Asvs, held: np.ndarray) -> Tensor:
    """Embed the ASVs at some positions: (asvs, D), with zeros for the others."""
    found = embed_asvs(network, asvs, held)
    rows = to_device(held, found.device)
    return found.new_zeros(len(asvs), found.shape[1]).index_copy(0, rows, found)


@torch.no_grad()
def sample_states(
    network: Network,
    studies: Studies,
    study: int,
    samples: np.ndarray,
    embedded: Tensor | None = None,
    parts: Parts | None = None,
) -> Iterator[SampleState]:
    """Yield states of some samples of a study, `SAMPLES_AT_ONCE` at a time, in order.

    Each distinct ASV is read once, unless all are `embedded`, (asvs, D), already. By default the
    states hold all that a head reads. The network must be in evaluation mode.
    """
    parts = parts or network.parts_for(True, network.config.target is not None)
    held = np.arange(len(studies.asvs))
    if embedded is None:
        held = np.unique(studies.studies[study].abundances[samples].indices)
        embedded = embed_asvs(network, studies.asvs, held)
    for start in range(0, len(samples), SAMPLES_AT_ONCE):
        batch = build_batch(studies, study, samples[start : start + SAMPLES_AT_ONCE])
        rows = to_device(np.searchsorted(held, batch.asvs), embedded.device)
        inputs = to_tensors(batch, embedded.device)
        yield network.embed_samples(embedded.index_select(0, rows), inputs, None, *parts)


def join_states(states: Iterable[SampleState]) -> SampleState:
    """Join the states of samples, but for their slots, which are large."""
    columns = zip(*(state._replace(slots=None) for state in states), strict=True)
    return SampleState(*(None if parts[0] is None else torch.cat(parts) for parts in columns))


def all_states(network: Network, studies: Studies, *given, **more) -> SampleState:
    """Return what is asked for of all samples at once; takes what `sample_states` does."""
    return join_states(sample_states(network, studies, *given, **more))


def embed_samples(
    network: Network, studies: Studies, study: int, samples: np.ndarray, content: str
) -> np.ndarray:
    """Compute one of the fields of `SampleState`, no more: float32 (samples, columns)."""
    parts = Parts(content == "pooled", content == "presence", content == "abundance", join=False)
    return getattr(all_states(network, studies, study, samples, None, parts), content).cpu().numpy()


def predict_samples(
    network: Network, studies: Studies, study: int, samples: np.ndarray
) -> np.ndarray:
    """Predict samples (see `predict_answers`); of all of them no more than that is held."""
    states = sample_states(network, studies, study, samples, None, network.parts_to_answer())
    return np.concatenate([predict_answers(network, state) for state in states])


@torch.no_grad()
def predict_answers(network: Network, state: SampleState) -> np.ndarray:
    """Predict samples, (B, O) float64: scaled numbers, or probabilities of the classes."""
    return network.predict_target(state).cpu().numpy().astype(np.float64)


@torch.no_grad()
def predict_distances(
    network: Network, state: SampleState, abundances: scipy.sparse.csr_matrix | None = None
) -> np.ndarray:
    """Predict UniFrac between all samples: (B, B) float32 in [0, 1], symmetric, zero diagonal.

    The samples' relative abundances (B, asvs) are read if ASVs are tips of the tree.
    """
    size, device = next(len(part) for part in state if part is not None), device_of(network)
    matrix = np.zeros((size, size), dtype=np.float32)
    if network.config.asv_tips:
        seen = abundances.copy()
        seen.data = network.asvs_seen(torch.from_numpy(abundances.data)).numpy()
        number = np.asarray(seen.sum(axis=1)).ravel()
    for start in range(0, size, _DISTANCE_ROWS_AT_ONCE):
        part, shared = slice(start, start + _DISTANCE_ROWS_AT_ONCE), None
        if network.config.asv_tips:
            counts = ((seen[part] @ seen.T).toarray(), number[part], number)
            shared = SharedAsvs(*(to_device(one, device) for one in counts))
        rows = SampleState(*(None if one is None else one[part] for one in state))
        matrix[part] = network.distances(rows, state, shared).cpu().numpy()
    for row in range(size):  # indices of all pairs would take four times the memory
        matrix[row + 1 :, row] = matrix[row, row + 1 :]
    np.fill_diagonal(matrix, 0)
    return matrix


def principal_components(values: np.ndarray, number: int) -> np.ndarray:
    """Describe samples (samples, columns) by their first components: float64 (samples, number).

    Centered, in the units of `values`, the most variable first. The largest weight of a component
    is positive, so that its sign is always the same. scikit-learn's PCA, which keeps several
    copies of all values, needs many times the memory.
    """
    mean = values.mean(axis=0, dtype=np.float64)
    # centered in parts, to hold the values once
    parts = np.split(values, range(_ROWS_CENTERED_AT_ONCE, len(values), _ROWS_CENTERED_AT_ONCE))
    products = np.zeros((len(mean), len(mean)))
    for part in parts:
        centered = part - mean
        products += centered.T @ centered
    last = len(mean) - 1
    _, weights = scipy.linalg.eigh(products, subset_by_index=(last - number + 1, last))
    weights = weights[:, ::-1]
    largest = np.abs(weights).argmax(axis=0)
    weights = weights * np.sign(weights[largest, np.arange(number)])
    return np.concatenate([(part - mean) @ weights for part in parts])


# --- what each ASV does to predictions: how they change when it is taken out ----------------------


def effects_of_asvs(
    network: Network,
    studies: Studies,
    in_units: Callable[[np.ndarray], np.ndarray],
    samples_per_asv: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Find by how much each ASV raises and lowers predictions, both (asvs, outputs) and at least 0.

    Each ASV is taken out of samples that hold it; the change is averaged over all samples. What
    remains of a sample is divided by its sum, as if the ASV had never been in the table. A
    sample of one ASV cannot lose it, and counts as a sample without it. If more than
    `samples_per_asv` samples hold an ASV, those it is taken out of are spread over its abundances.
    `in_units` turns the model's predictions (R, O) into what is explained, (R, outputs).

    See Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks" (occlusion);
    Covert, Lundberg and Lee 2021, "Explaining by removing".
    """
    study = studies.studies[0]
    held = np.unique(study.abundances.indices)
    embedded = embed_asvs(network, studies.asvs, held)
    removals = spread_removals(study.abundances, samples_per_asv)
    # a sample of one ASV cannot lose it: where there are no others, nothing is important
    target = network.config.target
    outputs = len(target.classes) if target.kind == CLASSIFICATION else 1
    raises, lowers = np.zeros((2, len(studies.asvs), outputs))
    for sample in range(len(study)):
        chosen = slice(*removals.indptr[sample : sample + 2])
        asvs, stands_for = removals.indices[chosen], removals.data[chosen]
        if not len(asvs):
            continue
        predictions = in_units(_predictions_without(network, studies, sample, asvs, embedded, held))
        effects = (predictions[0] - predictions[1:]) * stands_for[:, None]
        raises[asvs] += effects.clip(min=0)
        lowers[asvs] += (-effects).clip(min=0)
    return raises / len(study), lowers / len(study)


def spread_removals(abundances: scipy.sparse.csr_matrix, most: int) -> scipy.sparse.csr_matrix:
    """Choose which ASVs are taken out of which samples, at most `most` of each ASV.

    Returns, (samples, asvs), how many samples each of these stands for: where more hold an ASV,
    those at even steps in the order of its abundance.
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
    """Answer for a sample as it is, and without each of some of its ASVs: (1 + R, O) float64."""
    device = device_of(network)
    batch = build_batch(studies, 0, np.array([sample]))
    whole = to_tensors(batch, device)
    own = embedded.index_select(0, torch.from_numpy(np.searchsorted(held, batch.asvs)).to(device))
    slots = torch.from_numpy(np.searchsorted(batch.asvs, asvs)).to(device)
    needed, parts = network.parts_to_answer(), []
    at_once = max(1, _ASVS_REMOVED_AT_ONCE[needed.attend] // len(batch.asvs))
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
        parts.append(predict_answers(network, state)[bool(parts) :])
    return np.concatenate(parts)

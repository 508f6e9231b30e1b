"""From a model and samples to embeddings, predictions and distances; each ASV is read once."""

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
import scipy.linalg
import scipy.sparse
import torch
from torch import Tensor

from .config.model import ModelConfig
from .data.study import Batch, Studies, asv_tokens, build_batch
from .data.tokens import Asvs
from .model.branches import SharedAsvs
from .model.heads.features import SampleState
from .model.network import Network, Parts, SampleBatch

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
    fewer ASVs than `least_alike` (else `LEAST_ALIKE`) share padded parts, of at most `at_once` ASVs
    each. Returns the parts, as `Network.embed_asvs` takes them, and where each of `chosen`, (U,)
    int64, stands in them, one after the other.
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
def sample_states(
    network: Network, studies: Studies, study: int, samples: np.ndarray,
    embedded: Tensor | None = None, parts: Parts | None = None,
) -> Iterator[SampleState]:  # fmt: skip
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


def all_states(
    network: Network, studies: Studies, study: int, samples: np.ndarray,
    embedded: Tensor | None = None, parts: Parts | None = None,
) -> SampleState:  # fmt: skip
    """Return what is asked for of all samples at once (see `sample_states`)."""
    return join_states(sample_states(network, studies, study, samples, embedded, parts))


def embed_samples(
    network: Network, studies: Studies, study: int, samples: np.ndarray, content: str
) -> np.ndarray:
    """Compute one of the fields of `SampleState`, no more: float32 (samples, columns)."""
    asked = (content == name for name in ("pooled", "branch_presence", "branches"))
    state = all_states(network, studies, study, samples, None, Parts(*asked))
    return getattr(state, content).cpu().numpy()


def predict_samples(
    network: Network, studies: Studies, study: int, samples: np.ndarray
) -> np.ndarray:
    """Predict samples (see `predict_states`); of all of them no more than that is held."""
    states = sample_states(network, studies, study, samples, None, network.parts_to_predict())
    return np.concatenate([predict_states(network, state) for state in states])


@torch.no_grad()
def predict_states(network: Network, state: SampleState) -> np.ndarray:
    """Predict samples, (B, O) float64: scaled numbers, or probabilities of the classes."""
    return network.predict_target(state).cpu().numpy().astype(np.float64)


@torch.no_grad()
def predict_distances(
    network: Network, state: SampleState, abundances: scipy.sparse.csr_matrix | None = None
) -> np.ndarray:
    """Predict UniFrac between all samples: (B, B) float32; abundances are read if ASVs are tips."""
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

    The most variable stand first. The largest weight of each is positive, so that its sign is
    always the same. scikit-learn's PCA keeps several copies of all values.
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

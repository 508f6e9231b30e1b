"""What training starts from: seeds, and a network drawn anew or from stored weights."""

import numpy as np
import torch

from ..config.model import ModelConfig
from ..data.study import Studies, build_batch
from ..data.tokens import Asvs
from ..inference import embed_asvs, to_device, to_tensors
from ..model.network import Network
from .distributed import gather_rows, own_part

STANDARDISED_ASVS = 8192  # more change the statistics of the start by less than 1 %
CENTRED_SAMPLES = 128
PRESENCE_AT_START = 0.15
_LOWEST_BIAS, _HALVINGS = -40.0, 24
TRAINING, VALIDATION, WEIGHTS = range(3)  # what a seed is for


def new_network(config: ModelConfig, studies: Studies, seed: int, device) -> Network:
    """Draw weights; spread the ASV embeddings and center the branches on the studies' samples."""
    seed_torch(seed, WEIGHTS)
    network = Network(config).to(device).eval()
    random = np.random.default_rng([seed, 0xA5])
    chosen = some(np.arange(len(studies.asvs)), STANDARDISED_ASVS, random)
    network.standardise(embed_asvs(network, studies.asvs, chosen))
    center_branches(network, studies, random)
    return network


def continued_network(
    config: ModelConfig, arrays: dict[str, np.ndarray], seed: int, device
) -> Network:
    """Build a network whose encoder comes from stored weights; other heads are drawn anew."""
    seed_torch(seed, WEIGHTS)
    network = Network(config)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    network.load_state_dict(network.state_dict() | tensors)
    return network.to(device).eval()


@torch.no_grad()
def center_branches(network: Network, studies: Studies, random: np.random.Generator) -> None:
    """Choose the bias by which samples, even rich ones, hold few branches at the start."""
    batches = []
    for number, study in enumerate(studies.studies):
        most = CENTRED_SAMPLES // len(studies.studies) + 1
        batch = build_batch(studies, number, some(np.arange(len(study)), most, random))
        asvs = embed_asvs(network, studies.asvs, batch.asvs)
        batches.append((asvs, to_tensors(batch, asvs.device)))
    low, high = _LOWEST_BIAS, 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        network.branches.membership.bias.fill_(middle)
        held = [network.read_branches(*batch, quantify=False)[0].mean() for batch in batches]
        too_many = torch.stack(held).mean() > PRESENCE_AT_START
        low, high = (low, middle) if too_many else (middle, high)


@torch.no_grad()
def embed_held(network: Network, asvs: Asvs, held: np.ndarray) -> torch.Tensor:
    """Embed the ASVs at some positions, each process its share: (asvs, D), zeros for the others."""
    found = gather_rows(embed_asvs(network, asvs, own_part(held)), len(held))
    rows = to_device(held, found.device)
    return found.new_zeros(len(asvs), found.shape[1]).index_copy(0, rows, found)


def some(values: np.ndarray, most: int, seed) -> np.ndarray:
    """Draw some values in their order, if there are more, by a seed or a generator."""
    if len(values) <= most:
        return values
    return np.sort(np.random.default_rng(seed).choice(values, most, replace=False))


def seed_torch(seed: int, purpose: int, epoch: int = 0, step: int = 0) -> None:
    """Seed what is drawn next: a function of these, so that nothing random need be stored."""
    state = np.random.SeedSequence([seed, purpose, epoch, step]).generate_state(2, np.uint32)
    torch.manual_seed(int(state[0]) << 31 ^ int(state[1]))

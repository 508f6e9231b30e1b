import pytest
import torch
from simulated_study import describe_target

from q2_aam.config import ModelConfig, TrainingConfig
from q2_aam.model.network import Network
from q2_aam.training.optimiser import build_optimiser

CONFIG = TrainingConfig(learning_rate=0.01, warmup=0.1)


def test_matrices_are_decayed_but_no_biases_norms_lengths_or_embeddings():
    network = Network(ModelConfig(hidden_size=8, heads=2, branches=4, target=describe_target()))
    names = {id(weight): name for name, weight in network.named_parameters()}
    found, rest = set(), set()
    for group in build_optimiser(network, CONFIG).param_groups:
        assert group["weight_decay"] in (0, CONFIG.weight_decay)
        part = found if group["weight_decay"] else rest
        part |= {names[id(weight)] for weight in group["params"]}
    assert found | rest == set(names.values())
    assert not found & rest
    assert all(name.endswith("weight") for name in found)
    assert not any("norm" in name for name in found)
    assert "branches.membership.weight" in found
    assert {"distance_head.log_length", "asv_encoder.positions.weight"} <= rest
    assert {"asv_encoder.nucleotides.weight", "asv_encoder.start"} <= rest


def test_frozen_weights_are_left_alone():
    network = Network(ModelConfig(hidden_size=8, heads=2, branches=4))
    network.asv_encoder.requires_grad_(False)
    chosen = [weight for group in build_optimiser(network, CONFIG).param_groups
              for weight in group["params"]]  # fmt: skip
    assert not {id(w) for w in network.asv_encoder.parameters()} & {id(w) for w in chosen}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_each_optimiser_is_built(name, kind):
    network = Network(ModelConfig(hidden_size=8, heads=2, branches=4))
    assert type(build_optimiser(network, TrainingConfig(optimiser=name))) is kind

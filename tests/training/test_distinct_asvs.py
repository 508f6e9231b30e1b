"""Encoding each distinct ASV once changes nothing but the speed."""

import dataclasses

import numpy as np
import pytest
import torch
from quick_actions import fit
from simulated_study import TINY_FIT, log_of, model_of, simulate_study
from tasks import gradients_of, losses_of, make_network, make_task

from q2_aam.data.study import asv_tokens, build_batch
from q2_aam.inference import embed_asvs
from q2_aam.model.network import SampleBatch
from q2_aam.training import losses
from q2_aam.training.objectives import objective_of

SAMPLES = np.array([3, 0, 7, 5, 11])


@pytest.fixture(params=["branches", "euclidean"])
def network(request):
    network = make_network(distance_form=request.param).train()
    with torch.no_grad():
        for weight in network.target_head.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return network


@pytest.fixture(scope="module")
def task():
    return make_task(12, 30, 2, (40, 60))


def plain_losses(network, task):
    """Encode the ASVs of every sample anew, as a padded block of repeated sequences."""
    batch = build_batch(task.studies, 0, SAMPLES)
    slots = batch.index.shape[1]
    of_slots = torch.from_numpy(batch.index).flatten()
    tokens = torch.from_numpy(asv_tokens(task.studies.asvs, batch.asvs))
    asvs = network.embed_asvs(tokens[of_slots], padded=True)
    index = torch.arange(len(SAMPLES) * slots).reshape(len(SAMPLES), slots)
    abundances = torch.from_numpy(batch.abundances)
    torch.manual_seed(9)
    hidden = (abundances > 0) & (torch.rand(abundances.shape) < losses.HIDDEN_SHARE)
    known = torch.from_numpy(batch.known)[of_slots]
    state = network.embed_samples(asvs, SampleBatch(index, abundances, known), hidden)
    distances, raw = network.distances(state), network.attention_outputs(state)
    predicted, targets = network.abundance_head(state.slots), torch.from_numpy(task.targets)
    return {
        "unifrac_loss": losses.unifrac_loss(distances, torch.from_numpy(batch.distances)),
        "abundance_loss": losses.abundance_loss(predicted, abundances, hidden),
        "target_loss": objective_of(network.config.target).loss(raw, targets[SAMPLES], None),
    }


def test_losses_and_gradients_equal_those_of_the_plain_path(network, task):
    torch.manual_seed(9)
    found = losses_of(network, task, SAMPLES)
    asvs = task.studies.asvs
    with torch.no_grad():
        embedded = embed_asvs(network, asvs, np.arange(len(asvs)))
        torch.manual_seed(9)
        frozen = losses_of(network, dataclasses.replace(task, embedded=embedded), SAMPLES)
    plain = plain_losses(network, task)
    for name, value in plain.items():
        assert float(found[name].detach()) == pytest.approx(float(value.detach()), abs=1e-5), name
        assert float(frozen[name]) == pytest.approx(float(value.detach()), abs=1e-5), name
        assert float(value.detach()) > 1e-4, name
    total = sum(task.weights[name.removesuffix("_loss")] * plain[name] for name in plain)
    assert torch.allclose(found["loss"], total, atol=1e-5)
    one, other = gradients_of(network, found["loss"]), gradients_of(network, total)
    assert set(one) == set(other)
    largest = max(float(value.abs().max()) for value in other.values())
    for name in other:
        assert (one[name] - other[name]).abs().max() < 1e-5 * max(1.0, largest), name


def test_scores_of_an_epoch_are_those_of_its_own_weights(monkeypatch):
    # nothing but the attention head predicts, as while it is scored
    weigh = "q2_aam.training.objectives.blend_of_numbers"
    monkeypatch.setattr(weigh, lambda heads, *given: np.eye(len(heads))[-1])
    monkeypatch.setattr("q2_aam.training.fit.surely_positive", lambda *given: True)
    settings = TINY_FIT | {"epochs": 4, "validation_size": 0.4, "learning_rate": 0.05}
    fitted = fit(simulate_study(24, 30, 2, (40, 60)), **settings)
    log = log_of(fitted)
    scored = log.history["validation_mean_absolute_error"]
    kept = scored[f"epoch {log.summary['kept_epoch']}"]
    target = model_of(fitted.regressor)[0].target  # its residuals are of the weights kept, anew
    assert kept == pytest.approx(np.mean(target.residuals) * target.scale, rel=1e-4)
    assert (scored.drop_duplicates() == scored).all()

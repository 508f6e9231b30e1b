"""A step in chunks is the step of the whole batch, in less memory."""

import dataclasses
import weakref

import numpy as np
import pytest
import torch
from quick_actions import fit, pretrain
from simulated_study import history_of, model_of
from tasks import gradients_of, losses_of, make_network, make_task
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from q2_aam import inference
from q2_aam.training import losses

SAMPLES = np.array([3, 0, 7, 5, 11, 9, 2])


@pytest.fixture(scope="module")
def task():
    weights = {"unifrac": 1.0, "nucleotide": 0.1, "abundance": 0.1, "target": 1.0}
    return make_task(12, 90, 2, (50, 60), weights=weights)


def take_step(network, task, chunks):
    """Return the losses and the gradients of a step in some chunks."""
    torch.manual_seed(4)
    found = losses_of(network, task, SAMPLES, chunks)
    gradients = gradients_of(network, found["loss"])
    return {name: float(value.detach()) for name, value in found.items()}, gradients


@pytest.mark.parametrize("form", ["branches", "euclidean"])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("chunks", [3, 20])
def test_losses_and_gradients_in_chunks_are_those_of_the_whole(task, form, frozen, chunks):
    network = make_network(distance_form=form).train()
    if frozen:
        embedded = inference.embed_asvs(network, task.studies.asvs, np.arange(90))
        task = dataclasses.replace(task, embedded=embedded)
    whole, wanted = take_step(network, task, 1)
    found, gradients = take_step(network, task, chunks)
    assert found == pytest.approx(whole, rel=1e-5)
    assert set(gradients) == set(wanted)
    for name, gradient in wanted.items():
        assert torch.allclose(gradients[name], gradient, rtol=1e-3, atol=1e-6), name


def test_computing_chunks_again_changes_nothing_even_with_dropout(task, monkeypatch):
    network = make_network(asv_layers=2).train()
    network.set_dropout(0.2)
    kept, wanted = take_step(network, task, 1)
    monkeypatch.setattr(losses, "KEPT_ON_CPU", 0)
    again, gradients = take_step(network, task, 1)
    assert kept == again
    assert all(torch.equal(gradients[name], wanted[name]) for name in wanted)


class LiveTensors(TorchDispatchMode):
    """Find the most bytes that storages made under it, however many tensors see them, have."""

    def __init__(self):
        super().__init__()
        self.peak, self._sizes = 0, {}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Run an operation and look at what it returns."""
        made = operation(*args, **kwargs or {})
        for storage in (x.untyped_storage() for x in tree_leaves(made) if torch.is_tensor(x)):
            if storage._cdata not in self._sizes:
                self._sizes[storage._cdata] = storage.nbytes()
                weakref.finalize(storage, self._sizes.pop, storage._cdata)
        self.peak = max(self.peak, sum(self._sizes.values()))
        return made


def peak_of(task, chunks):
    network = make_network(asv_layers=2, nucleotides_per_token=2).train()
    task = dataclasses.replace(task, weights={"unifrac": 1.0, "abundance": 0.1})
    with LiveTensors() as live:
        losses_of(network, task, SAMPLES, chunks)["loss"].backward()
    return live.peak


def test_more_chunks_take_less_memory(task):
    whole, two, four = (peak_of(task, number) for number in (1, 2, 4))
    assert two < 0.6 * whole
    assert four < 0.4 * whole


def test_a_cpu_keeps_the_activations_of_few_chunks(task, monkeypatch):
    monkeypatch.setitem(inference.ASVS_AT_ONCE, "cpu", 16)
    kept = peak_of(task, 1)
    monkeypatch.setattr(losses, "KEPT_ON_CPU", 0)
    assert peak_of(task, 1) < kept / 3


@pytest.mark.parametrize("action", ["pretrain", "fit"])
def test_accumulated_training_is_that_of_the_whole_batch(mixed_study, pretrained, action):
    # steps that are linear in the gradient: rounding stays as small as it is
    settings = {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 2}

    def learn(**batches):
        if action == "fit":
            settings.update(encoder=pretrained.encoder, attention_head="on")
            found = fit(mixed_study, **settings, **batches)
        else:
            settings.update(nucleotide_weight=0.1, abundance_weight=0.1)
            found = pretrain(mixed_study, **settings, **batches)
        return model_of(found[0])[1], history_of(found)

    def largest_difference(other) -> float:
        return max(float(np.abs(whole[name] - other[name]).max()) for name in whole)

    whole, history = learn(batch_size=8)
    accumulated, of_accumulated = learn(batch_size=4, gradient_accumulation=2)
    assert largest_difference(accumulated) < 1e-5
    assert largest_difference(learn(batch_size=4)[0]) > 1e-3
    names = [name for name in history if name.endswith("loss")]
    assert np.allclose(history[names], of_accumulated[names], rtol=1e-4)

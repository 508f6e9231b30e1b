"""A step reads each distinct ASV once, in chunks if asked to, and learns the same."""

import dataclasses
import weakref

import numpy as np
import pytest
import torch
from quick_actions import fit, pretrain
from simulated_study import TINY_FIT, history_of, log_of, model_of, simulate_study
from tasks import gradients_of, losses_of, make_network, make_task
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from q2_aam import inference
from q2_aam.data.study import asv_tokens, build_batch
from q2_aam.data.tokens import tokenize_asvs
from q2_aam.model.network import SampleBatch
from q2_aam.training import losses
from q2_aam.training.objectives import objective_of

SAMPLES = np.array([3, 0, 7, 5, 11, 9, 2])
LENGTHS = [56, 57, 60, 58, 60, 51, 60, 41, 47, 57, 60, 33]


@pytest.fixture(params=["branches", "euclidean"])
def network(request):
    network = make_network(distance_form=request.param).train()
    with torch.no_grad():
        for weight in network.target_head.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return network


@pytest.fixture(scope="module")
def task():
    weights = {"unifrac": 1.0, "nucleotide": 0.1, "abundance": 0.1, "target": 1.0}
    return make_task(12, 90, 2, (50, 60), weights=weights)


def plain_losses(network, task, frozen):
    """Encode the ASVs of every sample anew, as a padded block of repeated sequences."""
    batch = build_batch(task.studies, 0, SAMPLES)
    slots = batch.index.shape[1]
    of_slots = torch.from_numpy(batch.index).flatten()
    tokens = torch.from_numpy(asv_tokens(task.studies.asvs, batch.asvs))
    asvs = network.embed_asvs(tokens[of_slots], padded=True)
    asvs = asvs.detach() if frozen else asvs
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
        "nucleotide_loss": losses.masked_nucleotide_loss(network, task.studies, batch),
        "abundance_loss": losses.abundance_loss(predicted, abundances, hidden),
        "target_loss": objective_of(network.config.target).loss(raw, targets[SAMPLES], None),
    }


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("chunks", [1, 3, 20])
def test_losses_and_gradients_equal_those_of_the_plain_path(network, task, frozen, chunks):
    plain = plain_losses(network, task, frozen)
    if frozen:
        embedded = inference.embed_asvs(network, task.studies.asvs, np.arange(90))
        task = dataclasses.replace(task, embedded=embedded)
    torch.manual_seed(9)
    found = losses_of(network, task, SAMPLES, chunks)
    total = sum(task.weights[name.removesuffix("_loss")] * plain[name] for name in plain)
    for name, value in (plain | {"loss": total}).items():
        assert torch.allclose(found[name], value, rtol=0, atol=1e-5), name
        assert value > 1e-4, name
    gradients, wanted = gradients_of(network, found["loss"]), gradients_of(network, total)
    assert set(gradients) == set(wanted)
    for name, gradient in wanted.items():
        assert torch.allclose(gradients[name], gradient, rtol=1e-3, atol=1e-6), name


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


def test_computing_chunks_again_changes_nothing_even_with_dropout(task, monkeypatch):
    network, steps = make_network(asv_layers=2).train(), []
    network.set_dropout(0.2)
    for kept in (losses.KEPT_ON_CPU, 0):
        monkeypatch.setattr(losses, "KEPT_ON_CPU", kept)
        torch.manual_seed(4)
        loss = losses_of(network, task, SAMPLES)["loss"]
        steps.append({"loss": loss.detach()} | gradients_of(network, loss))
    assert all(torch.equal(value, steps[1][name]) for name, value in steps[0].items())


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


@pytest.fixture
def asvs():
    random = np.random.default_rng(0)
    return tokenize_asvs(["".join(random.choice(list("ACGT"), n)) for n in LENGTHS], 60)[0]


def network_of(per_token: int):
    return make_network(2, asv_layers=2, nucleotides_per_token=per_token, target=None).eval()


@pytest.mark.parametrize(
    ("per_token", "least", "padded"),
    [
        (1, 1, [False] * 8),  # a part for each length
        (1, 4, [True, False]),  # 60 four times, others together
        (5, 4, [True, False]),  # 56 to 60 nt are 12 tokens
        (1, 99, [True]),
    ],
)
def test_lengths_are_computed_apart_where_enough_asvs_have_them(
    asvs, monkeypatch, per_token, least, padded
):
    monkeypatch.setattr(inference, "LEAST_ALIKE", least)
    network, chosen = network_of(per_token), np.random.default_rng(1).permutation(len(LENGTHS))
    parts, back = inference.token_parts(network, asvs, chosen)
    assert [flag for _, flag in parts] == padded
    assert sorted(back.tolist()) == list(range(len(LENGTHS)))
    if (per_token, least) == (5, 4):
        assert len(parts[1][0]) == sum(length >= 56 for length in LENGTHS)
    found = inference.embed_asvs(network, asvs, chosen)
    for row, one in zip(found, chosen, strict=True):
        alone = torch.tensor(asvs.tokens[one : one + 1, : 1 + asvs.lengths[one]])
        assert torch.allclose(network.embed_asvs(alone, False)[0], row, atol=1e-5)


def test_parts_are_no_larger_than_asked_for(asvs, monkeypatch):
    monkeypatch.setattr(inference, "LEAST_ALIKE", 1)
    for at_once, largest in ((64, 3), (2, 2)):
        monkeypatch.setitem(inference.ASVS_AT_ONCE, "cpu", at_once)
        parts, _ = inference.token_parts(network_of(5), asvs, np.arange(len(LENGTHS)), 3)
        assert max(len(tokens) for tokens, _ in parts) == largest

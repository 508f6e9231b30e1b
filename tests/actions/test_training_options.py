"""Options of training, and how to find its rate, named by the behavior that they must show."""

import re
from itertools import cycle

import numpy as np
import pandas as pd
import pytest
import quick_actions as quick
import simulated_study as sim
import torch

from q2_aam.config.model import ModelConfig
from q2_aam.config.training import ATTENTIONS, OPTIMIZERS, SCHEDULES
from q2_aam.model.network import Network
from q2_aam.training import device


@pytest.fixture
def pretrain(study, capsys):
    """Pretrain and return the weights, the log's history, and what was printed."""

    def run(**options):
        found = quick.pretrain(study, **options)
        return sim.model_of(found)[1], sim.history_of(found), capsys.readouterr().out

    return run


@pytest.fixture(scope="module")
def plain(study):
    """Weights and history of training with nothing asked for."""
    found = quick.pretrain(study)
    return sim.model_of(found)[1], sim.history_of(found)


def largest_difference(left, right) -> float:
    return max(float(np.abs(left[name] - right[name]).max()) for name in left)


def test_8_11_each_optimizer_trains_and_each_schedule_gives_its_own_learning_rates(pretrain):
    rates = {}
    for schedule, optimizer in zip(SCHEDULES, cycle(OPTIMIZERS)):
        given = {"restart_epochs": 2} if schedule == "cosine-restarts" else {}
        given |= {"schedule": schedule, "optimizer": optimizer, "epochs": 6}
        _, history, _ = pretrain(learning_rate=0.01, **given)
        assert np.isfinite(history).all(axis=None)
        assert history["train_unifrac_loss"].nunique() > 1
        rates[schedule] = history["learning_rate"].to_numpy()
    for schedule, found in rates.items():  # one-cycle falls as cosine does once they are warm
        same = np.allclose(found, rates["cosine"])
        assert same == (schedule in ("cosine", "one-cycle"))


def test_8_7_the_gradient_is_clipped_and_its_norm_logged(pretrain, plain):
    free, history = plain
    assert (history["gradient_norm"] > 1e-3).all()
    clipped, _, _ = pretrain(gradient_clipping=1e-6, optimizer="sgd", weight_decay=0.0)
    start, _, _ = pretrain(learning_rate=1e-6, optimizer="sgd", weight_decay=0.0)
    assert largest_difference(clipped, start) < 1e-5 < largest_difference(free, start)


@pytest.mark.hard  # minutes of compiling
def test_10_2_a_compiled_encoder_gives_equal_embeddings_and_the_same_tensor_names():
    torch.manual_seed(0)
    network = Network(ModelConfig(hidden_size=16, heads=2, branches=8)).eval()
    names = set(network.state_dict())
    tokens = torch.randint(1, 5, (6, 151), dtype=torch.uint8)
    plain = network.embed_asvs(tokens, padded=False)
    messages = []
    device.compile_encoder(network, messages.append)
    assert set(network.state_dict()) == names
    assert torch.allclose(network.embed_asvs(tokens, padded=False), plain, atol=1e-4)
    assert not messages


def test_10_2_where_compiling_fails_it_is_said_and_training_goes_on(pretrain, plain, monkeypatch):
    def fails(self, *args, **kwargs):
        def call(*args, **kwargs):
            raise OSError("no compiler")

        self._compiled_call_impl = call

    monkeypatch.setattr(torch.nn.Module, "compile", fails)
    weights, _, printed = pretrain(compile=True)
    assert "cannot be compiled here (OSError)" in printed
    assert largest_difference(weights, plain[0]) == 0


def test_10_4_gradient_checkpointing_gives_the_same_weights(pretrain):
    options = {"dropout": 0.1, "asv_layers": 2}
    checkpointed, _, _ = pretrain(gradient_checkpointing=True, **options)
    assert largest_difference(pretrain(**options)[0], checkpointed) < 1e-6


def test_10_1_precisions_agree_within_a_tolerance(pretrain, plain):
    other, history, _ = pretrain(precision="bf16")
    assert np.isfinite(history).all(axis=None)
    assert 0 < largest_difference(plain[0], other) < 0.05


def test_10_4_gradient_checkpointing_keeps_fewer_values_per_block():
    def kept(checkpointing: bool) -> int:
        network = Network(ModelConfig(hidden_size=16, heads=2, branches=8, asv_layers=4))
        network.set_checkpointing(checkpointing)
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: sizes.append(tensor.numel()) or tensor, lambda tensor: tensor
        ):
            network.embed_asvs(torch.ones(8, 151, dtype=torch.uint8), padded=False)
        return sum(sizes)

    assert kept(True) < kept(False) / 4


def test_10_5_each_attention_reaches_training_and_gives_equal_results(pretrain, monkeypatch):
    before, _, _ = pretrain(learning_rate=1e-4)
    asked, kernel = [], device.attention_kernel
    monkeypatch.setattr(device, "attention_kernel", lambda name: asked.append(name) or kernel(name))
    for attention in ATTENTIONS:
        other, _, _ = pretrain(learning_rate=1e-4, attention=attention)
        assert largest_difference(before, other) < 1e-4
    assert asked == list(ATTENTIONS)


@pytest.mark.parametrize("attention", ["flash", "math"])
def test_10_5_the_kernel_asked_for_is_allowed_and_others_are_not(attention):
    with device.attention_kernel(attention):
        assert torch.backends.cuda.math_sdp_enabled()
        assert torch.backends.cuda.flash_sdp_enabled() == (attention == "flash")
        assert not torch.backends.cuda.mem_efficient_sdp_enabled()


@pytest.mark.parametrize(
    ("options", "judged", "first"),
    [
        ({"epochs": 8, "patience": 3, "validation_size": 0.3, "learning_rate": 0.02},
         "validation", 4),
        ({"epochs": 6, "validation_size": 0.0, "learning_rate": 0.3, "schedule": "constant",
          "min_epochs": 0}, "train", 0),
        ({"epochs": 8, "patience": 8, "validation_size": 0.3, "schedule": "constant",
          "min_epochs": 6, "learning_rate": 0.3}, "validation", 6),
        ({"epochs": 60, "patience": 2, "validation_size": 0.3, "schedule": "constant",
          "min_epochs": 0, "learning_rate": 0.3}, "validation", 0),
    ],
    ids=["from half of them on", "without validation", "from min_epochs on", "until patience ends"],
)  # fmt: skip
def test_8_2_8_3_the_best_epoch_is_kept_and_patience_ends(pretrain, options, judged, first):
    weights, history, printed = pretrain(**options)
    losses = history[f"{judged}_unifrac_loss"]
    assert first == 0 or losses.argmin() + 1 <= first  # else the rule would have nothing to do here
    kept = losses.iloc[first:].argmin() + first + 1
    assert f"kept epoch {kept}:" in printed
    # an epoch that may not be kept is never marked, though it be the best
    marked = [int(number) for number in re.findall(r"epoch (\d+)/.*\(kept so far\)", printed)]
    assert marked[-1] == kept
    assert min(marked) > first
    assert any(name.startswith("validation_") for name in history) == (judged == "validation")
    assert all(np.isfinite(values).all() for values in weights.values())
    if options["epochs"] == 60:
        assert len(history) == kept + 2
        assert "had not improved for 2 epochs" in printed


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 3, "min_epochs": 3}, ["no epoch could be kept"]),
        ({"precision": "fp16"}, ["'fp16' needs a GPU"]),
        *(({"schedule": schedule, name: value}, ["no effect", f"'{schedule}'", name])
          for schedule, name, value in (
              ("cosine", "restart_epochs", 3), ("plateau", "restart_multiplier", 3.0),
              ("cosine", "plateau_factor", 0.3), ("one-cycle", "plateau_patience", 2),
              ("one-cycle", "warmup", 0.01), ("constant", "min_lr", 0.5))),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_met_or_are_not_read_are_refused(refused, study, settings, words):
    refused(quick.pretrain, *words, study=study, **settings)


@pytest.mark.parametrize("sure", [True, False])
def test_a_head_that_does_not_surely_help_is_left_out(study, monkeypatch, sure):
    monkeypatch.setattr("q2_aam.training.fit.surely_positive", lambda *given: sure)
    fitted = quick.fit(study, **sim.TINY_FIT | {"validation_size": 0.4})
    weights = {head["name"]: head["weight"] for head in sim.log_of(fitted).summary["heads"]}
    assert ("attention" in sim.target_of(fitted).heads) == ("attention" in weights) == sure
    assert sim.history_of(fitted)["validation_target_loss"].notna().tolist() == [True, True]
    if sure:
        assert 0 < weights["attention"] < 1
    else:
        monkeypatch.delattr("q2_aam.model.encoders.SampleEncoder.forward")
        quick.predict(study, fitted)


FINDING = {"pretrained": "none", "batch_size": 8, "threads": 1, "device": "cpu", "steps": 20}
FINDING |= {"precision": "fp32"}


@pytest.fixture
def find(aam, study, tmp_path):
    """Run find-learning-rate; return its curve, its settings and its page."""

    def run(**given):
        found = aam.find_learning_rate(study.table, sequences=study.sequences, **FINDING | given)
        folder = tmp_path / str(found.visualization.uuid)
        found.visualization.export_data(str(folder))
        curve, settings = (
            pd.read_csv(folder / "downloads" / f"{name}.tsv", sep="\t", index_col="id", dtype=kind)
            for name, kind in (("curve", None), ("settings", str))
        )
        return curve, settings, (folder / "index.html").read_text()

    return run


def test_11_6_the_curve_of_a_regressor_is_shown(find, study):
    curve, settings, page = find(metadata=study.age_column, highest_rate=0.01)
    rates = curve["learning_rate"]
    assert rates.iloc[0] == pytest.approx(1e-5)
    assert np.diff(np.log(rates)) == pytest.approx(np.log(0.01 / 1e-5) / 19)
    assert curve["loss"].nunique() > 10
    assert "Learning rate for fit-regressor: <em>age</em>" in page
    assert settings.loc["batch_size", ["value", "chosen_by"]].tolist() == ["8", "user"]


def test_11_6_a_column_of_classes_is_learned_as_classes(find, study):
    diet = sim.column_of(sim.by_age(study, (12,), ("milk", "solid")))
    curve, _, page = find(metadata=diet)
    assert curve["loss"].iloc[0] == pytest.approx(np.log(2), rel=0.2)
    assert "for fit-classifier: <em>diet</em>" in page


def test_11_6_without_metadata_unifrac_is_learned(find, study):
    curve, _, page = find(distance_matrix=study.distances)
    assert (curve["loss"].iloc[:5] < 0.3).all()  # squared errors of distances
    assert "Learning rate for pretrain" in page


@pytest.mark.parametrize("frozen", [True, False])
def test_11_6_an_encoder_is_frozen_or_trained(find, study, pretrained, frozen):
    given = {"pretrained": "bundled", "encoder": pretrained.encoder, "freeze_encoder": frozen}
    _, settings, _ = find(metadata=study.age_column, **given)
    assert settings.loc["freeze_encoder", "value"] == ("yes" if frozen else "no")


def test_11_6_what_cannot_be_tested_is_refused(find, study, refused):
    refused(find, "nothing to learn", "'metadata'", "'distance_matrix'")
    age, parts = {"metadata": study.age_column}, ("'lowest_rate' is 0.1", "'highest_rate' is 0.01")
    refused(find, *parts, lowest_rate=0.1, highest_rate=0.01, **age)
    without = "'unifrac_weight' was given without 'distance_matrix'"
    refused(find, without, unifrac_weight=2.0, **age)

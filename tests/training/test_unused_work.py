"""Nothing is computed that no loss, no score and no prediction reads."""

import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from quick_actions import fit, predict, pretrain
from simulated_study import TINY_FIT

from q2_aam import inference
from q2_aam.model.network import Network, Parts

CLOSED = Parts(attend=False, detect=False, quantify=True)


@pytest.fixture
def work(monkeypatch):
    """Record what a network does, in training and in evaluation.

    These are the parts of samples that are asked for, how many ASVs are read, and for how many
    samples the transformer runs.
    """
    found = SimpleNamespace(
        parts={True: set(), False: set()}, asvs={True: 0, False: 0}, samples={True: 0, False: 0}
    )
    embed_asvs, embed_samples = Network.embed_asvs, Network.embed_samples

    def watched_asvs(self, tokens, padded):
        found.asvs[self.training] += len(tokens.unique(dim=0))  # parts are filled up with copies
        return embed_asvs(self, tokens, padded)

    def watched_samples(self, asvs, batch, hidden=None, *parts):
        found.parts[self.training].add(Parts(*parts))
        found.samples[self.training] += Parts(*parts).attend * len(batch.index)
        return embed_samples(self, asvs, batch, hidden, *parts)

    monkeypatch.setattr(inference, "embedding_cache", inference.EmbeddingCache())
    monkeypatch.setattr(Network, "embed_asvs", watched_asvs)
    monkeypatch.setattr(Network, "embed_samples", watched_samples)
    return found


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"distance_form": "branches"}, Parts(False, True, False)),
        ({"distance_form": "euclidean"}, Parts(True, False, False)),
        ({"unifrac_weight": 0.0, "nucleotide_weight": 1.0}, Parts(False, False, False)),
    ],
)
def test_pretraining_computes_what_its_losses_are_read_from(study, work, options, wanted):
    pretrain(study, **options)
    assert work.parts == {True: {wanted}, False: {wanted}}


def test_fitting_detects_branches_only_where_there_are_distances(study, work):
    fit(study, **TINY_FIT)
    assert work.parts[True] == {Parts(attend=True, detect=False, quantify=True)}
    assert not any(parts.detect for parts in work.parts[False])
    assert CLOSED in work.parts[False]
    work.parts[True].clear()
    fit(study, distance_matrix=study.distances, **TINY_FIT)
    assert work.parts[True] == {Parts(attend=True, detect=True, quantify=True)}


def test_without_the_attention_head_no_transformer_runs(study, work):
    predict(study, fit(study))
    assert work.parts == {True: set(), False: {CLOSED}}


def test_a_frozen_encoder_reads_each_asv_once(study, pretrained, work):
    fit(study, encoder=pretrained.encoder, epochs=3, attention_head="on")
    assert work.asvs == {True: 0, False: study.counts.shape[1]}


def test_an_epoch_reads_each_asv_and_each_validation_sample_once_for_all_that_is_scored(
    study, work
):
    totals = []
    for epochs in (1, 3):
        # so slow that the last epoch is kept, whose embeddings are at hand
        slow = {"epochs": epochs, "validation_size": 0.4, "learning_rate": 1e-5}
        fit(study, **TINY_FIT | slow)
        totals.append((work.asvs[False], work.samples[False]))
    first, both = np.array(totals)
    per_epoch = ((both - first) - first) / 2
    assert per_epoch.tolist() == [study.counts.shape[1], round(0.4 * len(study.ages))]


def test_features_of_samples_are_let_go_when_they_are_answered(mixed_study, fitted, monkeypatch):
    """50,000 samples must not need the memory of all their features at once."""
    held, most = weakref.WeakSet(), []
    real = Network.embed_samples

    def watched(self, *arguments, **settings):
        state = real(self, *arguments, **settings)
        held.add(state.vocabulary)
        most.append(len(held))
        return state

    monkeypatch.setattr(inference, "SAMPLES_AT_ONCE", 2)
    monkeypatch.setattr(Network, "embed_samples", watched)
    predict(mixed_study, fitted)
    assert len(most) == -(-len(mixed_study.ages) // 2)
    assert max(most) <= 2

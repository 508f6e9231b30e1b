"""Nothing is computed that no loss, no score and no answer reads."""

import weakref

import numpy as np
import pytest
import torch
from simulated_study import QUICK_FIT, TINY, TINY_FIT

from q2_aam import inference
from q2_aam.model.network import Network, Parts


@pytest.fixture
def asked(monkeypatch):
    """Record which parts of samples are asked for in training and in evaluation."""
    found = {True: set(), False: set()}
    real = Network.embed_samples

    def watched(self, asvs, samples, hidden=None, *parts):
        found[self.training].add(Parts(*parts))
        return real(self, asvs, samples, hidden, *parts)

    monkeypatch.setattr(Network, "embed_samples", watched)
    return found


def pretrain(aam, study, **options):
    return aam.pretrain(
        [study.table], [study.distances], sequences=[study.sequences], **TINY | options
    )


def fit(aam, study, **options):
    return aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences, **TINY_FIT | options
    )


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ("branches", Parts(attend=False, detect=True, quantify=False, join=False)),
        ("euclidean", Parts(attend=True, detect=False, quantify=False, join=False)),
    ],
)
def test_pretraining_computes_what_distances_are_read_from(aam, study, asked, form, wanted):
    pretrain(aam, study, distance_form=form)
    assert asked == {True: {wanted}, False: {wanted}}


def test_without_distances_fitting_detects_no_branch(aam, study, asked):
    fit(aam, study)
    assert asked[True] == {Parts(attend=True, detect=False, quantify=True, join=False)}
    assert not any(parts.detect for parts in asked[False])
    closed = Parts(attend=False, detect=False, quantify=True, join=False)
    assert closed in asked[False]


def test_without_the_attention_head_no_transformer_runs(aam, study, asked):
    model = aam.fit_regressor(study.table, study.age_column, sequences=study.sequences, **QUICK_FIT)
    aam.predict_regression(study.table, model.regressor, sequences=study.sequences)
    assert asked == {
        True: set(),
        False: {Parts(attend=False, detect=False, quantify=True, join=False)},
    }


def test_fitting_with_distances_computes_both(aam, study, asked):
    fit(aam, study, distance_matrix=study.distances)
    assert asked[True] == {Parts(attend=True, detect=True, quantify=True, join=False)}


def test_where_only_nucleotides_are_learned_no_sample_is_read(aam, study, asked):
    pretrain(aam, study, unifrac_weight=0.0, nucleotide_weight=1.0)
    nothing = Parts(False, False, False, False)
    assert asked == {True: {nothing}, False: {nothing}}


def test_a_frozen_encoder_reads_each_asv_once(aam, study, pretrained, monkeypatch):
    read = []
    real = Network.embed_asvs

    def watched(self, tokens, padded):
        read.append(len(torch.unique(tokens, dim=0)))
        return real(self, tokens, padded)

    monkeypatch.setattr(inference, "embedding_cache", inference.EmbeddingCache())
    monkeypatch.setattr(Network, "embed_asvs", watched)
    aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences, encoder=pretrained.encoder,
        epochs=3, threads=1, attention_head="on",
    )  # fmt: skip
    assert sum(read) == study.counts.shape[1]


def test_an_epoch_reads_each_validation_sample_once(aam, study, monkeypatch):
    """Weighing the readers and scoring them need the same samples."""
    read = []
    real = Network.embed_samples

    def watched(self, asvs, samples, hidden=None, *parts):
        if not self.training and Parts(*parts).attend:
            read.append(len(samples.index))
        return real(self, asvs, samples, hidden, *parts)

    monkeypatch.setattr(Network, "embed_samples", watched)
    totals = []
    for epochs in (1, 3):
        read.clear()
        fit(aam, study, epochs=epochs, validation_size=0.4)
        totals.append(sum(read))
    assert totals[1] - totals[0] == 2 * round(0.4 * len(study.ages))


def test_features_of_samples_are_let_go_when_they_are_answered(
    aam, mixed_study, fitted, monkeypatch
):
    """50,000 samples must not need the memory of all their features at once."""
    held, most = weakref.WeakSet(), []
    real = inference.Network.embed_samples

    def watched(self, *arguments, **settings):
        state = real(self, *arguments, **settings)
        held.add(state.known)
        most.append(len(held))
        return state

    monkeypatch.setattr(inference, "SAMPLES_AT_ONCE", 2)
    monkeypatch.setattr(inference.Network, "embed_samples", watched)
    aam.predict_regression(mixed_study.table, fitted.regressor, sequences=mixed_study.sequences)
    assert len(most) == -(-len(mixed_study.ages) // 2)
    assert max(most) <= 2


def test_embeddings_of_held_asvs_stand_at_their_places(study):
    from q2_aam.config import ModelConfig
    from q2_aam.data.study import build_studies
    from q2_aam.data.table import read_table

    torch.manual_seed(0)
    studies = build_studies([read_table(study.biom)], study.dna.to_dict(), 60, 64)
    network = Network(ModelConfig(hidden_size=16, heads=2, branches=8)).eval()
    held = np.array([3, 7, 1])
    found = inference.embed_held(network, studies.asvs, held)
    assert found.shape == (len(studies.asvs), 16)
    assert torch.equal(found[held], inference.embed_asvs(network, studies.asvs, held))
    assert not np.delete(found.numpy(), held, axis=0).any()

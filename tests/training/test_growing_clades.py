"""Clades as fitting grows, stores and renews them."""

import dataclasses

import numpy as np
import pytest
import torch
from simulated_study import TINY_FIT, model_of

from q2_aam.data.known_asvs import match_asvs
from q2_aam.data.study import build_studies
from q2_aam.data.table import read_table
from q2_aam.inference import all_states, embed_asvs, load_network
from q2_aam.training import loop

ALIKE = {"epochs": 2}


def fit(aam, study, **options):
    return aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences, **TINY_FIT | options
    ).regressor


def read(study, artifact):
    """Return a fitted network, and the study as it reads it."""
    config, arrays = model_of(artifact)
    network = load_network(config, arrays)
    lengths = (config.max_sequence_length, config.max_asvs)
    studies = build_studies([read_table(study.biom)], study.dna.to_dict(), *lengths)
    known = match_asvs(studies.asvs, network.target_head.known_asvs.numpy())
    return network, dataclasses.replace(studies, known=known)


@pytest.mark.parametrize("frozen", [True, False])
def test_clades_are_of_the_embeddings_that_the_model_gives(aam, study, pretrained, frozen):
    model = fit(aam, study, encoder=pretrained.encoder, freeze_encoder=frozen, **ALIKE)
    network, studies = read(study, model)
    head = network.target_head
    place = np.flatnonzero(studies.known < len(head.known_asvs))
    found = embed_asvs(network, studies.asvs, place)
    rows = torch.from_numpy(studies.known[place])
    assert torch.allclose(head.clades.embedding[rows], found, atol=1e-4)
    changed = not torch.allclose(found, embedded_before(study, pretrained, studies, place))
    assert changed != frozen


@pytest.mark.parametrize("epochs", [1, 3])
def test_each_epoch_is_validated_with_clades_of_its_own_embeddings(aam, study, monkeypatch, epochs):
    real, fresh = loop.see_samples, []

    def watched(network, task, samples, embedded):
        clades = network.target_head.clades
        known = np.flatnonzero(task.studies.known < len(clades.embedding))
        rows = torch.from_numpy(task.studies.known[known])
        now = embed_asvs(network, task.studies.asvs, known)
        fresh.append(torch.allclose(clades.embedding[rows], now, atol=1e-4))
        return real(network, task, samples, embedded)

    monkeypatch.setattr(loop, "see_samples", watched)
    fit(aam, study, epochs=epochs)
    assert fresh == [True] * epochs


def embedded_before(study, pretrained, studies, place):
    return embed_asvs(load_network(*model_of(pretrained.encoder)), studies.asvs, place)


def test_their_scaling_is_of_the_samples(aam, study):
    network, studies = read(study, fit(aam, study))
    states = all_states(network, studies, 0, np.arange(len(study.ages)))
    scaled = network.target_head.scaling["clades"](states.clades)
    assert scaled.shape[1] == network.config.target.known_asvs - 1
    assert torch.allclose(scaled.mean(dim=0), torch.zeros(scaled.shape[1]), atol=1e-4)
    assert scaled.var(dim=0, correction=0).sum().item() == pytest.approx(1, rel=1e-3)
    assert network.target_head.ridge.clades.abs().max() > 1e-4


def test_a_clade_tells_of_asvs_that_the_model_does_not_know(aam, study):
    """An ASV with DNA next to a known one's is read as its relative."""
    network, studies = read(study, fit(aam, study))
    number = network.config.target.known_asvs
    unknown = dataclasses.replace(studies, known=studies.known.copy())
    unknown.known[studies.known == 0] = number
    asv = int(np.flatnonzero(studies.known == 0)[0])
    held = studies.studies[0].abundances[:, asv].toarray().ravel() > 0
    before, after = (
        all_states(network, one, 0, np.flatnonzero(held)) for one in (studies, unknown)
    )
    assert (before.known[:, 0] > 0).all()
    assert (after.known[:, 0] == 0).all()
    assert torch.allclose(after.clades, before.clades, atol=1e-6)

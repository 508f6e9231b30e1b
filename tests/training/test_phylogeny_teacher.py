import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from simulated_study import simulate_study

from q2_aam.config import ModelConfig, TrainingConfig
from q2_aam.data.phylogeny import choose_clades, parse_newick
from q2_aam.data.tokens import START, tokenize
from q2_aam.model.network import Network
from q2_aam.training import phylogeny as teacher
from q2_aam.training.init import seed_weights
from q2_aam.training.optim import build_optimizer


@pytest.fixture(scope="module")
def study():
    return simulate_study(6, 120, 3, (140, 150))


@pytest.fixture(scope="module")
def clades(study):
    phylogeny = parse_newick(str(study.tree))
    tips = phylogeny.tips()
    nodes = np.array([tips[name] for name in study.counts])
    return choose_clades(phylogeny, nodes, np.ones(len(nodes), bool), 16, 4)


@pytest.fixture(scope="module")
def references(study, clades):
    tokens, lengths = tokenize([study.dna[name] for name in study.counts])
    starts = np.stack([np.zeros_like(lengths), np.full_like(lengths, 20)], axis=1)
    starts[::2, 1] = -1
    tokens = np.ascontiguousarray(tokens[:, 1:])
    return teacher.References.on_device(tokens, lengths, starts, clades, "cpu")


def test_reads_are_parts_of_their_organisms(references):
    rows = np.array([3, 3, 8])
    found = references.reads(rows, np.array([0, 20, 5]), 90).numpy()
    assert found.shape == (3, 91)
    assert (found[:, 0] == START).all()
    for read, row, begin in zip(found, rows, (0, 20, 5), strict=True):
        assert (read[1:] == references.tokens[row, begin : begin + 90].numpy()).all()


def test_draws_are_a_function_of_seed_epoch_and_step(references):
    rows = np.arange(120)
    first = teacher.draw_reads(references, rows, 480, 1, 2, 3)
    again = teacher.draw_reads(references, rows, 480, 1, 2, 3)
    assert all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(first, again, strict=True))
    others = [teacher.draw_reads(references, rows, 480, *key) for key in ((2, 2, 3), (1, 3, 3))]
    assert all(len(other[1]) != len(first[1]) or (other[1] != first[1]).any() for other in others)


def test_reads_begin_at_sites_that_are_there_and_end_within_their_organism(references):
    lengths, begun = set(), set()
    for step in range(60):
        rows, begin, length = teacher.draw_reads(references, np.arange(120), 120, 0, 0, step)
        assert (begin >= 0).all()
        assert (begin + length <= references.lengths[rows]).all()
        lengths.add(length)
        begun |= set(begin[rows % 2 == 0].tolist())
    assert min(lengths) >= 90
    assert max(lengths) <= 120
    assert len(lengths) > 10
    assert 0 in begun
    assert len(begun) > 20  # and some later: starts are cut off, too


def test_every_organism_is_in_one_batch():
    batches = teacher.batches_of(np.arange(100, 350), 64, 0, 1)
    assert sorted(np.concatenate(batches)) == list(range(100, 350))
    assert {len(batch) for batch in batches} <= {62, 63}
    assert (batches[0] != teacher.batches_of(np.arange(100, 350), 64, 0, 2)[0]).any()


def test_targets_are_the_clades_above(references, clades):
    found = references.targets(np.arange(120), 16).numpy()
    for row, held in zip(clades.lineages, found, strict=True):
        assert set(np.flatnonzero(held)) == set(row[row < 16])


def train(references, clades, epochs):
    config = ModelConfig(
        hidden_size=32, heads=2, branches=16, branch_hidden_size=48, asv_tips=True,
        max_sequence_length=150,
    )  # fmt: skip
    training = TrainingConfig(
        epochs=epochs, batch_size=32, learning_rate=5e-3, schedule="one-cycle"
    )
    seed_weights(0)
    network, rows = Network(config), np.arange(120)
    teacher.prepare_network(network, references, rows, clades)
    optimizer = build_optimizer(network, training)
    losses = [
        teacher.train_epoch(
            network, references, rows, optimizer, training, epoch, contextlib.nullcontext
        )
        for epoch in range(epochs)
    ]
    return network, losses


def test_the_clades_above_reads_are_learned(references, clades):
    network, losses = train(references, clades, 50)
    assert losses[-1] < 0.2 * losses[0]
    reads = references.reads(np.arange(120), np.zeros(120, np.int64), 120)
    with torch.no_grad():
        said = teacher.clade_log_odds(network, reads) > 0
    assert (said == (references.targets(np.arange(120), 16) > 0)).float().mean() > 0.9
    assert np.allclose(network.distance_head.log_length.exp().detach(), clades.lengths)
    assert float(network.distance_head.log_tip_length.exp()) == pytest.approx(clades.tip_length)


def test_one_seed_gives_one_encoder(references, clades):
    one, other = (train(references, clades, 2)[0].state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_build_script_needs_neither_qiime2_nor_its_libraries():
    folder = Path(__file__).parents[2] / "recipe" / "encoder"
    missing = ("qiime2", "q2_types", "biom", "skbio", "pandas", "sklearn", "altair")
    code = (
        f"import sys\nfor name in {missing!r}:\n    sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(folder)!r})\nimport build\nprint(build.main.__doc__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout

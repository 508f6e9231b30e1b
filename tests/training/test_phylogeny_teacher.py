import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from simulated_study import simulate_study
from tasks import make_network

from q2_aam.config import TrainingConfig
from q2_aam.data.phylogeny import choose_clades, parse_newick
from q2_aam.data.tokens import START, Asvs, tokenize
from q2_aam.training.optim import build_optimizer
from q2_aam.training.phylogeny import Lesson, PhylogenyObjective
from q2_aam.training.references import clade_losses, start_from_tree

SCRIPT = Path(__file__).parents[2] / "recipe" / "encoder"
sys.path.insert(0, str(SCRIPT))
build = pytest.importorskip("build", reason="the installed package is tested, without recipes")
from draw import draw_reads  # noqa: E402 - beside the script


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
def lesson(study, clades):
    asvs = Asvs(*tokenize([study.dna[name] for name in study.counts]), 0, 0)
    return Lesson(asvs, list(study.counts), clades)


def objective_of(lesson, **settings) -> PhylogenyObjective:
    network = make_network(
        0, hidden_size=32, branches=16, branch_hidden_size=48, asv_tips=True,
        max_sequence_length=150, target=None,
    )  # fmt: skip
    training = TrainingConfig(batch_size=32, validation_size=0.0, **settings)
    return PhylogenyObjective(network, lesson, training)


@pytest.fixture(scope="module")
def references(lesson):
    return objective_of(lesson).references


@pytest.fixture(scope="module")
def starts():
    starts = np.stack([np.zeros(120, np.int64), np.full(120, 20)], axis=1)
    starts[::2, 1] = -1
    return starts


def test_reads_are_parts_of_their_organisms_under_their_clades(references, clades):
    rows = np.array([3, 3, 8])
    found = references.reads(rows, np.array([0, 20, 5]), 90).numpy()
    assert found.shape == (3, 91)
    assert (found[:, 0] == START).all()
    for read, row, begin in zip(found, rows, (0, 20, 5), strict=True):
        assert (read[1:] == references.tokens[row, begin : begin + 90].numpy()).all()
    targets = references.targets(np.arange(120)).numpy()
    for row, held in zip(clades.lineages, targets, strict=True):
        assert set(np.flatnonzero(held)) == set(row[row < 16])


def test_each_asv_is_read_once_an_epoch_whole_or_cut(lesson, references):
    objective, cut, begun = objective_of(lesson), [], []
    for epoch in range(12):
        steps = objective.batches(epoch, 32)
        assert sorted(np.concatenate([step.rows for step in steps])) == list(range(120))
        assert {objective.count(step) for step in steps} == {30}
        for step in steps:
            shortest = references.lengths[step.rows].min()
            assert (step.begin >= 0).all()
            assert (step.begin + step.length <= references.lengths[step.rows]).all()
            assert step.length >= round(0.6 * shortest)
            cut.append(step.length < shortest)
            begun += step.begin.tolist() if cut[-1] else []
    assert 0.3 < np.mean(cut) < 0.7
    assert len(set(begun)) > 20


def test_steps_hold_asvs_of_like_length_by_seed_and_epoch(lesson, references):
    steps = objective_of(lesson).batches(0, 12)
    spread = [np.ptp(references.lengths[step.rows]) for step in steps]
    assert np.mean(spread) < 0.5 * np.ptp(references.lengths)
    first, again = (objective_of(lesson).batches(2, 32) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    others = objective_of(lesson).batches(3, 32)
    others += objective_of(lesson, random_seed=1).batches(2, 32)
    assert not any(np.array_equal(first[0].rows, other.rows) for other in others)


def test_what_counts_more_is_learned_first(lesson, references):
    objective = objective_of(lesson)
    step = objective.batches(0, 32)[0]
    each = clade_losses(objective.network, references, step).detach().numpy()
    objective.weights = np.zeros(120, np.float32)
    objective.weights[step.rows[:2]] = 15
    loss = float(objective.losses(step, None, 1)["loss"])
    assert loss == pytest.approx(each[:2].sum() * 15 / 30, rel=1e-4)


def test_lengths_of_the_tree_are_those_of_the_branches(lesson, references, clades):
    network = objective_of(lesson).network
    start_from_tree(network, references, clades)
    assert np.allclose(network.distance_head.log_length.exp().detach(), clades.lengths)
    assert float(network.distance_head.log_tip_length.exp()) == pytest.approx(clades.tip_length)


def test_the_reference_is_read_behind_its_primers(references, starts):
    lengths, begun = set(), set()
    for step in range(60):
        reads = draw_reads(references.lengths, starts, np.arange(120), 120, 0, 0, step)
        rows, begin, length = reads
        assert (begin >= 0).all()
        assert (begin + length <= references.lengths[rows]).all()
        lengths.add(length)
        begun |= set(begin[rows % 2 == 0].tolist())
    assert min(lengths) >= 90
    assert max(lengths) <= 120
    assert len(lengths) > 10
    assert 0 in begun
    assert len(begun) > 20  # and some later: starts are cut off, too


def test_the_build_script_learns_the_clades_above_reads(lesson, references, clades, starts):
    objective, rows = objective_of(lesson), np.arange(120)
    training = TrainingConfig(epochs=40, batch_size=32, learning_rate=5e-3, schedule="one-cycle")
    first = draw_reads(references.lengths, starts, rows, 150, 0, 0, 0)
    start_from_tree(objective.network, references, clades, first)
    optimizer = build_optimizer(objective.network, training)
    losses = [
        build.train_epoch(
            objective.network, references, starts, rows, optimizer, training, epoch,
            contextlib.nullcontext,
        )
        for epoch in range(40)
    ]  # fmt: skip
    assert losses[-1] < 0.3 * losses[0]


def test_the_build_script_needs_neither_qiime2_nor_its_libraries():
    missing = ("qiime2", "q2_types", "biom", "skbio", "pandas", "sklearn", "altair", "accelerate")
    code = (
        f"import sys\nfor name in {missing!r}:\n    sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(SCRIPT)!r})\nimport build\nprint(build.main.__doc__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout

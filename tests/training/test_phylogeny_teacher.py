import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from simulated_study import simulate_study
from tasks import make_network

from q2_aam.config.training import TrainingConfig
from q2_aam.data.phylogeny import choose_clades, find_tips, parse_newick
from q2_aam.data.tokens import START, Asvs, tokenize
from q2_aam.training.optim import build_optimizer
from q2_aam.training.phylogeny import Lesson, PhylogenyObjective
from q2_aam.training.references import clade_losses, start_from_tree

SCRIPT = Path(__file__).parents[2] / "recipe" / "encoder"
sys.path.insert(0, str(SCRIPT))
build = pytest.importorskip("build", reason="the installed package is tested, without recipes")
from draw import draw_reads  # noqa: E402 - beside the script


@pytest.fixture(scope="module")
def lesson():
    study = simulate_study(6, 120, 3, (140, 150))
    phylogeny, names = parse_newick(str(study.tree)), list(study.counts)
    tips = find_tips(phylogeny, names)
    clades = choose_clades(phylogeny, tips, np.ones(len(tips), bool), 16, 4)
    return Lesson(Asvs(*tokenize(study.dna[names].tolist()), 0, 0), names, clades)


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


def test_reads_are_parts_of_their_organisms_under_their_clades(references, lesson):
    rows = np.array([3, 3, 8])
    found = references.reads(rows, np.array([0, 20, 5]), 90).numpy()
    assert found.shape == (3, 91)
    assert (found[:, 0] == START).all()
    for read, row, begin in zip(found, rows, (0, 20, 5), strict=True):
        assert (read[1:] == references.tokens[row, begin : begin + 90].numpy()).all()
    targets = references.targets(np.arange(120)).numpy()
    for row, held in zip(lesson.clades.lineages, targets, strict=True):
        assert set(np.flatnonzero(held)) == set(row[row < 16])


def test_each_asv_is_read_once_an_epoch_whole_or_cut_among_those_of_like_length(lesson, references):
    objective, cut, begun, spread = objective_of(lesson), [], [], []
    for epoch in range(12):
        steps = objective.batches(epoch, 32)
        assert sorted(np.concatenate([step.rows for step in steps])) == list(range(120))
        assert {objective.count(step) for step in steps} == {30}
        for step in steps:
            lengths = references.lengths[step.rows]
            assert (step.begin >= 0).all()
            assert (step.begin + step.length <= lengths).all()
            assert step.length >= round(0.6 * lengths.min())
            spread.append(np.ptp(lengths))
            cut.append(step.length < lengths.min())
            begun += step.begin.tolist() if cut[-1] else []
    assert 0.3 < np.mean(cut) < 0.7
    assert len(set(begun)) > 20
    assert np.mean(spread) < 0.5 * np.ptp(references.lengths)


def test_steps_follow_seed_and_epoch(lesson):
    drawn = [
        [part.tolist() for step in objective_of(lesson, random_seed=seed).batches(epoch, 32)
         for part in step[:2]]
        for seed, epoch in ((0, 2), (0, 2), (0, 3), (1, 2))
    ]  # fmt: skip
    assert drawn[0] == drawn[1]
    assert drawn[0] not in drawn[2:]


def test_what_counts_more_is_learned_first(lesson, references):
    objective = objective_of(lesson)
    step = objective.batches(0, 32)[0]
    each = clade_losses(objective.network, references, step).detach().numpy()
    objective.weights = np.zeros(120, np.float32)
    objective.weights[step.rows[:2]] = 15
    loss = float(objective.losses(step, None, 1)["loss"])
    assert loss == pytest.approx(each[:2].sum() * 15 / 30, rel=1e-4)


def test_lengths_of_the_tree_are_those_of_the_branches(lesson, references):
    network, clades = objective_of(lesson).network, lesson.clades
    start_from_tree(network, references, clades)
    head = network.distance_head
    assert np.allclose(head.log_length.exp().detach(), clades.lengths)
    assert float(head.log_tip_length.exp()) == pytest.approx(clades.tip_length)


def test_the_reference_is_read_behind_its_primers(references, starts):
    lengths, begun = set(), set()
    for step in range(60):
        given = (references.lengths, starts, np.arange(120), 120, 0, 0, step)
        rows, begin, length = draw_reads(*given)
        assert (begin >= 0).all()
        assert (begin + length <= references.lengths[rows]).all()
        lengths.add(length)
        begun |= set(begin[rows % 2 == 0].tolist())
    assert 90 <= min(lengths) < max(lengths) <= 120
    assert len(lengths) > 10
    assert 0 in begun
    assert len(begun) > 20  # and some later: starts are cut off, too


def test_the_build_script_learns_the_clades_above_reads(lesson, references, starts):
    objective, rows = objective_of(lesson), np.arange(120)
    training = TrainingConfig(epochs=40, batch_size=32, learning_rate=5e-3, schedule="one-cycle")
    first = draw_reads(references.lengths, starts, rows, 150, 0, 0, 0)
    start_from_tree(objective.network, references, lesson.clades, first)
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

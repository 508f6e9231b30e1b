"""The tree itself teaches an encoder which clades lie above a read; no matrix is needed."""

import dataclasses
import re

import numpy as np
import pytest
import qiime2
import quick_actions as quick
import simulated_study as sim
import skbio

from q2_aam.storage.model import read_boxed

MACHINE = {"threads": 1, "device": "cpu"}
SMALL = MACHINE | {
    "pretrained": "none", "hidden_size": 32, "heads": 2, "batch_size": 16, "learning_rate": 5e-3,
}  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return sim.simulate_study(samples=24, asvs=48, seed=5)


def tree_of(newick) -> qiime2.Artifact:
    return qiime2.Artifact.import_data(
        "Phylogeny[Rooted]", skbio.TreeNode.read([str(newick)], convert_underscores=False)
    )


@pytest.fixture(scope="module")
def teach(aam, study):
    def run(sequences=study.sequences, tree=None, **settings):
        given = SMALL | {"epochs": 2} | settings
        return aam.pretrain_from_phylogeny(sequences, tree or tree_of(study.tree), **given)

    return run


@pytest.fixture(scope="module")
def learned(teach, study, runs_of_models_made_once):
    return teach(table=study.select(study.counts.index[::2]).table, epochs=30)


def agreement(study, encoder) -> tuple[float, float, float]:
    """Compare predicted and true UniFrac of all pairs: r, the share explained, squared error."""
    predicted = quick.distances(study, encoder)
    actual = study.unifrac.filter(predicted.ids).condensed_form()
    error = np.square(predicted.condensed_form() - actual).mean()
    r = np.corrcoef(predicted.condensed_form(), actual)[0, 1]
    return r, 1 - error / actual.var(), error


def test_unifrac_of_unseen_samples_is_predicted_without_a_matrix(study, learned):
    seen, unseen = (study.select(study.counts.index[start::2]) for start in (0, 1))
    r, explained, _ = agreement(unseen, learned.encoder)
    assert r > 0.99
    assert explained > 0.95
    # the log holds the agreement of those that were given
    history = sim.history_of(learned)
    r, explained, _ = agreement(seen, learned.encoder)
    kept = history.loc[history["validation_unifrac_loss"].idxmin()]
    assert kept["validation_unifrac_r"] == pytest.approx(r, abs=1e-4)
    assert kept["validation_unifrac_r2"] == pytest.approx(explained, abs=1e-3)
    assert history["train_clade_loss"].iloc[-1] < 0.5 * history["train_clade_loss"].iloc[0]
    config, arrays = sim.model_of(learned)
    assert config.distance_state == "trained"
    assert config.asv_tips
    assert config.branches == len(arrays["distance_head.log_length"]) <= 47


def test_the_bundled_encoder_goes_on_with_other_branches(aam, study, capsys):
    found = aam.pretrain_from_phylogeny(
        study.sequences, tree_of(study.tree), epochs=1, learning_rate=1e-6, branches=9, **MACHINE
    )
    config, arrays = sim.model_of(found.encoder)
    boxed, before = read_boxed()
    assert config == dataclasses.replace(boxed, branches=9)
    assert np.abs(arrays["asv_encoder.positions.weight"]).max() > 0.1
    for name in arrays:
        if name.startswith(("asv_encoder", "asv_", "branches.widen")):
            assert np.allclose(arrays[name], before[name], atol=1e-4), name
    printed = capsys.readouterr().out
    assert "bundled encoder" in printed
    assert "ASVs used for training: 48" in printed


def test_a_run_killed_after_an_epoch_ends_as_an_unbroken_one(
    teach, study, monkeypatch, tmp_path, capsys
):
    from q2_aam.training.logger import TrainingLogger

    def run(folder):
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / folder))
        return teach(table=study.table, epochs=3, dropout=0.1)

    def killed(logger, progress):
        if len(progress.history) == 2:
            raise SystemExit

    unbroken = run("unbroken")
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(TrainingLogger, "on_epoch", killed)
        run("killed")
    capsys.readouterr()
    resumed = run("killed")
    assert "Resuming an interrupted run of this command after epoch 2" in capsys.readouterr().out
    assert sim.same_weights(resumed, unbroken)


def test_chunks_of_a_step_change_nothing_but_memory(teach):
    plain, chunked = (
        sim.history_of(teach(batch_size=one, gradient_accumulation=16 // one, validation_size=0.25))
        for one in (16, 4)
    )
    assert np.allclose(plain["train_clade_loss"], chunked["train_clade_loss"], rtol=1e-4)
    # without samples, held-out ASVs are scored
    assert plain["validation_clade_loss"].gt(0).all()
    assert not [name for name in plain if "unifrac" in name]


def test_a_matrix_of_another_tree_calibrates_the_branches(aam, study, learned):
    """Before the first epoch; a learning rate of 1e-6 changes nothing else."""
    random, tree = np.random.default_rng(0), study.tree.copy()
    for node in tree.postorder(include_self=False):
        node.length *= 9 ** random.uniform(-1, 1)
    other = sim.simulate_study(samples=60, asvs=48, seed=5).replaced(tree=tree)
    half, unseen = (other.select(other.counts.index[start::2]) for start in (0, 1))
    found = aam.pretrain(
        [half.table], [half.distances], sequences=[study.sequences], epochs=1, learning_rate=1e-6,
        initial_encoder=learned.encoder, validation_size=0.0, **MACHINE,
    )  # fmt: skip
    before, after = sim.model_of(learned)[1], sim.model_of(found)[1]
    for name, array in after.items():
        moved = np.abs(array - before[name]).max()
        assert moved < 1e-4 or name.startswith("distance_head"), name
    assert agreement(unseen, found.encoder)[2] < 0.6 * agreement(unseen, learned.encoder)[2]


def test_an_encoder_that_knows_a_tree_is_trained_gently(aam, study, learned):
    for given, expected in (
        ({"initial_encoder": learned.encoder}, {"epochs": 3, "learning_rate": 3e-4}),
        ({"pretrained": "none", "hidden_size": 8}, {"epochs": 40, "learning_rate": 3e-3}),
    ):
        given |= MACHINE | {"sequences": [study.sequences]}
        chosen = sim.settings_of(aam.pretrain([study.table], [study.distances], **given))
        assert {name: chosen[name] for name in expected} == {
            name: (value, "default") for name, value in expected.items()
        }


BAD_TREES = {  # how the Newick of a good tree is changed, and what is said of it
    "no tip": (lambda tree, names: tree.replace(names[0], "a"), ["1 sequence of 48", "{names[0]}"]),
    "other ids": (lambda tree, _: re.sub(r"([(,])([0-9a-f])", r"\1x\2", tree),
                  ["None of the 48 sequences"]),
    "no lengths": (lambda tree, _: re.sub(r":[0-9.]+", "", tree),
                   ["94 branches of 94", "no length"]),
    "a length missing": (lambda tree, _: re.sub(r":[0-9.]+", "", tree, count=1),
                         ["1 branch of 94", "no length"]),
    "only zeros": (lambda tree, _: re.sub(r":[0-9.]+", ":0.0", tree), ["length 0"]),
    "unrooted": (lambda tree, _: f"({tree.strip().rstrip(';')}:1,a:1,b:1);",
                 ["not rooted:", "3 branches"]),
    "a tip twice": (lambda tree, names: tree.replace(names[1], names[0]), ["name of another"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_TREES)
def test_trees_that_cannot_teach_are_refused_by_name(refused, teach, study, kind, tmp_path):
    (change, parts), names = BAD_TREES[kind], study.dna.index
    (tmp_path / "tree.nwk").write_text(change(str(study.tree), names))
    tree = qiime2.Artifact.import_data("Phylogeny[Rooted]", str(tmp_path / "tree.nwk"))
    refused(teach, *(part.format(names=names) for part in parts), tree=tree)


def test_what_cannot_be_learned_from_is_refused(refused, teach, study):
    one, some = study.dna.iloc[:1], sim.sequences_artifact(study.dna.iloc[:40])
    tree = tree_of(f"({one.index[0]}:1,other:1);")
    refused(teach, "no clade", sequences=sim.sequences_artifact(one), tree=tree)
    few = study.select(study.counts.index[:2])
    refused(teach, "2 samples: it takes 3", table=few.table)
    refused(teach, "8 features of 48", "no sequence", sequences=some, table=study.table)

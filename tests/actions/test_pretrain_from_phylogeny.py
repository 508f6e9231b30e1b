"""The tree itself teaches an encoder which clades lie above a read; no matrix is needed."""

import dataclasses
import re

import numpy as np
import pytest
import qiime2
import quick_actions as quick
import skbio
from simulated_study import history_of, log_of, model_of, sequences_artifact, simulate_study

from q2_aam.data.phylogeny import parse_newick
from q2_aam.errors import AAMError
from q2_aam.storage.model import read_boxed

MACHINE = {"threads": 1, "device": "cpu"}
SMALL = MACHINE | {
    "pretrained": "none", "hidden_size": 32, "heads": 2, "batch_size": 16, "learning_rate": 5e-3,
}  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return simulate_study(samples=24, asvs=48, seed=5)


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


def pairs(study, encoder) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted and true UniFrac of all pairs of samples."""
    predicted = quick.distances(study, encoder)
    return predicted.condensed_form(), study.unifrac.filter(predicted.ids).condensed_form()


def test_unifrac_of_unseen_samples_is_predicted_without_a_matrix(study, learned):
    predicted, actual = pairs(study.select(study.counts.index[1::2]), learned.encoder)
    assert np.corrcoef(predicted, actual)[0, 1] > 0.99
    assert 1 - np.square(predicted - actual).mean() / actual.var() > 0.95


def test_the_log_holds_the_agreement_with_scikit_bio(study, learned):
    history = history_of(learned)
    predicted, actual = pairs(study.select(study.counts.index[::2]), learned.encoder)
    kept = history.loc[history["validation_unifrac_loss"].idxmin()]
    r = np.corrcoef(predicted, actual)[0, 1]
    assert kept["validation_unifrac_r"] == pytest.approx(r, abs=1e-4)
    explained = 1 - np.square(predicted - actual).mean() / actual.var()
    assert kept["validation_unifrac_r2"] == pytest.approx(explained, abs=1e-3)
    assert history["train_clade_loss"].iloc[-1] < 0.5 * history["train_clade_loss"].iloc[0]
    config, arrays = model_of(learned.encoder)
    assert config.distance_state == "trained"
    assert config.asv_tips
    assert config.branches == len(arrays["distance_head.log_length"]) <= 47


def test_the_bundled_encoder_goes_on_with_other_branches(aam, study, capsys):
    found = aam.pretrain_from_phylogeny(
        study.sequences, tree_of(study.tree), epochs=1, learning_rate=1e-6, branches=9, **MACHINE
    )
    config, arrays = model_of(found.encoder)
    boxed, before = read_boxed()
    assert config == dataclasses.replace(boxed, branches=9)
    assert np.abs(arrays["asv_encoder.positions.weight"]).max() > 0.1
    for name in arrays:
        if name.startswith(("asv_encoder", "asv_", "branches.widen")):
            assert np.allclose(arrays[name], before[name], atol=1e-4), name
    said = capsys.readouterr().out
    assert "bundled encoder" in said
    assert "ASVs used for training: 48" in said


def test_without_samples_held_out_asvs_are_scored(teach):
    history = history_of(teach(validation_size=0.25, epochs=3))
    assert history["validation_clade_loss"].gt(0).all()
    assert not [name for name in history if "unifrac" in name]


def test_a_run_killed_after_an_epoch_ends_as_an_unbroken_one(
    teach, study, monkeypatch, tmp_path, capsys
):
    from q2_aam.training.logger import TrainingLogger

    def run(folder):
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / folder))
        return model_of(teach(table=study.table, epochs=3, dropout=0.1).encoder)[1]

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
    assert all(np.array_equal(resumed[name], array) for name, array in unbroken.items())


def test_chunks_of_a_step_change_nothing_but_memory(teach):
    plain, chunked = (
        history_of(teach(batch_size=size, gradient_accumulation=chunks))["train_clade_loss"]
        for size, chunks in ((16, 1), (4, 4))
    )
    assert np.allclose(plain, chunked, rtol=1e-4)


def test_a_matrix_of_another_tree_calibrates_the_branches(aam, study, learned):
    """Before the first epoch; a learning rate of 1e-6 changes nothing else."""
    random, tree = np.random.default_rng(0), study.tree.copy()
    for node in tree.postorder(include_self=False):
        node.length *= 9 ** random.uniform(-1, 1)
    other = dataclasses.replace(simulate_study(samples=60, asvs=48, seed=5), tree=tree)
    half, unseen = (other.select(other.counts.index[start::2]) for start in (0, 1))
    found = aam.pretrain(
        [half.table], [half.distances], sequences=[study.sequences], epochs=1, learning_rate=1e-6,
        initial_encoder=learned.encoder, validation_size=0.0, **MACHINE,
    )  # fmt: skip
    before, after = model_of(learned.encoder)[1], model_of(found.encoder)[1]
    for name, array in after.items():
        moved = np.abs(array - before[name]).max()
        assert moved < 1e-4 or name.startswith("distance_head"), name
    errors = []
    for encoder in (learned.encoder, found.encoder):
        predicted, actual = pairs(unseen, encoder)
        errors.append(np.square(predicted - actual).mean())
    assert errors[1] < 0.6 * errors[0]


def test_an_encoder_that_knows_a_tree_is_trained_gently(aam, study, learned):
    for given, expected in (
        ({"initial_encoder": learned.encoder}, {"epochs": 3, "learning_rate": 3e-4}),
        ({"pretrained": "none", "hidden_size": 8}, {"epochs": 40, "learning_rate": 3e-3}),
    ):
        found = aam.pretrain(
            [study.table], [study.distances], sequences=[study.sequences], **MACHINE | given
        )
        chosen = {one.name: (one.value, one.chosen_by) for one in log_of(found).settings}
        for name, value in expected.items():
            assert chosen[name] == (value, "default")


def lacking_tips(study) -> str:
    pruned = study.tree.shear(list(study.dna.index[2:]))
    pruned.prune()
    return str(pruned)


BAD_TREES = {  # and what is said of each
    "lacks tips": (lacking_tips, r"2 sequences of 48 are no tip .*{names[0]}"),
    "other ids": (
        lambda study: re.sub(r"([(,])([0-9a-f])", r"\1x\2", str(study.tree)),
        "None of the 48 sequences",
    ),
    "no lengths": (
        lambda study: re.sub(r":[0-9.]+", "", str(study.tree)), r"94 branches of 94 .* no length",
    ),
    "a length missing": (
        lambda study: re.sub(r":[0-9.]+", "", str(study.tree), count=1),
        r"1 branch of 94 .* no length",
    ),
    "only zeros": (lambda study: re.sub(r":[0-9.]+", ":0.0", str(study.tree)), "length 0"),
    "unrooted": (
        lambda study: f"({str(study.tree).strip().rstrip(';')}:1,a:1,b:1);",
        "not rooted: .* 3 branches",
    ),
    "a tip twice": (
        lambda study: str(study.tree).replace(study.dna.index[1], study.dna.index[0]),
        "name of another",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_TREES)
def test_trees_that_cannot_teach_are_refused_by_name(teach, study, kind, tmp_path):
    newick, said = BAD_TREES[kind]
    (tmp_path / "tree.nwk").write_text(newick(study))
    tree = qiime2.Artifact.import_data("Phylogeny[Rooted]", str(tmp_path / "tree.nwk"))
    with pytest.raises(AAMError, match=f"(?s){said.format(names=study.dna.index)}"):
        teach(tree=tree)


def test_what_cannot_be_learned_from_is_refused(teach, study):
    one = study.dna.iloc[:1]
    with pytest.raises(AAMError, match="no clade"):
        teach(sequences_artifact(one), tree_of(f"({one.index[0]}:1,other:1);"))
    with pytest.raises(AAMError, match="2 samples: it takes 3"):
        teach(table=study.select(study.counts.index[:2]).table)
    with pytest.raises(AAMError, match="8 features of 48 .* no sequence"):
        teach(sequences_artifact(study.dna.iloc[:40]), table=study.table)


def test_quoted_names_are_read_as_they_are(study):
    names = [f"{name}, a;b" for name in study.dna.index]
    newick = str(study.tree)
    for name, old in zip(names, study.dna.index, strict=True):
        newick = newick.replace(old, f"'{name}'")
    assert set(parse_newick(newick).tips()) == set(names)

"""The tree itself teaches an encoder which clades lie above a read; no matrix is needed."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import qiime2
import skbio
from simulated_study import model_of, sequences_artifact, simulate_study

from q2_aam.data.phylogeny import parse_newick
from q2_aam.errors import AAMError
from q2_aam.storage.boxed import read_boxed
from q2_aam.storage.training_log import read_training_log
from q2_aam.types import AAMTrainingLogDirectoryFormat

SMALL = {
    "pretrained": "none", "hidden_size": 32, "heads": 2, "threads": 1, "device": "cpu",
    "batch_size": 16, "learning_rate": 5e-3,
}  # fmt: skip
QUICK = SMALL | {"epochs": 2}


@pytest.fixture(scope="module")
def study():
    return simulate_study(samples=24, asvs=48, seed=5)


def tree_of(newick) -> qiime2.Artifact:
    return qiime2.Artifact.import_data(
        "Phylogeny[Rooted]", skbio.TreeNode.read([str(newick)], convert_underscores=False)
    )


@pytest.fixture(scope="module")
def tree(study):
    return tree_of(study.tree)


@pytest.fixture(scope="module")
def learned(aam, study, tree, runs_of_models_made_once):
    half = study.select(list(study.counts.index[::2]))
    return aam.pretrain_from_phylogeny(study.sequences, tree, table=half.table, epochs=30, **SMALL)


def history_of(found) -> pd.DataFrame:
    return found.training_log.view(qiime2.Metadata).to_dataframe()


def pairs(aam, study, encoder) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted and true UniFrac of all pairs of samples."""
    found = aam.predict_distances(study.table, model=encoder, sequences=study.sequences)
    predicted = found.distance_matrix.view(skbio.DistanceMatrix)
    upper = np.triu_indices(len(predicted.ids), 1)
    return predicted.data[upper], study.unifrac.filter(predicted.ids).data[upper]


def test_unifrac_of_unseen_samples_is_predicted_without_a_matrix(aam, study, learned):
    unseen = study.select(list(study.counts.index[1::2]))
    predicted, actual = pairs(aam, unseen, learned.encoder)
    assert np.corrcoef(predicted, actual)[0, 1] > 0.99
    assert 1 - np.square(predicted - actual).mean() / actual.var() > 0.95


def test_the_log_holds_the_agreement_with_scikit_bio(aam, study, learned):
    history, half = history_of(learned), study.select(list(study.counts.index[::2]))
    predicted, actual = pairs(aam, half, learned.encoder)
    kept = history["validation_unifrac_loss"].idxmin()
    r = np.corrcoef(predicted, actual)[0, 1]
    assert history.loc[kept, "validation_unifrac_r"] == pytest.approx(r, abs=1e-4)
    explained = 1 - np.square(predicted - actual).mean() / actual.var()
    assert history.loc[kept, "validation_unifrac_r2"] == pytest.approx(explained, abs=1e-3)
    assert history["train_clade_loss"].iloc[-1] < 0.5 * history["train_clade_loss"].iloc[0]


def test_what_is_learned_is_a_model_like_any_other(learned):
    config, arrays = model_of(learned.encoder)
    assert config.distance_state == "trained"
    assert config.asv_tips
    assert config.branches == len(arrays["distance_head.log_length"]) <= 47


def test_the_bundled_encoder_goes_on_with_other_branches(aam, study, tree, capsys):
    found = aam.pretrain_from_phylogeny(
        study.sequences, tree, epochs=1, learning_rate=1e-6, branches=9, threads=1, device="cpu"
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


def test_without_samples_held_out_asvs_are_scored(aam, study, tree):
    found = aam.pretrain_from_phylogeny(
        study.sequences, tree, validation_size=0.25, **QUICK | {"epochs": 3}
    )
    history = history_of(found)
    assert history["validation_clade_loss"].gt(0).all()
    assert not [name for name in history if "unifrac" in name]


def test_a_run_killed_after_an_epoch_ends_as_an_unbroken_one(
    aam, study, tree, monkeypatch, tmp_path, capsys
):
    from q2_aam.training.logger import TrainingLogger

    def run(folder):
        monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / folder))
        found = aam.pretrain_from_phylogeny(
            study.sequences, tree, table=study.table, **QUICK | {"epochs": 3, "dropout": 0.1}
        )
        return model_of(found.encoder)[1]

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


def test_chunks_of_a_step_change_nothing_but_memory(aam, study, tree):
    plain, chunked = (
        aam.pretrain_from_phylogeny(
            study.sequences, tree, **QUICK | {"batch_size": size, "gradient_accumulation": chunks}
        )
        for size, chunks in ((16, 1), (4, 4))
    )
    before, after = (history_of(found)["train_clade_loss"] for found in (plain, chunked))
    assert np.allclose(before, after, rtol=1e-4)


def test_a_matrix_of_another_tree_calibrates_the_branches(aam, study, learned):
    """Before the first epoch; a learning rate of 1e-6 changes nothing else."""
    random, other = np.random.default_rng(0), study.tree.copy()
    for node in other.postorder(include_self=False):
        node.length *= 9 ** random.uniform(-1, 1)
    more = simulate_study(samples=60, asvs=48, seed=5)
    other = dataclasses.replace(more, tree=other)
    ids = list(more.counts.index)
    half, unseen = other.select(ids[::2]), other.select(ids[1::2])
    found = aam.pretrain(
        [half.table], [half.distances], sequences=[study.sequences], threads=1, device="cpu",
        initial_encoder=learned.encoder, epochs=1, learning_rate=1e-6, validation_size=0.0,
    )  # fmt: skip
    before, after = model_of(learned.encoder)[1], model_of(found.encoder)[1]
    for name, array in after.items():
        moved = np.abs(array - before[name]).max()
        assert moved < 1e-4 or name.startswith("distance_head"), name
    errors = []
    for encoder in (learned.encoder, found.encoder):
        predicted, actual = pairs(aam, unseen, encoder)
        errors.append(np.square(predicted - actual).mean())
    assert errors[1] < 0.6 * errors[0]


def test_an_encoder_that_knows_a_tree_is_trained_gently(aam, study, learned):
    settings = {}
    for given in ({"initial_encoder": learned.encoder}, {"pretrained": "none", "hidden_size": 8}):
        found = aam.pretrain(
            [study.table], [study.distances], sequences=[study.sequences], threads=1,
            device="cpu", **given,
        )  # fmt: skip
        log = found.training_log.view(AAMTrainingLogDirectoryFormat)
        shown = read_training_log(str(log)).settings
        chosen = {one.name: (one.value, one.chosen_by) for one in shown}
        settings[len(settings)] = [chosen[name] for name in ("epochs", "learning_rate")]
    assert settings[0] == [(3, "default"), (3e-4, "default")]
    assert settings[1] == [(40, "default"), (3e-3, "default")]


def without(newick: str, pattern: str, to: str = "", count: int = 0) -> str:
    return re.sub(pattern, to, newick, count=count)


def damaged(study) -> dict[str, tuple[str, str]]:
    """Trees that cannot teach, and what is said of each."""
    newick = str(study.tree)
    names = list(study.dna.index)
    pruned = study.tree.shear(names[2:])
    pruned.prune()
    return {
        "lacks tips": (str(pruned), rf"2 sequences of 48 are no tip .*{names[0]}"),
        "other ids": (without(newick, r"([(,])([0-9a-f])", r"\1x\2"), "None of the 48 sequences"),
        "no lengths": (without(newick, r":[0-9.]+"), r"94 branches of 94 .* no length"),
        "a length missing": (without(newick, r":[0-9.]+", count=1), r"1 branch of 94 .* no length"),
        "only zeros": (without(newick, r":[0-9.]+", ":0.0"), "length 0"),
        "unrooted": (f"({newick.strip().rstrip(';')}:1,a:1,b:1);", "not rooted: .* 3 branches"),
        "a tip twice": (newick.replace(names[1], names[0]), "name of another"),
    }


@pytest.mark.parametrize(
    "kind",
    ["lacks tips", "other ids", "no lengths", "a length missing", "only zeros", "unrooted",
     "a tip twice"],
)  # fmt: skip
def test_trees_that_cannot_teach_are_refused_by_name(aam, study, kind, tmp_path):
    newick, said = damaged(study)[kind]
    (tmp_path / "tree.nwk").write_text(newick)
    phylogeny = qiime2.Artifact.import_data("Phylogeny[Rooted]", str(tmp_path / "tree.nwk"))
    with pytest.raises(AAMError, match=f"(?s){said}"):
        aam.pretrain_from_phylogeny(study.sequences, phylogeny, **QUICK)


def test_a_tree_without_clades_is_refused(aam, study):
    two = study.dna.iloc[:1]
    phylogeny = tree_of(f"({two.index[0]}:1,other:1);")
    with pytest.raises(AAMError, match="no clade"):
        aam.pretrain_from_phylogeny(sequences_artifact(two), phylogeny, **QUICK)


def test_two_samples_cannot_be_judged_by(aam, study, tree):
    few = study.select(list(study.counts.index[:2]))
    with pytest.raises(AAMError, match="2 samples: it takes 3"):
        aam.pretrain_from_phylogeny(study.sequences, tree, table=few.table, **QUICK)


def test_features_without_a_sequence_are_named(aam, study, tree):
    some = sequences_artifact(study.dna.iloc[:40])
    with pytest.raises(AAMError, match="8 features of 48 .* no sequence"):
        aam.pretrain_from_phylogeny(some, tree, table=study.table, **QUICK)


def test_quoted_names_are_read_as_they_are(study):
    names = [f"{name}, a;b" for name in study.dna.index]
    newick = str(study.tree)
    for name, old in zip(names, study.dna.index, strict=True):
        newick = newick.replace(old, f"'{name}'")
    assert set(parse_newick(newick).tips()) == set(names)

"""What the demo's final page recorded is enough to make its predictions anew."""

import pandas as pd
import pytest
import qiime2
from provenance_replay import Replay, replay_predictions
from qiime2.sdk import PluginManager
from simulated_study import QUICK_FIT, TINY
from small_demo import compute_unifrac, write_small_demo


@pytest.fixture(scope="module")
def demo(aam, tmp_path_factory, runs_of_models_made_once):
    """The demo's steps from the UniFrac matrix to the final page, on a smaller table."""
    folder = tmp_path_factory.mktemp("demo")
    write_small_demo(folder, samples=30, asvs=60)
    table, sequences, tree = (
        qiime2.Artifact.load(str(folder / name))
        for name in ("table.qza", "rep-seqs.qza", "rooted-tree.qza")
    )
    metadata = qiime2.Metadata.load(str(folder / "metadata.tsv"))
    month, child = metadata.get_column("month"), metadata.get_column("studyid")
    unifrac = compute_unifrac(table, tree)
    encoder = aam.pretrain([table], [unifrac], sequences=[sequences], **TINY).encoder
    split = aam.split_samples(table, month, groups=child, test_size=0.25)
    regressor = aam.fit_regressor(
        split.training_table, month, sequences=sequences, encoder=encoder, groups=child,
        random_seed=7, **QUICK_FIT,
    ).regressor  # fmt: skip
    predicted = aam.predict_regression(split.test_table, regressor, sequences=sequences)
    (page,) = aam.evaluate_regression(predicted.predictions, month, intervals=predicted.intervals)
    page.save(str(folder / "evaluation.qzv"))
    return {
        "page": folder / "evaluation.qzv",
        "given": {str(one.uuid): one for one in (table, sequences, unifrac)},
        "predictions": predicted.predictions.view(pd.Series),
    }


def test_the_recorded_actions_and_parameters_give_the_same_predictions(demo):
    replay, replayed = replay_predictions(demo["page"], demo["given"])
    pd.testing.assert_series_equal(replayed, demo["predictions"], check_exact=True)
    assert len(replay.executions) == 4  # pretrain, split, fit, predict


def test_every_parameter_is_recorded_also_those_left_at_their_defaults(demo):
    replay = Replay(demo["page"], demo["given"])
    seen, waiting = set(), [replay.final]
    while waiting:
        uuid = waiting.pop()
        if uuid in demo["given"] or uuid is None:
            continue
        record = replay.record_of(uuid)
        signature = PluginManager().plugins["aam"].actions[record.action].signature
        assert set(record.parameters) == set(signature.parameters), record.action
        assert set(record.inputs) == set(signature.inputs), record.action
        seen.add(record.action)
        for value in record.inputs.values():
            waiting += value if isinstance(value, list) else [value]
    assert seen == {
        "pretrain", "split_samples", "fit_regressor", "predict_regression", "evaluate_regression"
    }  # fmt: skip


def test_another_recorded_seed_would_give_other_predictions(demo, monkeypatch):
    read = Replay.read

    def other_seed(self, uuid, name):
        return read(self, uuid, name).replace(b"random_seed: 7", b"random_seed: 8")

    monkeypatch.setattr(Replay, "read", other_seed)
    _, replayed = replay_predictions(demo["page"], demo["given"])
    assert not replayed.equals(demo["predictions"])

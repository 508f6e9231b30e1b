"""What the demo's final page recorded is enough to make its predictions anew."""

import re
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import qiime2
import yaml
from qiime2.sdk import PluginManager
from simulated_study import QUICK_FIT, TINY, values_of


def read_yaml(text: str) -> dict:
    """Read a record of QIIME 2; a file of metadata, which lies beside it, as {"file": its name}."""
    text = re.sub(r"!metadata '(?:.*:)?(.+)'", r"{file: \1}", text)  # "uuid:file" if an artifact
    return yaml.safe_load(re.sub(r"!(ref|cite|set|color|no-provenance)\b", "", text))


class Replay:
    """Makes the results anew that led to a result, a .qza or .qzv file.

    `given`, by UUID, are taken as they are: they were imported, or made by others.
    """

    def __init__(self, path: Path, given: dict[str, qiime2.Artifact]):
        self.archive = zipfile.ZipFile(path)
        self.final = self.archive.namelist()[0].split("/")[0]
        self.given, self.executions, self.records = given, {}, []

    def read(self, uuid: str, name: str) -> bytes:
        """Read a file beside the record of the action that made a result."""
        place = "" if uuid == self.final else f"artifacts/{uuid}/"
        return self.archive.read(f"{self.final}/provenance/{place}action/{name}")

    def record_of(self, uuid: str) -> SimpleNamespace:
        """Return what was recorded of the action that made a result."""
        content = read_yaml(self.read(uuid, "action.yaml").decode())
        action = content["action"]
        inputs, parameters = (
            {name: value for one in action[kind] for name, value in one.items()}
            for kind in ("inputs", "parameters")
        )
        actions = PluginManager().plugins[action["plugin"].split(":")[-1]].actions
        return SimpleNamespace(
            execution=content["execution"]["uuid"], action=actions[action["action"]],
            inputs=inputs, parameters=parameters, output=action["output-name"],
        )  # fmt: skip

    def result_of(self, uuid):
        """Return a result, or a list of them, made anew unless it was given."""
        if isinstance(uuid, list):
            return [self.result_of(one) for one in uuid]
        if uuid is None or uuid in self.given:
            return self.given.get(uuid)
        record = self.record_of(uuid)
        if record.execution not in self.executions:
            self.executions[record.execution] = self.run(uuid, record)
        return getattr(self.executions[record.execution], record.output)

    def run(self, uuid: str, record: SimpleNamespace):
        """Run a recorded action; every parameter is given, so no default has a say."""
        self.records.append(record)
        given = {name: self.result_of(value) for name, value in record.inputs.items()}
        for name, value in record.parameters.items():
            given[name] = self.column(uuid, value["file"]) if isinstance(value, dict) else value
        return record.action(**given)

    def column(self, uuid: str, name: str) -> qiime2.MetadataColumn:
        """Read recorded metadata; all that the demo gives are columns."""
        with tempfile.NamedTemporaryFile(suffix=".tsv") as file:
            file.write(self.read(uuid, name))
            file.flush()
            metadata = qiime2.Metadata.load(file.name)
        return metadata.get_column(*metadata.columns)

    def predictions(self) -> pd.Series:
        """Make the predictions anew that an evaluation page shows."""
        page = self.record_of(self.final)
        self.records.append(page)
        return values_of(self.result_of(page.inputs["predictions"]))


@pytest.fixture(scope="module")
def demo(aam, study, tmp_path_factory, runs_of_models_made_once):
    """Take the demo's steps to the final page on a small study: page, inputs, predictions."""
    table, sequences, unifrac = study.table, study.sequences, study.distances
    age, child = study.age_column, study.subject_column
    encoder = aam.pretrain([table], [unifrac], sequences=[sequences], **TINY).encoder
    split = aam.split_samples(table, age, groups=child, test_size=0.25)
    regressor = aam.fit_regressor(
        split.training_table, age, sequences=sequences, encoder=encoder, groups=child,
        random_seed=7, **QUICK_FIT,
    ).regressor  # fmt: skip
    predicted = aam.predict_regression(split.test_table, regressor, sequences=sequences)
    (page,) = aam.evaluate_regression(predicted.predictions, age, intervals=predicted.intervals)
    given = {str(one.uuid): one for one in (table, sequences, unifrac)}
    path = page.save(str(tmp_path_factory.mktemp("demo") / "evaluation.qzv"))
    return path, given, values_of(predicted.predictions)


def test_the_recorded_actions_and_parameters_give_the_same_predictions(demo):
    """Every parameter is recorded, also those left at their defaults."""
    page, given, predictions = demo
    replay = Replay(page, given)
    pd.testing.assert_series_equal(replay.predictions(), predictions, check_exact=True)
    assert [record.action.id for record in replay.records] == [
        "evaluate_regression", "predict_regression", "split_samples", "fit_regressor", "pretrain",
    ]  # fmt: skip
    for record in replay.records:
        signature = record.action.signature
        assert set(record.parameters) == set(signature.parameters), record.action.id
        assert set(record.inputs) == set(signature.inputs), record.action.id


def test_another_recorded_seed_would_give_other_predictions(demo, monkeypatch):
    page, given, predictions = demo
    read = Replay.read

    def other_seed(self, uuid, name):
        return read(self, uuid, name).replace(b"random_seed: 7", b"random_seed: 8")

    monkeypatch.setattr(Replay, "read", other_seed)
    assert not Replay(page, given).predictions().equals(predictions)

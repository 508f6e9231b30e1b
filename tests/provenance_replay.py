"""Run again what a result recorded: its actions, with the parameters and metadata recorded.

``python tests/provenance_replay.py FOLDER`` does so with the final page of a demo in FOLDER.
"""

import os
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import qiime2
import yaml
from qiime2.sdk import PluginManager


class _MetadataFile(str):
    """The name of a file of metadata that lies beside the record of an action."""


class _Loader(yaml.SafeLoader):
    """Reads QIIME 2's own tags as what they hold."""


def _construct(loader, tag, node):
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    value = loader.construct_scalar(node)
    # "uuid:file" if the metadata was itself an artifact
    return _MetadataFile(value.split(":")[-1]) if tag == "metadata" else value


# The framework registers readers of its tags for all of YAML, which look for files here and now.
_Loader.yaml_constructors = {
    tag: reader
    for tag, reader in yaml.SafeLoader.yaml_constructors.items()
    if not str(tag).startswith("!")
}
_Loader.add_multi_constructor("!", _construct)


@dataclass(frozen=True)
class Record:
    """What a result says of the action that made it."""

    execution: str
    plugin: str
    action: str
    inputs: dict
    parameters: dict
    output: str


class Replay:
    """Makes the results anew that led to a result.

    Parameters
    ----------
    path : Path
        A result: a .qza or .qzv file.
    given : dict of str to Artifact
        By UUID: artifacts that are taken as they are, because they were imported or made by
        others.
    """

    def __init__(self, path: Path, given: dict):
        self.archive = zipfile.ZipFile(path)
        self.final = self.archive.namelist()[0].split("/")[0]
        self.given = given
        self.executions = {}

    def read(self, uuid: str, name: str) -> bytes:
        """Read a file beside the record of the action that made a result."""
        place = "" if uuid == self.final else f"artifacts/{uuid}/"
        return self.archive.read(f"{self.final}/provenance/{place}action/{name}")

    def record_of(self, uuid: str) -> Record:
        """Return what was recorded of the action that made a result."""
        content = yaml.load(self.read(uuid, "action.yaml"), Loader=_Loader)
        action = content["action"]
        return Record(
            content["execution"]["uuid"],
            action["plugin"].split(":")[-1],
            action["action"],
            {name: value for one in action["inputs"] for name, value in one.items()},
            {name: value for one in action["parameters"] for name, value in one.items()},
            action["output-name"],
        )

    def result_of(self, uuid: str) -> qiime2.Artifact:
        """Return a result, made anew unless it was given."""
        if uuid in self.given:
            return self.given[uuid]
        record = self.record_of(uuid)
        if record.execution not in self.executions:
            self.executions[record.execution] = self.run(uuid, record)
        return getattr(self.executions[record.execution], record.output)

    def run(self, uuid: str, record: Record):
        """Run a recorded action; every parameter is given, so no default has a say."""
        action = PluginManager().plugins[record.plugin].actions[record.action]
        inputs = {
            name: [self.result_of(one) for one in value]
            if isinstance(value, list)
            else self.result_of(value)
            for name, value in record.inputs.items()
            if value is not None
        }
        parameters = {
            name: self.metadata(uuid, value, action.signature.parameters[name])
            if isinstance(value, _MetadataFile)
            else value
            for name, value in record.parameters.items()
        }
        return action(**inputs, **parameters)

    def metadata(self, uuid: str, name: str, spec):
        """Read recorded metadata, as a column if the action takes a column."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "metadata.tsv"
            path.write_bytes(self.read(uuid, name))
            metadata = qiime2.Metadata.load(str(path))
        if not str(spec.qiime_type).startswith("MetadataColumn"):
            return metadata
        (column,) = metadata.columns
        return metadata.get_column(column)


def replay_predictions(page: Path, given: dict) -> tuple[Replay, pd.Series]:
    """Make the predictions anew that an evaluation page shows."""
    replay = Replay(page, given)
    predictions = replay.result_of(replay.record_of(replay.final).inputs["predictions"])
    return replay, predictions.view(pd.Series)


def main(folder: Path) -> None:
    """Replay the demo: whatever other plugins made of its files is given."""
    artifacts = [qiime2.Artifact.load(str(path)) for path in folder.glob("*.qza")]
    page = folder / "evaluation.qzv"
    recorded = Replay(page, {})
    made_by_us = {
        name.split("/")[3]
        for name in recorded.archive.namelist()
        if name.endswith("action/action.yaml")
        and "/artifacts/" in name
        and b"plugins:aam'\n    action" in recorded.archive.read(name)
    }
    given = {str(one.uuid): one for one in artifacts if str(one.uuid) not in made_by_us}
    with tempfile.TemporaryDirectory() as runs:
        # The state of the demo's own runs would spare the training that is to be repeated.
        os.environ["Q2_AAM_RUN_DIR"] = runs
        replay, replayed = replay_predictions(page, given)
    shown = qiime2.Artifact.load(str(folder / "predictions.qza")).view(pd.Series)
    pd.testing.assert_series_equal(shown, replayed, check_exact=True)
    print(
        f"Replayed {len(replay.executions)} recorded actions of q2-aam: "
        f"all {len(replayed)} predictions of {page.name} are equal."
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Row 3: what an artifact of a stranger holds is never run, and nothing appears beside it."""

import contextlib
import io
import json
import os
import pickle
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import qiime2
from archives import Archive, fitting_manifest
from golden_models import read_inputs
from qiime2.plugin import ValidationError
from trials import pick, repeat

from q2_aam.errors import AAMError
from q2_aam.types import AAMModelDirectoryFormat, AAMTrainingLogDirectoryFormat

pytestmark = pytest.mark.usefixtures("own_artifact_cache")
EVENTS = [f"tensorboard/{part}/events.out.tfevents.aam" for part in ("train", "validation")]
MODEL_SLOTS = ["config.json", "weights.safetensors", "manifest.json"]
LOG_SLOTS = ["history.tsv", "settings.json", "summary.json", *EVENTS]
SLOTS = [*MODEL_SLOTS, *LOG_SLOTS]
NAMED_IN = ("config.json", "settings.json", "summary.json")

# --- what a piece of code starts, unpickles and writes, seen through Python's audit events --------

_STARTS = (
    "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "subprocess.Popen",
    "pickle.find_class", "socket.connect", "code.__new__",
)  # fmt: skip
_APPEARS = {"os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1, "os.truncate": 0}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_seen: list[tuple[str, str]] | None = None
_allowed: tuple[str, ...] = ()


def _outside(path) -> bool:
    if isinstance(path, int) or path is None:
        return False
    whole = os.path.realpath(os.fsdecode(path))
    return not whole.startswith(_allowed)


def _hook(event: str, arguments: tuple) -> None:
    if _seen is None:
        return
    if event in _STARTS or event in _APPEARS and _outside(arguments[_APPEARS[event]]):
        _seen.append((event, str(arguments)[:200]))
    elif event == "open":
        path, mode, flags = arguments
        writes = set(mode or "") & set("wax+") or (isinstance(flags, int) and flags & _WRITING)
        if writes and _outside(path):
            _seen.append((event, str(path)))


sys.addaudithook(_hook)


@contextlib.contextmanager
def watched(*allowed: Path):
    """Collect what is started, and what is written outside of some folders: event and subject."""
    global _seen, _allowed
    _allowed = (*(os.path.realpath(folder) + os.sep for folder in allowed), "/dev/null")
    _seen = found = []
    try:
        yield found
    finally:
        _seen = None


# --- what a stranger could put into an artifact ---------------------------------------------------


class Canary:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


def pickled(canary: Path, protocol: int, wrapped: str) -> bytes:
    """Pickle a canary, bare or as NumPy or PyTorch wrap pickles."""
    content = pickle.dumps({"state_dict": Canary(canary)}, protocol)
    file = io.BytesIO()
    if wrapped == "npy":
        np.save(file, np.array([Canary(canary)], dtype=object), allow_pickle=True)
    elif wrapped == "pt":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", content)
            archive.writestr("archive/version", "3\n")
    return file.getvalue() or content


def names_of_classes(command: str) -> list[dict]:
    """Tables that other loaders take as an order to build an object."""
    return [
        {"__class__": "os.system", "args": [command]},
        {"__reduce__": ["os.system", [command]]},
        {"py/object": "os.system", "py/newargs": [command]},
        {"py/reduce": [{"py/function": "os.system"}, {"py/tuple": [command]}]},
        {"_target_": "os.system", "command": command},
        {"class_path": "os.system", "init_args": {"command": command}},
        {"!!python/object/apply:os.system": [command]},
        {"__import__('os').system": command},
    ]


def path_like(canary: Path) -> list[str]:
    """Strings that lead elsewhere, or that a shell or a template would run."""
    up = "../" * 20
    return [
        str(canary), f"{up}{canary}", "../canary", "~/canary", f"file://{canary}",
        f"$(touch '{canary}')", f"`touch '{canary}'`", f"; touch '{canary}' #",
        f"{{{{ cycler.__init__.__globals__.os.system('touch {canary}') }}}}",
        f"{{% include '{canary}' %}}", f"<script src='{canary}'></script>", "con\u0000canary",
        f"=cmd|'touch {canary}'!A1",
    ]  # fmt: skip


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Folders in which the framework may write, and one with a file that nobody may read."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    shared = Path(tempfile.gettempdir()) / "qiime2"  # the framework's, in the threads of actions
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    (tmp_path / "secret").write_text("hidden")
    (tmp_path / "made").mkdir()
    return tmp_path, (scratch, tmp_path / "artifact-cache", shared)


def opened(aam, table, path: Path, page: bool = True) -> bool:
    """Open an artifact in the ways that a user has, and say whether it was accepted."""
    artifact = qiime2.Artifact.load(str(path))
    try:
        if str(artifact.type) == "AAMRegressor":
            found = aam.predict_regression(table, artifact, confidence_level=0.5)
            found.predictions.view(pd.Series)
        else:
            artifact.view(AAMTrainingLogDirectoryFormat)
            artifact.view(qiime2.Metadata)
            if page:  # which takes seconds
                aam.summarize_training(artifact)
    except (ValidationError, AAMError, qiime2.metadata.MetadataFileError) as error:
        framework = isinstance(error, qiime2.metadata.MetadataFileError)
        assert framework or len(str(error).splitlines()) <= 10
        return False
    return True


def poisoned(kind: str, archive, slot: str, canary: Path, random, number: int):
    """Change files of an archive, one of which is the slot, or put links beside them."""
    payload, links = archive.payload, {}
    contents = {name: json.loads(data) for name, data in payload.items() if name in NAMED_IN}
    match kind:
        case "pickles":
            wrapped = "bare" if number < 96 else pick(random, ["bare", "npy", "pt"])
            return {slot: pickled(canary, (number // 16) % 6, wrapped)}, links
        case "links":
            away = [str(canary.parent / "secret"), "../../../../canary", "/etc/passwd", "."]
            name = slot if random.random() < 0.7 else "extra"
            return ({slot: None} if name == slot else {}), {name: pick(random, away)}
        case "names of classes":
            slot = pick(random, [name for name in payload if name.endswith(".json")])
            order = pick(random, names_of_classes(f"touch '{canary}'"))
            content = json.loads(payload[slot])
            if isinstance(content, list):
                pick(random, content)["value"] = order
            else:
                tables = [content, *(one for one in content.values() if isinstance(one, dict))]
                inner = pick(random, tables)
                inner.update(order if random.random() < 0.5 else {pick(random, [*inner]): order})
            return {slot: json.dumps(content).encode()}, links
    text, changes = pick(random, path_like(canary)), {}
    if "config.json" in contents:
        contents["config.json"]["target"]["name"] = text
    else:
        summary = contents["summary.json"]
        summary["action"] = summary["stop_reason"] = summary["target"]["name"] = text
        pick(random, contents["settings.json"])[pick(random, ["name", "value", "why"])] = text
        if random.random() < 0.5:
            table = payload["history.tsv"].decode()
            changes["history.tsv"] = table.replace("train_loss", f"train_{text}").encode()
    return changes | {name: json.dumps(one).encode() for name, one in contents.items()}, links


def test_row_3_nothing_runs_and_nothing_appears(aam, golden, model_archive, log_archive, folders):
    table, _ = read_inputs(golden)
    folder, may_write = folders
    canary = folder / "canary"
    kinds = ["names of classes", "paths", "links"]
    beside = sorted(path.name for path in folder.iterdir())
    accepted = []

    def check(random, number):
        slot = SLOTS[(number // 2) % len(SLOTS)]
        archive: Archive = model_archive if slot in MODEL_SLOTS else log_archive
        kind = "pickles" if number % 2 == 0 else kinds[(number // 2) % 3]
        changes, links = poisoned(kind, archive, slot, canary, random, number)
        if changes.keys() & set(MODEL_SLOTS[:2]) and kind != "links":
            changes["manifest.json"] = fitting_manifest(archive.payload | changes)
        path = archive.rebuilt(folder / "made", changes, links)
        with watched(*may_write) as seen:
            read = opened(aam, table, path, page=number % 20 == 3)
        assert not seen, f"{kind}: {seen}"
        assert sorted(one.name for one in folder.iterdir()) == beside
        if kind == "pickles" and slot not in EVENTS:
            assert not read, slot
        accepted.append(read)
        path.unlink()

    for archive in (model_archive, log_archive):  # imports what it needs
        assert opened(aam, table, archive.rebuilt(folder / "made", {}))
    repeat(check, 40, 400, seed=3)
    assert any(accepted)
    assert not all(accepted)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("wrapped", ["bare", "npy"])
def test_the_canaries_sing_and_are_heard(tmp_path, protocol, wrapped):
    content = pickled(tmp_path / "canary", protocol, wrapped)
    with watched(tmp_path / "scratch") as seen:
        if wrapped == "npy":
            np.load(io.BytesIO(content), allow_pickle=True)
        else:
            pickle.loads(content)
        (tmp_path / "beside").write_text("x")
    assert (tmp_path / "canary").exists()
    events = [event for event, _ in seen]
    assert {"pickle.find_class", "os.system", "open"} <= set(events)


@pytest.mark.parametrize("slot", SLOTS)
def test_row_3_links_in_a_folder_are_refused(model_archive, log_archive, tmp_path, slot):
    is_model = slot in MODEL_SLOTS
    archive = model_archive if is_model else log_archive
    view = AAMModelDirectoryFormat if is_model else AAMTrainingLogDirectoryFormat
    folder = tmp_path / "folder"
    archive.write_payload(folder)
    view(str(folder), mode="r").validate()
    (folder / slot).rename(tmp_path / "elsewhere")
    (folder / slot).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValidationError, match=Path(slot).name):
        view(str(folder), mode="r").validate()

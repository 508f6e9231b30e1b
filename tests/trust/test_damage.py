"""Row 1: whatever happens to a file, no other weights are read, and the refusal names the file."""

import time

import numpy as np
import pytest
import qiime2
from archives import Archive, fitting_manifest
from qiime2.plugin import ValidationError
from simulated_study import model_of
from trials import repeat

from q2_aam.errors import AAMError
from q2_aam.storage.training_log import read_training_log
from q2_aam.types import AAMTrainingLogDirectoryFormat

pytestmark = pytest.mark.usefixtures("own_artifact_cache")
LONGEST = 5.0  # seconds


def damage(content: bytes, random: np.random.Generator) -> bytes:
    """Flip bits of a file, cut its end off, or insert, blank or move bytes."""
    place, length = int(random.integers(len(content))), int(random.integers(1, 64))
    before, part, behind = content[:place], content[place:][:length], content[place + length :]
    kind = random.choice(["flip", "flip", "cut", "insert", "blank", "move"])
    if kind == "flip":
        changed = bytearray(content)
        for place in random.integers(len(content), size=random.integers(1, 4)):
            changed[place] ^= 1 << random.integers(8)
        return bytes(changed)
    return {
        "cut": before,
        "insert": before + random.bytes(length) + content[place:],
        "blank": before + bytes(len(part)) + behind,
        "move": before + behind + part,
    }[kind]


def read_within_limit(read, path):
    """Read a rebuilt artifact; return what came out, or the refusal."""
    artifact = qiime2.Artifact.load(str(path))
    started = time.perf_counter()
    try:
        found, refusal = read(artifact), None
    except (ValidationError, AAMError) as error:
        found, refusal = None, str(error)
    finally:
        path.unlink()
    assert time.perf_counter() - started < LONGEST
    return found, refusal


def check_refusal(refusal: str, name: str) -> None:
    assert "damaged" in refusal, refusal
    # a changed sum in the manifest makes another file differ from it
    assert name in refusal or (name == "manifest.json" and "the manifest says" in refusal), refusal
    assert len(refusal.splitlines()) <= 10, refusal


def test_row_1_no_damage_changes_the_weights(model_archive: Archive, regressor, tmp_path):
    config, arrays = model_of(regressor)
    names = sorted(model_archive.payload)
    refused = []

    def check(random, number):
        name = names[number % len(names)]
        changes = {name: damage(model_archive.payload[name], random)}
        path = model_archive.rebuilt(tmp_path, changes)
        found, refusal = read_within_limit(model_of, path)
        if refusal is None:
            assert found[0] == config
            assert found[1].keys() == arrays.keys()
            assert all(np.array_equal(found[1][name], arrays[name]) for name in arrays)
        else:
            check_refusal(refusal, name)
        refused.append(refusal is not None)

    repeat(check, 60, 3000)
    assert np.mean(refused) > 0.8  # what is left are blanks of the manifest


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors", "manifest.json"])
def test_row_1_actions_refuse_damage_too(aam, golden_table, model_archive, tmp_path, name):
    content = bytearray(model_archive.payload[name])
    content[len(content) // 2] ^= 1
    path = model_archive.rebuilt(tmp_path, {name: bytes(content)})
    damaged = qiime2.Artifact.load(str(path))
    for predict in (aam.predict_regression, aam.predict_distances):
        with pytest.raises((ValidationError, AAMError)) as caught:
            predict(golden_table, damaged)
        check_refusal(str(caught.value), name)


def check_log(archive: Archive, accepted, tmp_path) -> None:
    """Damage a training log again and again; hold what is read to `accepted`."""
    names = sorted(archive.payload)

    def read(artifact):
        return read_training_log(str(artifact.view(AAMTrainingLogDirectoryFormat)))

    def check(random, number):
        name = names[number % len(names)]
        changes = {name: damage(archive.payload[name], random)}
        found, refusal = read_within_limit(read, archive.rebuilt(tmp_path, changes))
        if refusal is None:
            accepted(found)
        else:
            check_refusal(refusal, name)

    repeat(check, 30, 1000, seed=1)


def test_row_1_no_damage_changes_a_training_log(log_archive: Archive, tmp_path):
    manifest = fitting_manifest(log_archive.payload)
    archive = Archive(log_archive.identity, log_archive.files | {"data/manifest.json": manifest})
    archive.write_payload(tmp_path)
    sound = read_training_log(tmp_path)

    def accepted(found):
        assert found.history.equals(sound.history)
        assert (found.settings, found.summary) == (sound.settings, sound.summary)

    check_log(archive, accepted, tmp_path)


def test_row_1_a_damaged_training_log_without_sums_is_refused_by_name_or_read(
    log_archive: Archive, tmp_path
):
    """As first versions wrote it: a changed digit is another number, but nothing else comes out."""

    def accepted(found):
        assert not np.isinf(found.history.to_numpy()).any()
        assert found.history.index.is_unique

    unsealed = {k: v for k, v in log_archive.files.items() if k != "data/manifest.json"}
    check_log(Archive(log_archive.identity, unsealed), accepted, tmp_path)

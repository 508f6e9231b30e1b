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
MANIFEST = "data/manifest.json"


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


def damage_all(archive: Archive, folder, read, accept, small: int, full: int) -> float:
    """Damage each file again and again; return the share refused, and `accept` what was read."""
    names, refused = sorted(archive.payload), []

    def check(random, number):
        name = names[number % len(names)]
        path = archive.rebuilt(folder, {name: damage(archive.payload[name], random)})
        artifact = qiime2.Artifact.load(str(path))
        started = time.perf_counter()
        try:
            found = read(artifact)
        except (ValidationError, AAMError) as error:
            refusal = str(error)
            assert "damaged" in refusal, refusal
            # a changed sum in the manifest makes another file differ from it
            named = name in refusal or (name in MANIFEST and "the manifest says" in refusal)
            assert named and len(refusal.splitlines()) <= 10, refusal
            refused.append(True)
        else:
            accept(found)
            refused.append(False)
        assert time.perf_counter() - started < LONGEST
        path.unlink()

    repeat(check, small, full)
    return np.mean(refused)


def test_row_1_no_damage_changes_the_weights(model_archive: Archive, regressor, tmp_path):
    config, arrays = model_of(regressor)

    def accept(found):
        assert found[0] == config
        assert found[1].keys() == arrays.keys()
        assert all(np.array_equal(found[1][name], arrays[name]) for name in arrays)

    # what is left are blanks of the manifest
    assert damage_all(model_archive, tmp_path, model_of, accept, 60, 3000) > 0.8


@pytest.mark.parametrize("sums", [True, False])
def test_row_1_no_damage_changes_a_training_log(log_archive: Archive, tmp_path, sums):
    """Without sums, as first versions wrote it, a changed digit is another number, but no more."""
    files = {name: data for name, data in log_archive.files.items() if name != MANIFEST}
    archive = Archive(log_archive.identity, files)
    if sums:
        archive.files[MANIFEST] = fitting_manifest(archive.payload)
    archive.write_payload(tmp_path)
    sound = read_training_log(tmp_path)

    def accept(found):
        if sums:
            assert found.history.equals(sound.history)
            assert (found.settings, found.summary) == (sound.settings, sound.summary)
        assert not np.isinf(found.history.to_numpy()).any()
        assert found.history.index.is_unique

    def read(artifact):
        return read_training_log(str(artifact.view(AAMTrainingLogDirectoryFormat)))

    damage_all(archive, tmp_path, read, accept, 30, 1000)

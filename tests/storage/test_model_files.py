"""Every way in which a stored model can be damaged is refused, with the file's name.

Flipped bits and cut files are in ``tests/trust/test_damage.py``, links in ``test_canaries.py``,
files made to deceive in ``test_hostile_files.py`` there.
"""

import dataclasses
import hashlib
import json
import struct

import numpy as np
import pytest
from simulated_study import describe_classes, describe_target

from q2_aam.config import Covariate, ModelConfig, dtype_of, expected_tensors, largest_positions
from q2_aam.errors import AAMError
from q2_aam.storage.model import check_model, read_model, write_model

TYPES = {"I32": np.int32, "U8": np.uint8}
FILES = ["config.json", "weights.safetensors", "manifest.json"]
CONFIG = ModelConfig(
    hidden_size=8, heads=2, branches=4, max_sequence_length=10,
    target=describe_target(residuals=(0.25,)),
)  # fmt: skip
COVARIATES = (Covariate("sex", ("f", "m")), Covariate("bmi", (), 22.0, 3.0))
CLASSES = describe_classes(covariates=COVARIATES, covariate_fusion="gate")
NAME = "asv_mean"


def random_arrays(config):
    random = np.random.default_rng(0)
    largest = largest_positions(config)
    return {
        name: random.standard_normal(shape).astype(np.float32)
        if dtype_of(name) == "F32"
        else random.integers(0, 1 + largest.get(name, 7), shape).astype(TYPES[dtype_of(name)])
        for name, shape in expected_tensors(config).items()
    }


def written(folder, config=CONFIG):
    folder.mkdir()
    write_model(folder, config, random_arrays(config))
    return folder


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path / "model")


@pytest.fixture
def classifier(tmp_path):
    """A model of three classes that reads two covariates."""
    return written(tmp_path / "classifier", dataclasses.replace(CONFIG, target=CLASSES))


def replace(folder, name, content):
    """Change a file and write sums that fit: a stranger can do that too."""
    (folder / name).write_bytes(content)
    sums = {}
    for name in FILES[:2]:
        content = (folder / name).read_bytes()
        sums[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(sums))


def change_config(folder, old, new):
    text = (folder / "config.json").read_text()
    assert old in text
    replace(folder, "config.json", text.replace(old, new, 1).encode())


def refuse(folder, name):
    """Hold both readers to refusing a folder by the name of the file."""
    messages = []
    for reader in (check_model, read_model):
        with pytest.raises(AAMError) as caught:
            reader(folder)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert name in messages[0]
    assert len(messages[0].splitlines()) <= 4
    assert "damaged" in messages[0]
    return messages[0]


@pytest.mark.parametrize(
    "target", [CONFIG.target, CLASSES, None], ids=["regressor", "classifier", "encoder"]
)
def test_a_model_reads_back_bit_for_bit(tmp_path, target):
    config = dataclasses.replace(CONFIG, target=target)
    found, arrays = read_model(written(tmp_path / "model", config))
    assert found == config
    wanted = random_arrays(config)
    assert arrays.keys() == wanted.keys()
    assert all(np.array_equal(arrays[name], wanted[name]) for name in wanted)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("part", ["is missing", "not a plain file"])
def test_what_is_no_file_is_named(folder, name, part):
    (folder / name).unlink()
    if part == "not a plain file":
        (folder / name).mkdir()
    assert part in refuse(folder, name)


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "config.json~", "__pycache__/"])
def test_a_file_too_many_is_named(folder, name):
    (folder / name).mkdir() if name.endswith("/") else (folder / name).write_text("x")
    assert "does not belong" in refuse(folder, name.rstrip("/"))


def test_any_flipped_bit_of_the_manifest_is_noticed(folder):
    content = (folder / "manifest.json").read_bytes()
    kept = json.loads(content)
    noticed = 0
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        try:
            same = json.loads(changed) == kept  # one blank for another changes nothing
        except ValueError:
            same = False
        (folder / "manifest.json").write_bytes(changed)
        if same:
            check_model(folder)
        else:
            noticed += 1
            with pytest.raises(AAMError):
                check_model(folder)
    assert noticed > 150


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"config.json": 1, "weights.safetensors": 2}', "null", "NaN", "\xff"]
)
def test_a_wrong_manifest_is_refused(folder, content):
    (folder / "manifest.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(AAMError, match="damaged"):
        check_model(folder)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('"heads": 2', '"heads": 3', "multiple of heads"),
        ('"heads": 2', '"heads": 2, "heads": 2', "twice"),
        ('"heads": 2', '"heads": NaN', "NaN"),
        ('"heads": 2', '"heads": 1e999', "heads"),
        ('"scale": 1.0', '"scale": 1e999', "scale"),
        ('"format_version": 2', '"format_version": 99', "version 99"),
        ("{", "[" * 100_000, "JSON"),
        ("{", " " * 2**25 + "{", "larger than"),
    ],
)
def test_a_wrong_config_is_refused_though_the_sums_fit(folder, old, new, part):
    change_config(folder, old, new)
    assert part.lower() in refuse(folder, "config.json").lower()


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('"branches": 4', '"branches": 5', "shape"),
        ('"f",', '"f", "x",', "shape"),
        ('"vocabulary_size": 6', '"vocabulary_size": 65536', "shape"),
        ('fusion": "gate"', 'fusion": "concatenate"', "'target_head.attention.fusion"),
    ],
)
def test_weights_of_another_model_are_refused(classifier, old, new, part):
    change_config(classifier, old, new)
    assert part in refuse(classifier, "weights.safetensors")


def changed_entry(**changes):
    return lambda header: header | {NAME: header[NAME] | changes}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda h: h | {"__metadata__": {"a": "b"}}, "unknown tensor '__metadata__'"),
        (changed_entry(shape="8"), "shape"),
        (changed_entry(data_offsets=[0, 10**15]), "overlap or a hole"),
        (changed_entry(data_offsets=[-32, 0]), "overlap or a hole"),
        (changed_entry(data_offsets=[0.0, 32.0]), "whole numbers"),
        (changed_entry(data_offsets=[True, 32]), "whole numbers"),
        (changed_entry(data_offsets=None), "whole numbers"),
        (changed_entry(data_offsets=[0]), "whole numbers"),
        (changed_entry(more=1), "properly"),
        (lambda h: h | {NAME: []}, "properly"),
        (lambda _: [], "not a table"),
        (lambda h: {NAME: h}, "lacks the tensor"),
        (lambda h: h | {NAME: h["asv_scale"]}, "overlap or a hole"),
    ],
)
def test_tricks_of_the_header_are_refused_though_the_sums_fit(folder, change, part):
    content = (folder / "weights.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    text = json.dumps(change(json.loads(content[8 : 8 + length]))).encode()
    content = struct.pack("<Q", len(text)) + text + content[8 + length :]
    replace(folder, "weights.safetensors", content)
    assert part in refuse(folder, "weights.safetensors")


@pytest.mark.parametrize(
    ("name", "largest"),
    [
        ("forest.feature", 9), ("forest.child", 6), ("clades.parent", 3), ("clades.order", 8),
        ("clades.start", 9), ("clades.end", 9),
    ],
)  # fmt: skip
def test_positions_out_of_range_are_refused_though_the_sums_fit(tmp_path, name, largest):
    target = describe_target(heads=("ridge", "forest"), trees=3, leaves=4, clades=3)
    config = dataclasses.replace(CONFIG, target=target)
    arrays, name = random_arrays(config), f"target_head.{name}"
    arrays[name][:] = largest
    (tmp_path / "whole").mkdir()
    write_model(tmp_path / "whole", config, arrays)
    for number, wrong in enumerate((largest + 1, -1, 2**31 - 1)):
        arrays[name][(2, 3)[: arrays[name].ndim]] = wrong
        (tmp_path / str(number)).mkdir()
        with pytest.raises(AAMError, match=rf"(?s)weights.safetensors.*positions.*{name}"):
            write_model(tmp_path / str(number), config, arrays)


@pytest.mark.parametrize("value", [np.nan, np.inf, None])
def test_a_model_that_is_not_finite_or_not_whole_is_never_written(tmp_path, value):
    arrays = random_arrays(CONFIG)
    if value is None:
        del arrays[NAME]
    else:
        arrays[NAME][3] = value
    with pytest.raises(AAMError, match="not finite" if value is not None else NAME):
        write_model(tmp_path, CONFIG, arrays)


def test_residuals_of_a_large_study_fit(tmp_path):
    residuals = tuple(np.sort(np.random.default_rng(0).random(100_000)).tolist())
    target = dataclasses.replace(CONFIG.target, residuals=residuals)
    config = dataclasses.replace(CONFIG, target=target)
    assert read_model(written(tmp_path / "model", config))[0] == config

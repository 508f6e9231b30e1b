"""Every way in which a stored model can be damaged is refused, with the file's name."""

import dataclasses
import hashlib
import json
import struct

import numpy as np
import pytest
from simulated_study import describe_classes, describe_target

from q2_aam.config import (
    Covariate,
    ModelConfig,
    dtype_of,
    expected_tensors,
    largest_positions,
)
from q2_aam.errors import AAMError
from q2_aam.storage.model import check_model, read_model, write_model

TYPES = {"I32": np.int32, "U8": np.uint8}
FILES = ["config.json", "weights.safetensors", "manifest.json"]
CONFIG = ModelConfig(
    hidden_size=8, heads=2, branches=4, max_sequence_length=10,
    target=describe_target(residuals=(0.25,)),
)  # fmt: skip


def random_arrays(config=CONFIG):
    random = np.random.default_rng(0)
    largest = largest_positions(config)
    return {
        name: random.standard_normal(shape).astype(np.float32)
        if dtype_of(name) == "F32"
        else random.integers(0, 1 + largest.get(name, 7), shape).astype(TYPES[dtype_of(name)])
        for name, shape in expected_tensors(config).items()
    }


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    write_model(folder, CONFIG, random_arrays())
    return folder


@pytest.fixture
def classifier(tmp_path):
    """A model of two classes that reads two covariates."""
    covariates = (Covariate("sex", ("f", "m")), Covariate("bmi", (), 22.0, 3.0))
    target = describe_classes(
        classes=("milk", "solid"), counts=(4, 5), covariates=covariates, covariate_fusion="gate"
    )
    config = dataclasses.replace(CONFIG, target=target)
    folder = tmp_path / "classifier"
    folder.mkdir()
    write_model(folder, config, random_arrays(config))
    assert read_model(folder)[0] == config
    return folder


def change_config(folder, old, new):
    path = folder / "config.json"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    refresh_manifest(folder)


def refresh_manifest(folder):
    """Write sums that fit: a stranger who changes a file can do that too."""
    sums = {}
    for name in FILES[:2]:
        content = (folder / name).read_bytes()
        sums[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(sums))


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


def test_a_model_reads_back_bit_for_bit(folder):
    config, arrays = read_model(folder)
    assert config == CONFIG
    wanted = random_arrays()
    assert arrays.keys() == wanted.keys()
    assert all(np.array_equal(arrays[name], wanted[name]) for name in wanted)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    refuse(folder, name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("length", [0, 1, -1, 0.5])
def test_a_truncated_file_is_named(folder, name, length):
    content = (folder / name).read_bytes()
    kept = int(len(content) * length) if isinstance(length, float) else length
    if name != FILES[1] and length == -1:
        kept = -2  # the last line end is no part of the JSON
    (folder / name).write_bytes(content[:kept])
    refuse(folder, name)


@pytest.mark.parametrize("name", FILES[:2])
def test_any_flipped_bit_of_a_file_is_noticed(folder, name):
    content = (folder / name).read_bytes()
    places = np.random.default_rng(1).integers(len(content), size=25)
    for place in [0, 7, 8, len(content) - 1, *places]:
        changed = bytearray(content)
        changed[place] ^= 1 << (int(place) % 8)
        (folder / name).write_bytes(changed)
        refuse(folder, name)


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


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "config.json~", "weights.pt"])
def test_a_file_too_many_is_named(folder, name):
    (folder / name).write_text("x")
    assert "does not belong" in refuse(folder, name)


def test_a_folder_too_many_is_named(folder):
    (folder / "__pycache__").mkdir()
    refuse(folder, "__pycache__")


@pytest.mark.parametrize("name", FILES)
def test_a_link_is_named(folder, tmp_path, name):
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    assert "not a plain file" in refuse(folder, name)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file_is_named(folder, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    assert "not a plain file" in refuse(folder, name)


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
        ('"heads": 2', '"heads": 2.0', "whole number"),
        ('"heads": 2', '"heads": 1e999', "heads"),
        ('"heads": 2', '"color": 2', "heads"),
        ('"scale": 1.0', '"scale": 1e999', "scale"),
        ('"branches": 4', '"branches": 999999999999', "branches"),
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
        ('"f"', '"m"', "same level twice"),
        ('"milk"', '"solid"', "same class twice"),
        ('"milk"', "7", "class"),
        ('"kind": "classification"', '"kind": "regression"', "lacks"),
        ('"covariate_fusion": "gate"', '"covariate_fusion": "sum"', "covariate_fusion"),
        ('"scale": 3.0', '"scale": 1' + "0" * 400, "covariate scale"),
        ('"scale": 3.0', '"scale": -3.0', "covariate scale"),
        ('"sex"', '"bmi"', "same covariate twice"),
    ],
)
def test_a_wrong_classifier_is_refused_though_the_sums_fit(classifier, old, new, part):
    change_config(classifier, old, new)
    assert part.lower() in refuse(classifier, "config.json").lower()


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('"f",', '"f", "x",', "shape"),
        (
            '"covariate_fusion": "gate"',
            '"covariate_fusion": "concatenate"',
            "'target_head.attention.fusion",
        ),
        ('"vocabulary_size": 6', '"vocabulary_size": 65536', "shape"),
    ],
)
def test_weights_of_another_classifier_are_refused(classifier, old, new, part):
    change_config(classifier, old, new)
    assert part in refuse(classifier, "weights.safetensors")


def test_weights_of_another_architecture_are_refused(folder):
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"branches": 4', '"branches": 5'))
    refresh_manifest(folder)
    assert "shape" in refuse(folder, "weights.safetensors")


def rewrite(folder, change, data=None):
    """Change the header of the weights, and their data if given."""
    path = folder / "weights.safetensors"
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header = change(header)
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = content[8 + length :] if data is None else data(content[8 + length :])
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    refresh_manifest(folder)


NAME = "asv_mean"


def changed_entry(**changes):
    return lambda header: header | {NAME: header[NAME] | changes}


def without(name):
    return lambda header: {key: value for key, value in header.items() if key != name}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (without(NAME), "lacks the tensor 'asv_mean'"),
        (lambda h: h | {"extra": h[NAME]}, "unknown tensor 'extra'"),
        (lambda h: h | {"__metadata__": {"a": "b"}}, "unknown tensor '__metadata__'"),
        (changed_entry(dtype="I32"), "'I32', not F32"),
        (changed_entry(dtype="F16"), "'F16', not F32"),
        (changed_entry(shape=[9]), "shape"),
        (changed_entry(shape=[2, 4]), "shape"),
        (changed_entry(shape="8"), "shape"),
        (changed_entry(shape=[8.0]), "shape"),
        (changed_entry(data_offsets=[0, 10**15]), "overlap or a hole"),
        (changed_entry(data_offsets=[-32, 0]), "overlap or a hole"),
        (changed_entry(data_offsets=[0.0, 32.0]), "whole numbers"),
        (changed_entry(data_offsets=[True, 32]), "whole numbers"),
        (changed_entry(data_offsets=None), "whole numbers"),
        (changed_entry(data_offsets=[0]), "whole numbers"),
        (changed_entry(more=1), "properly"),
        (lambda h: h | {NAME: []}, "properly"),
        (lambda _: [], "not a table"),
        (lambda _: b"{", "not JSON"),
        (lambda _: b"\xff\xfe", "not JSON"),
        (lambda _: b'{"a":' * 100_000, "not JSON"),
        (lambda _: b" {}", "not a table"),
        (lambda h: json.dumps(h).encode()[:-1] + b', "asv_mean": 1}', "twice"),
        (lambda h: h | {NAME: h["asv_scale"]}, "overlap or a hole"),
    ],
)
def test_tricks_of_the_header_are_refused_though_the_sums_fit(folder, change, part):
    rewrite(folder, change)
    assert part in refuse(folder, "weights.safetensors")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_though_the_sums_fit(folder, value):
    rewrite(folder, lambda h: h, lambda body: np.float32(value).tobytes() + body[4:])
    assert "not finite" in refuse(folder, "weights.safetensors")


@pytest.mark.parametrize("data", [lambda body: body[:-4], lambda body: body + b"0000"])
def test_data_of_another_length_is_refused_though_the_sums_fit(folder, data):
    rewrite(folder, lambda h: h, data)
    assert "shorter or longer" in refuse(folder, "weights.safetensors")


@pytest.fixture
def with_positions(tmp_path):
    target = describe_target(heads=("ridge", "forest"), trees=3, leaves=4, clades=3)
    config = dataclasses.replace(CONFIG, target=target)
    return config, random_arrays(config), tmp_path


@pytest.mark.parametrize(
    ("name", "largest"),
    [
        ("forest.feature", 9),
        ("forest.child", 6),
        ("clades.parent", 3),
        ("clades.order", 8),
        ("clades.start", 9),
        ("clades.end", 9),
    ],
)
def test_positions_out_of_range_are_refused_though_the_sums_fit(with_positions, name, largest):
    config, arrays, folder = with_positions
    name = f"target_head.{name}"
    arrays[name][:] = largest
    (folder / "whole").mkdir()
    write_model(folder / "whole", config, arrays)
    for number, wrong in enumerate((largest + 1, -1, 2**31 - 1)):
        arrays[name][(2, 3)[: arrays[name].ndim]] = wrong
        (folder / str(number)).mkdir()
        with pytest.raises(AAMError, match=rf"(?s)weights.safetensors.*positions.*{name}"):
            write_model(folder / str(number), config, arrays)


@pytest.mark.parametrize("length", [2**63, 2**40, 2**20 + 1])
def test_an_enormous_header_is_refused_unread(folder, length):
    path = folder / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    refresh_manifest(folder)
    assert "header" in refuse(folder, "weights.safetensors")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_is_not_finite_is_never_written(tmp_path, value):
    arrays = random_arrays()
    arrays["asv_mean"][3] = value
    with pytest.raises(AAMError, match="not finite"):
        write_model(tmp_path, CONFIG, arrays)


def test_a_model_that_does_not_fit_its_config_is_never_written(tmp_path):
    arrays = random_arrays()
    del arrays["asv_mean"]
    with pytest.raises(AAMError, match="asv_mean"):
        write_model(tmp_path, CONFIG, arrays)


def test_residuals_of_a_large_study_fit(tmp_path):
    residuals = tuple(np.sort(np.random.default_rng(0).random(100_000)).tolist())
    target = dataclasses.replace(CONFIG.target, residuals=residuals)
    config = dataclasses.replace(CONFIG, target=target)
    write_model(tmp_path, config, random_arrays(config))
    assert read_model(tmp_path)[0] == config

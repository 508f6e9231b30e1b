"""Rows 2 and 12: models that are not whole, or made to deceive, are refused by name and quickly.

Flipped bits and cut files are in ``test_damage.py``, links in ``test_canaries.py``.
"""

import dataclasses
import json
import struct
import time
import tracemalloc

import numpy as np
import pytest
from archives import fitting_manifest
from simulated_study import describe_classes, describe_target
from trials import count, pick

from q2_aam.config.model import ModelConfig, dtype_of, expected_tensors, largest_positions
from q2_aam.config.target import Covariate
from q2_aam.errors import AAMError
from q2_aam.storage.model import check_model, read_model, write_model

CONFIG = ModelConfig(
    hidden_size=8, heads=2, branches=4, max_sequence_length=10,
    target=describe_target(residuals=(0.25,)),
)  # fmt: skip
COVARIATES = (Covariate("sex", ("f", "m")), Covariate("bmi", (), 22.0, 3.0))
CLASSIFIER = dataclasses.replace(
    CONFIG, target=describe_classes(covariates=COVARIATES, covariate_fusion="gate")
)
WEIGHTS, CONFIG_FILE, MANIFEST = "weights.safetensors", "config.json", "manifest.json"
FILES = [CONFIG_FILE, WEIGHTS, MANIFEST]
NAMES = sorted(expected_tensors(CONFIG))
NAME = "asv_mean"
TYPES = {"F32": np.float32, "I32": np.int32, "U8": np.uint8}
MOST_SECONDS, MOST_MEMORY = 1, 50_000_000
LONG = 60_000_000  # bytes: reading them whole would take more than that
HEADER_LIMIT = 2**20


def random_arrays(config) -> dict[str, np.ndarray]:
    random, largest = np.random.default_rng(0), largest_positions(config)
    return {
        name: random.uniform(0, 1 + largest.get(name, 7), shape).astype(TYPES[dtype_of(name)])
        for name, shape in expected_tensors(config).items()
    }


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The files of a regressor, and of a classifier that reads covariates."""
    found = []
    for config in (CONFIG, CLASSIFIER):
        folder = tmp_path_factory.mktemp("sound")
        write_model(folder, config, random_arrays(config))
        found.append({name: (folder / name).read_bytes() for name in FILES})
    return tuple(found)


def forge(folder, files: dict[str, bytes], changes: dict[str, bytes]):
    """Write changed files with sums that fit: a stranger can do that too."""
    changed = files | changes
    folder.mkdir()
    for name, content in (changed | {MANIFEST: fitting_manifest(changed)}).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def folder(sound, tmp_path):
    """A sound regressor."""
    return forge(tmp_path / "model", sound[0], {})


def refuse(folder, *parts: str) -> None:
    """Hold both readers to refuse a folder in the same words, soon and in little memory."""
    started = time.process_time()
    with pytest.raises(AAMError) as caught:
        check_model(folder)
    seconds, message = time.process_time() - started, str(caught.value)
    assert seconds < MOST_SECONDS, f"{folder.name}: {seconds:.1f} s"
    tracemalloc.start()
    try:
        with pytest.raises(AAMError) as caught:
            read_model(folder)
        memory = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value) == message
    missing = [part for part in (*parts, "damaged") if part.lower() not in message.lower()]
    assert not missing, f"{folder.name}: {missing} not in {message}"
    assert len(message) < 1000
    assert len(message.splitlines()) <= 4
    assert memory < MOST_MEMORY, f"{folder.name}: {memory:,} bytes"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("part", ["is missing", "not a plain file"])
def test_what_is_no_file_is_named(folder, name, part):
    (folder / name).unlink()
    if part == "not a plain file":
        (folder / name).mkdir()
    refuse(folder, name, part)


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "config.json~", "__pycache__/"])
def test_a_file_too_many_is_named(folder, name):
    (folder / name).mkdir() if name.endswith("/") else (folder / name).write_text("x")
    refuse(folder, name.rstrip("/"), "does not belong")


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"config.json": 1, "weights.safetensors": 2}', "null", "NaN", "\xff"]
)
def test_a_wrong_manifest_is_refused(folder, content):
    (folder / MANIFEST).write_bytes(content.encode("latin-1"))
    refuse(folder)


def pack(header, body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def unpack(content: bytes) -> tuple[dict, bytes]:
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def forge_weights(kind: str, header: dict, body: bytes, random) -> bytes:
    """Change the header of a sound file of weights, and what belongs to it."""
    whole, text = pack(header, body), json.dumps(header).encode()
    entry, length = header[pick(random, NAMES)], int(random.integers(1, LONG))
    match kind:
        case "absurd_length":
            return struct.pack("<Q", int(random.integers(2**30, 2**63))) + whole[8:]
        case "header_over_the_limit":
            return pack(text.ljust(HEADER_LIMIT + length), body)
        case "cut_header":
            return whole[: int(random.integers(8, len(whole) - len(body)))]
        case "overlap":
            entry = max(header.values(), key=lambda one: one["data_offsets"])
            shift = int(random.integers(1, entry["data_offsets"][0] + 1))
            entry["data_offsets"] = [offset - shift for offset in entry["data_offsets"]]
        case "hole":
            place = entry["data_offsets"][0]
            for one in header.values():
                if one["data_offsets"][0] >= place:
                    one["data_offsets"] = [offset + length for offset in one["data_offsets"]]
            body = body[:place] + bytes(length) + body[place:]
        case "trailing_bytes":
            body += bytes(length)
        case "duplicate_key":
            return pack(text[:-1] + b"," + json.dumps({NAME: header[NAME]}).encode()[1:], body)
        case "missing_tensor":
            del header[pick(random, NAMES)]
        case "extra_tensor":
            names = ["__metadata__", "", "../../canary", "__class__", "x" * 500_000, "\u0000"]
            header[pick(random, names)] = entry
        case "not_utf8":
            place = int(random.integers(1, len(text)))
            return pack(text[:place] + bytes([random.integers(128, 256)]) + text[place:], body)
        case "no_table":
            return pack([header], body)
        case "deep_nesting":
            depth = int(random.integers(50_000, 150_000))
            return pack(b'{"a":' + pick(random, [b"[", b'{"a":']) * depth, body)
        case "values_that_are_not_finite":
            floats = [name for name in NAMES if dtype_of(name) == "F32"]
            begin, end = header[pick(random, floats)]["data_offsets"]
            place = begin + 4 * int(random.integers((end - begin) // 4))
            value = np.float32(pick(random, [np.nan, np.inf, -np.inf])).tobytes()
            body = body[:place] + value + body[place + 4 :]
    return pack(header, body)


HEADERS = {  # what is said of each
    "absurd_length": "announces a header of",
    "header_over_the_limit": "announces a header of",
    "cut_header": "ends within its header",
    "overlap": "an overlap or a hole",
    "hole": "an overlap or a hole",
    "trailing_bytes": "shorter or longer than its header",
    "duplicate_key": "stands there twice",
    "missing_tensor": "lacks the tensor",
    "extra_tensor": "has the unknown tensor",
    "not_utf8": "not JSON",
    "no_table": "has a header that is not a table",
    "deep_nesting": "not JSON",
    "values_that_are_not_finite": "values that are not finite",
}


@pytest.mark.parametrize("kind", HEADERS)
def test_row_2_headers_made_by_hand(sound, tmp_path, kind):
    for number in range(count(3, 20)):
        random = np.random.default_rng([2, number])
        forged = forge_weights(kind, *unpack(sound[0][WEIGHTS]), random)
        folder = forge(tmp_path / f"trial {number}", sound[0], {WEIGHTS: forged})
        refuse(folder, WEIGHTS, HEADERS[kind])


@pytest.mark.parametrize(
    ("key", "part", "values"),
    [
        ("data_offsets", "overlap or a hole", [[0, 10**15], [-32, 0]]),
        ("data_offsets", "whole numbers", [[0.0, 32.0], [True, 32], None, [0]]),
        ("shape", "in shape", [[1, 8], [], [-1], [8.0], {}, "8", [2**61, 4], [2**63 - 1, 4]]),
        ("dtype", "has the tensor", ["F16", "F64", "I32", "BOOL", "O", "", None, 4, ["F32"]]),
        ("more", "properly", [1]),
        (None, "properly", [[], "x", 1]),  # in place of the table
    ],
)
def test_row_2_what_a_tensor_may_not_say_of_itself(sound, tmp_path, key, part, values):
    for number, value in enumerate(values):
        header, body = unpack(sound[0][WEIGHTS])
        header[NAME] = header[NAME] | {key: value} if key else value
        changes = {WEIGHTS: pack(header, body)}
        refuse(forge(tmp_path / f"trial {number}", sound[0], changes), WEIGHTS, part)


@pytest.mark.parametrize(
    ("name", "largest"),
    [
        ("forest.feature", 9), ("forest.child", 6), ("clades.parent", 3), ("clades.order", 8),
        ("clades.start", 9), ("clades.end", 9),
    ],
)  # fmt: skip
def test_row_2_positions_out_of_range_are_refused_though_the_sums_fit(tmp_path, name, largest):
    target = describe_target(heads=("ridge", "forest"), trees=3, leaves=4, clades=3)
    config = dataclasses.replace(CONFIG, target=target)
    arrays, name = random_arrays(config), f"target_head.{name}"
    arrays[name][:] = largest
    write_model(tmp_path, config, arrays)
    for wrong in (largest + 1, -1, 2**31 - 1):
        arrays[name][(2, 3)[: arrays[name].ndim]] = wrong
        with pytest.raises(AAMError, match=rf"(?s)weights.safetensors.*positions.*{name}"):
            write_model(tmp_path, config, arrays)


@pytest.mark.parametrize("value", [np.nan, np.inf, None])
def test_row_10_a_model_that_is_not_finite_or_not_whole_is_never_written(tmp_path, value):
    arrays = random_arrays(CONFIG)
    if value is None:
        del arrays[NAME]
    else:
        arrays[NAME][3] = value
    with pytest.raises(AAMError, match="not finite" if value is not None else NAME):
        write_model(tmp_path, CONFIG, arrays)


@pytest.mark.parametrize(
    ("old", "new", "part", "name"),
    [
        ('"heads": 2', '"heads": 2, "heads": 2', "twice", CONFIG_FILE),
        ('"heads": 2', '"heads": NaN', "NaN", CONFIG_FILE),
        ('"heads": 2', '"heads": 1e999', "heads", CONFIG_FILE),
        ('"scale": 3.0', '"scale": 1e999', "scale", CONFIG_FILE),
        ("{", "[" * 100_000, "JSON", CONFIG_FILE),
        ("{", " " * 2**25 + "{", "larger than 4,194,304 bytes", CONFIG_FILE),
        ('"branches": 4', '"branches": 5', "shape", WEIGHTS),
        ('"f",', '"f", "x",', "shape", WEIGHTS),
        ('"vocabulary_size": 6', '"vocabulary_size": 65536', "shape", WEIGHTS),
        ('fusion": "gate"', 'fusion": "concatenate"', "'target_head.attention.fusion", WEIGHTS),
    ],
)
def test_a_config_that_is_wrong_or_of_other_weights_is_refused(
    sound, tmp_path, old, new, part, name
):
    text = sound[1][CONFIG_FILE].decode()
    assert old in text
    changes = {CONFIG_FILE: text.replace(old, new, 1).encode()}
    refuse(forge(tmp_path / "forged", sound[1], changes), name, part)


def of_target(**changes) -> dict:
    return {"target": CONFIG.to_json()["target"] | changes}


def of_levels(*levels) -> dict:
    return of_target(covariates=[vars(COVARIATES[0]) | {"levels": levels}])


# What a config asks for, and what the refusal says. The first six are the small count.
CONFIGS = [
    ({"hidden_size": 10**9}, "hidden_size is 1000000000"),
    ({"asv_layers": 10**6}, "asv_layers is 1000000"),
    ({"hidden_size": 4096, "asv_layers": 48, "sample_layers": 48}, WEIGHTS),
    (of_target(residuals=[0.5] * 500_000), "500,000 residuals"),
    (of_target(covariates=[[]] * 10**6), "more than 262,144 tables and lists"),
    (of_target(vocabulary_size=2**16), WEIGHTS),
    ({"branches": 16384}, WEIGHTS),
    ({"max_sequence_length": 4096, "nucleotides_per_token": 1}, WEIGHTS),
    ({"format_version": 10**4000}, "format_version is 1000"),
    ({"hidden_size": "9" * 10**6}, "hidden_size is '999"),
    ({"x" * 10**6: 1}, "has unknown 'xxx"),
    (of_target(residuals=[[]] * 10**5), "target residuals is a list"),
    (of_target(residuals="1" * 10**6), "residuals that are not a list"),
    (of_target(covariates=[{}] * 10**5), "100,000 covariates"),
    (of_levels(*["x"] * 500_000), "500,000 covariate levels"),
    (of_levels(*[[]] * 100), "covariate level is a list"),
    ({"target": vars(describe_classes()) | {"classes": ["x"] * 500_000}}, "500,000 classes"),
    ({"target": vars(describe_classes()) | {"counts": [1] * 10**6}}, "1,000,000 counts"),
    ({"target": {"kind": ["classification"] * 10**5}}, "lacks"),
]


def test_row_12_configs_that_ask_for_too_much(sound, tmp_path):
    content = json.loads(sound[0][CONFIG_FILE])
    for number, (change, part) in enumerate(CONFIGS[: count(6, len(CONFIGS))]):
        changes = {CONFIG_FILE: json.dumps(content | change).encode()}
        refuse(forge(tmp_path / f"config {number}", sound[0], changes), "The model's file", part)


def test_row_12_residuals_of_a_large_study_fit(tmp_path):
    residuals = tuple(np.sort(np.random.default_rng(0).random(100_000)).tolist())
    target = dataclasses.replace(CONFIG.target, residuals=residuals)
    config = dataclasses.replace(CONFIG, target=target)
    write_model(tmp_path, config, random_arrays(config))
    assert read_model(tmp_path)[0] == config

"""Rows 2 and 12: files made to deceive are refused by name, quickly and in little memory."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from archives import fitting_manifest
from reading import read_in_own_process
from simulated_study import describe_classes, describe_target
from trials import count, pick

from q2_aam.config import LIMITS, Covariate, ModelConfig, dtype_of, expected_tensors
from q2_aam.storage.model import write_model

CONFIG = ModelConfig(
    hidden_size=8, heads=2, branches=4, max_sequence_length=10,
    target=describe_target(residuals=(0.25,)),
)  # fmt: skip
MOST_MEMORY = 50_000_000
LONG = 60_000_000  # bytes: reading them whole would take more than that
HEADER_LIMIT = 2**20
WEIGHTS, CONFIG_FILE = "weights.safetensors", "config.json"
NAMES = sorted(expected_tensors(CONFIG))


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    random, types = np.random.default_rng(0), {"F32": np.float32, "U8": np.uint8}
    arrays = {
        name: random.uniform(0, 8, shape).astype(types[dtype_of(name)])
        for name, shape in expected_tensors(CONFIG).items()
    }
    folder = tmp_path_factory.mktemp("sound")
    write_model(folder, CONFIG, arrays)
    return folder


def forge(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files and a manifest that fits them."""
    folder.mkdir()
    for name, content in (files | {"manifest.json": fitting_manifest(files)}).items():
        (folder / name).write_bytes(content)
    return folder


def pack(header, body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


# Each makes a file from the header and the values of a sound one.


def absurd_length(header, body, random):
    return struct.pack("<Q", int(random.integers(2**30, 2**63))) + pack(header, body)[8:]


def header_over_the_limit(header, body, random):
    text = json.dumps(header).encode()
    return pack(text.ljust(HEADER_LIMIT + int(random.integers(1, LONG))), body)


def cut_header(header, body, random):
    content = pack(header, body)
    return content[: int(random.integers(8, len(content) - len(body)))]


def overlap(header, body, random):
    name = pick(random, [name for name in NAMES if header[name]["data_offsets"][0] > 0])
    begin, end = header[name]["data_offsets"]
    shift = int(random.integers(1, begin + 1))
    header[name]["data_offsets"] = [begin - shift, end - shift]
    return pack(header, body)


def hole(header, body, random):
    name = pick(random, NAMES)
    place, length = header[name]["data_offsets"][0], int(random.integers(1, LONG))
    for entry in header.values():
        if entry["data_offsets"][0] >= place:
            entry["data_offsets"] = [offset + length for offset in entry["data_offsets"]]
    return pack(header, body[:place] + bytes(length) + body[place:])


def trailing_bytes(header, body, random):
    return pack(header, body + bytes(int(random.integers(1, LONG))))


def duplicate_key(header, body, random):
    name = pick(random, NAMES)
    again = json.dumps({name: header[name]}).encode()
    return pack(json.dumps(header).encode()[:-1] + b"," + again[1:], body)


def shape_overflow(header, body, random):
    header[pick(random, NAMES)]["shape"] = [int(random.integers(2**61, 2**63)), 4]
    return pack(header, body)


def wrong_dtype(header, body, random):
    types = ["F16", "BF16", "F64", "I32", "BOOL", "O", "", None, 4, ["F32"]]
    header[pick(random, NAMES)]["dtype"] = pick(random, types)
    return pack(header, body)


def missing_tensor(header, body, random):
    del header[pick(random, NAMES)]
    return pack(header, body)


def extra_tensor(header, body, random):
    names = ["__metadata__", "", "../../canary", "__class__", "x" * 500_000, "\u0000"]
    header[pick(random, names)] = header[NAMES[0]]
    return pack(header, body)


def wrong_shape(header, body, random):
    entry = header[pick(random, NAMES)]
    changes = [[1, *entry["shape"]], entry["shape"][1:], [-1], [*map(float, entry["shape"])], {}]
    entry["shape"] = pick(random, changes)
    return pack(header, body)


def not_utf8(header, body, random):
    text = bytearray(json.dumps(header).encode())
    text[int(random.integers(1, len(text)))] = int(random.integers(128, 256))
    return pack(bytes(text), body)


def deep_nesting(header, body, random):
    opening = pick(random, [b"[", b'{"a":'])
    depth = int(random.integers(50_000, 150_000))
    return pack(b'{"a":' + opening * depth, body)


def values_that_are_not_finite(header, body, random):
    name = pick(random, [name for name in NAMES if dtype_of(name) == "F32"])
    begin, end = header[name]["data_offsets"]
    place = begin + 4 * int(random.integers((end - begin) // 4))
    value = np.float32(pick(random, [np.nan, np.inf, -np.inf])).tobytes()
    return pack(header, body[:place] + value + body[place + 4 :])


HEADERS = {
    absurd_length: "announces a header of",
    header_over_the_limit: "announces a header of",
    cut_header: "ends within its header",
    overlap: "an overlap or a hole",
    hole: "an overlap or a hole",
    trailing_bytes: "shorter or longer than its header",
    duplicate_key: "stands there twice",
    shape_overflow: "in shape [",
    wrong_dtype: "has the tensor",
    missing_tensor: "lacks the tensor",
    extra_tensor: "has the unknown tensor",
    wrong_shape: "in shape",
    not_utf8: "not JSON",
    deep_nesting: "not JSON",
    values_that_are_not_finite: "values that are not finite",
}


def check_refusals(sound: Path, folders: list[Path], parts: list[str], name: str) -> list[dict]:
    found = read_in_own_process(sound, folders)
    assert len(found) == len(folders)
    for folder, part, one in zip(folders, parts, found, strict=True):
        refusal = one["refusal"]
        assert refusal, f"{folder.name} was read"
        assert part.lower() in refusal.lower(), f"{folder.name}: {refusal}"
        assert name in refusal, f"{folder.name}: {refusal}"
        assert len(refusal) < 1000, folder.name
        assert one["memory"] < MOST_MEMORY, f"{folder.name}: {one['memory']:,} bytes"
    return found


@pytest.mark.parametrize("kind", HEADERS, ids=lambda kind: kind.__name__)
def test_row_2_headers_made_by_hand(sound, tmp_path, kind):
    content = (sound / WEIGHTS).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    folders = []
    for number in range(count(1, 20)):
        header = json.loads(content[8 : 8 + length])
        forged = kind(header, content[8 + length :], np.random.default_rng([2, number]))
        files = {CONFIG_FILE: (sound / CONFIG_FILE).read_bytes(), WEIGHTS: forged}
        folders.append(forge(tmp_path / f"trial {number}", files))
    check_refusals(sound, folders, [HEADERS[kind]] * len(folders), WEIGHTS)


def of_target(**changes) -> dict:
    return {"target": CONFIG.to_json()["target"] | changes}


def of_covariate(**changes) -> dict:
    covariate = Covariate("sex", ("f", "m"))
    return of_target(covariates=[{**vars(covariate), **changes}])


CLASSES = describe_classes().__dict__
# What a config asks for, and what the refusal says. The first six are the small count.
CONFIGS = [
    ({"hidden_size": 10**9}, "hidden_size is 1000000000"),
    ({"asv_layers": 10**6}, "asv_layers is 1000000"),
    ({"hidden_size": 4096, "asv_layers": 48, "sample_layers": 48}, WEIGHTS),
    (of_target(residuals=[0.5] * 500_000), "500,000 residuals"),
    (of_target(covariates=[[]] * 10**6), "more than 262,144 tables and lists"),
    (of_target(vocabulary_size=2**16), WEIGHTS),
    *(({name: 10**12}, f"{name} is 1000000000000") for name in LIMITS),
    ({"branches": 16384}, WEIGHTS),
    ({"max_sequence_length": 4096, "nucleotides_per_token": 1}, WEIGHTS),
    ({"rarefaction_depth": 10**30}, "rarefaction_depth is"),
    ({"format_version": 10**4000}, "format_version is 1000"),
    ({"hidden_size": "9" * 10**6}, "hidden_size is '999"),
    ({"x" * 10**6: 1}, "has unknown 'xxx"),
    (of_target(name=["x"] * 10**5), "target name is a list"),
    (of_target(scale="1" * 10**6), "target scale is '111"),
    (of_target(residuals=[[]] * 10**5), "target residuals is a list"),
    (of_target(residuals="1" * 10**6), "residuals that are not a list"),
    (of_target(covariates=[{}] * 10**5), "100,000 covariates"),
    (of_covariate(levels=["x"] * 500_000), "500,000 covariate levels"),
    (of_covariate(levels=[[]] * 100), "covariate level is a list"),
    ({"target": CLASSES | {"classes": ["x"] * 500_000}}, "500,000 classes"),
    ({"target": CLASSES | {"counts": [1] * 10**6}}, "1,000,000 counts"),
    ({"padding": "x" * 2**25}, "larger than 4,194,304 bytes"),
    ({"target": {"kind": ["classification"] * 10**5}}, "lacks"),
]


def test_row_12_configs_that_ask_for_too_much(sound, tmp_path):
    content = json.loads((sound / CONFIG_FILE).read_text())
    chosen = CONFIGS[: count(6, len(CONFIGS))]
    folders = []
    for number, (change, _) in enumerate(chosen):
        text = json.dumps(content | change).encode()
        files = {CONFIG_FILE: text, WEIGHTS: (sound / WEIGHTS).read_bytes()}
        folders.append(forge(tmp_path / f"config {number}", files))
    parts = [part for _, part in chosen]
    found = check_refusals(sound, folders, parts, "The model's file")
    for (_, part), one in zip(chosen, found, strict=True):
        assert one["seconds"] < 1, f"{part}: {one['seconds']:.1f} s"

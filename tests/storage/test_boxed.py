import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from simulated_study import model_of

from q2_aam.config.model import expected_tensors
from q2_aam.storage.model import BOX, BUNDLED, read_boxed


def test_the_box_holds_an_encoder_that_is_whole():
    config, arrays = read_boxed()
    shapes = {name: array.shape for name, array in arrays.items()}
    assert shapes == expected_tensors(config)
    assert all(array.dtype == np.float32 for array in arrays.values())
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert config.distance_state == "trained"
    assert config.asv_tips
    assert (BOX / "README.md").read_text(encoding="utf-8").count("CC BY-SA 3.0") == 1
    assert sum(path.stat().st_size for path in BOX.iterdir()) < 12e6


def test_a_wheel_holds_the_box(tmp_path):
    setup = Path(__file__).parents[2] / "setup.py"
    if not setup.exists():
        pytest.skip("the installed package is tested, without its setup.py")
    command = [sys.executable, "setup.py", "-q", "build", "-b", tmp_path / "build"]
    command += ["build_py", "-d", tmp_path / "wheel"]
    subprocess.run(command, cwd=setup.parent, check=True, capture_output=True, timeout=120)
    built = tmp_path / "wheel" / "q2_aam" / "encoders"
    here = {path.name for path in BOX.iterdir() if path.name != "__pycache__"}
    assert {path.name for path in built.iterdir()} == here
    assert read_boxed(built)[0] == read_boxed()[0]


def test_the_bundled_encoder_is_an_artifact_that_names_its_version(aam, capsys):
    encoder = aam.load_encoder().encoder
    assert str(encoder.type) == "AAMEncoder"
    config, arrays = model_of(encoder)
    boxed, of_box = read_boxed()
    assert config == boxed
    assert all(np.array_equal(arrays[name], array) for name, array in of_box.items())
    assert BUNDLED in capsys.readouterr().out
    recorded = (encoder._archiver.provenance_dir / "action" / "action.yaml").read_text()
    assert re.search(r"version: '?1'?\n", recorded)
    assert "mcdonald" in (encoder._archiver.provenance_dir / "citations.bib").read_text().lower()

import re

import numpy as np
from simulated_study import model_of

from q2_aam.storage.model import BOX, BUNDLED, read_boxed


def test_the_bundled_encoder_is_an_artifact_that_names_its_version(aam, capsys):
    encoder = aam.load_encoder().encoder  # which writes no model that is not whole
    assert str(encoder.type) == "AAMEncoder"
    config, arrays = model_of(encoder)
    boxed, of_box = read_boxed()
    assert config == boxed
    assert (config.distance_state, config.asv_tips) == ("trained", True)
    assert all(np.array_equal(arrays[name], array) for name, array in of_box.items())
    assert BUNDLED in capsys.readouterr().out
    recorded = (encoder._archiver.provenance_dir / "action" / "action.yaml").read_text()
    assert re.search(r"version: '?1'?\n", recorded)
    assert "mcdonald" in (encoder._archiver.provenance_dir / "citations.bib").read_text().lower()
    assert (BOX / "README.md").read_text(encoding="utf-8").count("CC BY-SA 3.0") == 1
    assert sum(path.stat().st_size for path in BOX.iterdir()) < 12e6

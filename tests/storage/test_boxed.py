import numpy as np

from q2_aam.config import expected_tensors
from q2_aam.storage.boxed import BOX, read_boxed


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

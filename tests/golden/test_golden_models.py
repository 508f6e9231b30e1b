"""Row 13: models of every released format version load and predict what they always did."""

import numpy as np
import pandas as pd
import pytest
import qiime2
from golden_models import GOLDEN, MODELS, predict

from q2_aam.config.model import FORMAT_VERSION

VERSIONS = range(1, FORMAT_VERSION + 1)
CLOSE = 1e-5


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("version", VERSIONS)
def test_row_13_a_golden_model_predicts_what_it_did(version, name):
    folder = GOLDEN / f"version-{version}"
    stored = pd.read_csv(
        folder / f"{name}.tsv", sep="\t", index_col=0, dtype={0: str}, float_precision="round_trip"
    )
    found = predict(folder, name)
    assert list(found.index) == list(stored.index)
    assert set(stored.columns) <= set(found.columns)  # later versions may tell more
    found = found[list(stored.columns)]
    assert stored.to_numpy().std() > 0.01
    scale = np.abs(stored.to_numpy()).max()
    assert np.abs(found.to_numpy() - stored.to_numpy()).max() < CLOSE * max(scale, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_row_13_a_golden_training_log_reads(version):
    log = qiime2.Artifact.load(str(GOLDEN / f"version-{version}" / "training-log.qza"))
    log.validate()
    history = log.view(qiime2.Metadata).to_dataframe()
    assert len(history) == 8
    assert history["train_loss"].notna().all()


def test_golden_files_are_small():
    assert sum(path.stat().st_size for path in GOLDEN.rglob("*.*")) < 1_000_000

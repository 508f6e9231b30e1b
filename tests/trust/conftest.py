import sys
from pathlib import Path

import pytest
import qiime2
from archives import Archive

GOLDEN = Path(__file__).parent.parent / "golden"
sys.path.append(str(GOLDEN))


@pytest.fixture(scope="session")
def golden():
    """The folder of the newest golden artifacts: models that need no training here."""
    from q2_aam.config.model import FORMAT_VERSION

    return GOLDEN / f"version-{FORMAT_VERSION}"


@pytest.fixture(scope="session")
def golden_table(golden):
    from golden_models import read_inputs

    return read_inputs(golden)[0]


@pytest.fixture(scope="session")
def regressor(golden):
    return qiime2.Artifact.load(str(golden / "regressor.qza"))


@pytest.fixture(scope="session")
def model_archive(regressor, tmp_path_factory):
    return Archive.of(regressor, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def log_archive(golden, tmp_path_factory):
    log = qiime2.Artifact.load(str(golden / "training-log.qza"))
    return Archive.of(log, tmp_path_factory.mktemp("log"))


@pytest.fixture
def own_artifact_cache(tmp_path, regressor):
    """Keep artifacts out of the cache that all processes share: it answers for known UUIDs."""
    with qiime2.Cache(str(tmp_path / "artifact-cache")):
        yield

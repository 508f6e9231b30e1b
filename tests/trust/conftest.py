import pytest
import qiime2
from archives import Archive
from golden_models import GOLDEN

from q2_aam.config.model import FORMAT_VERSION


@pytest.fixture(scope="session")
def golden():
    """The folder of the newest golden artifacts: models that need no training here."""
    return GOLDEN / f"version-{FORMAT_VERSION}"


@pytest.fixture(scope="session")
def regressor(golden):
    return qiime2.Artifact.load(str(golden / "regressor.qza"))


@pytest.fixture(scope="session")
def model_archive(golden):
    return Archive.of(golden / "regressor.qza")


@pytest.fixture(scope="session")
def log_archive(golden):
    return Archive.of(golden / "training-log.qza")


@pytest.fixture
def own_artifact_cache(tmp_path, regressor):
    """Keep artifacts out of the cache that all processes share: it answers for known UUIDs."""
    with qiime2.Cache(str(tmp_path / "artifact-cache")):
        yield

import pytest
import qiime2
from archives import Archive


@pytest.fixture(scope="session")
def model_archive(fitted, tmp_path_factory):
    return Archive.of(fitted.regressor, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def log_archive(fitted, tmp_path_factory):
    return Archive.of(fitted.training_log, tmp_path_factory.mktemp("log"))


@pytest.fixture(autouse=True)
def own_artifact_cache(tmp_path):
    """Keep artifacts out of the cache that all processes share: it answers for known UUIDs."""
    with qiime2.Cache(str(tmp_path / "artifact-cache")):
        yield

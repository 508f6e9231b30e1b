import pytest
from archives import Archive


@pytest.fixture(scope="session")
def model_archive(fitted, tmp_path_factory):
    return Archive.of(fitted.regressor, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def log_archive(fitted, tmp_path_factory):
    return Archive.of(fitted.training_log, tmp_path_factory.mktemp("log"))

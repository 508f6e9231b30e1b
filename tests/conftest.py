import tempfile
from pathlib import Path

import pytest
from simulated_study import DESCENT, QUICK_FIT, TINY, by_age, column_of, simulate_study

from q2_aam.errors import AAMError

# A conda build tests the installed package with a copy of these tests alone.
CLONE = (Path(__file__).parent.parent / "setup.py").exists()
collect_ignore = [] if CLONE else ["test_docs.py", "test_house.py", "test_recipe.py"]


@pytest.fixture(scope="session", autouse=True)
def runs_of_models_made_once(tmp_path_factory):
    """Keep runs out of the user's cache, and QIIME 2's cache and its lock to this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("Q2_AAM_RUN_DIR", str(tmp_path_factory.mktemp("runs")))
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("tmp")))
        patch.setattr(tempfile, "tempdir", None)  # else what Python found at its start
        yield


@pytest.fixture(autouse=True)
def no_run_to_resume(tmp_path, monkeypatch):
    """Train anew in every test: a finished run of another test must not answer for this one."""
    monkeypatch.setenv("Q2_AAM_RUN_DIR", str(tmp_path / "runs"))


@pytest.fixture(scope="session")
def aam():
    from qiime2.plugins import aam

    return aam.actions


@pytest.fixture(scope="session")
def study():
    return simulate_study(samples=20, asvs=40, seed=1)


@pytest.fixture(scope="session")
def mixed_study():
    """A study of ASVs of many lengths."""
    return simulate_study(samples=16, asvs=40, seed=3, lengths=(35, 62))


@pytest.fixture(scope="session")
def pretrained(aam, study, runs_of_models_made_once):
    """Results of pretraining on `study`."""
    return aam.pretrain(
        [study.table], [study.distances], sequences=[study.sequences], random_seed=5, **TINY
    )


@pytest.fixture(scope="session")
def fitted(aam, mixed_study, runs_of_models_made_once):
    """Results of fitting a regressor on `mixed_study` in closed form."""
    return aam.fit_regressor(
        mixed_study.table, mixed_study.age_column, sequences=mixed_study.sequences, **QUICK_FIT
    )


@pytest.fixture(scope="session")
def halves():
    """Samples to fit on, and others of the same kind."""
    study = simulate_study(110, 40, 31, (40, 40))
    ids = study.counts.index
    return study.select(ids[:70]), study.select(ids[70:])


@pytest.fixture(scope="session")
def classified(aam, halves, runs_of_models_made_once):
    """Results of fitting a classifier on the first of `halves` in closed form."""
    study = halves[0]
    column = column_of(by_age(study))
    return aam.fit_classifier(study.table, column, sequences=study.sequences, **QUICK_FIT)


@pytest.fixture(scope="session")
def descended(aam, study, pretrained, runs_of_models_made_once):
    """Results of fitting a regressor on `study`, whose encoder is trained on beside UniFrac."""
    return aam.fit_regressor(
        study.table, study.age_column, sequences=study.sequences, encoder=pretrained.encoder,
        freeze_encoder=False, distance_matrix=study.distances, **QUICK_FIT | DESCENT,
    )  # fmt: skip


@pytest.fixture
def refused():
    """Run what must be refused, and hold its message to the rules of messages."""

    def run(action, *parts: str, limit: int = 10, **arguments) -> str:
        with pytest.raises(AAMError) as caught:
            action(**arguments)
        message = str(caught.value)
        assert len(message.splitlines()) <= limit, message
        assert message[0] == message[0].upper(), message
        missing = [part for part in parts if part.lower() not in message.lower()]
        assert not missing, f"{missing} not in: {message}"
        return message

    return run

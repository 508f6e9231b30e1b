import markupsafe
import pytest
from page_reading import (
    HOSTILE,
    Page,
    make_log_folder,
    make_rate_curve,
    make_study,
    write_study_page,
)

from q2_aam.report.learning_rate import write_learning_rate_page
from q2_aam.report.training_summary import write_training_page
from q2_aam.storage.training_log import Setting


@pytest.fixture(scope="session")
def hostile_study():
    study = make_study(60, ids=HOSTILE + [f"sample {place}" for place in range(53)])
    study["truth"].name = HOSTILE[0]
    # Eleven groups: nine named innocently, so that whole groups can be drawn.
    study["groups"] = study["groups"].replace({"child 1": HOSTILE[4], "child 2": HOSTILE[2]})
    study["groups"].name = HOSTILE[1]
    # The hostile ids are predicted worst, so that they stand in the table of these.
    study["predictions"].iloc[: len(HOSTILE)] += 50
    return study


@pytest.fixture(scope="session")
def regression_page(tmp_path_factory, hostile_study):
    folder = tmp_path_factory.mktemp("regression") / "page"
    log = make_log_folder(tmp_path_factory.mktemp("log"))[1]
    return write_study_page(folder, hostile_study, log)


@pytest.fixture(scope="session")
def training_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training") / "page"
    folder.mkdir()
    log_folder, log = make_log_folder(tmp_path_factory.mktemp("log"))
    write_training_page(folder, log, log_folder)
    return Page(folder)


@pytest.fixture(scope="session")
def learning_rate_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learning rate") / "page"
    folder.mkdir()
    write_learning_rate_page(
        folder,
        make_rate_curve(),
        0.0123,
        True,
        action="fit-regressor",
        target=HOSTILE[0],
        settings=[Setting("device", "cpu", "automatic", HOSTILE[1])],
        data=[{"what": f"not in '{HOSTILE[2]}'", "count": 2, "examples": HOSTILE[3:5]}],
    )
    return Page(folder)


@pytest.fixture(params=["regression_page", "training_page", "learning_rate_page"])
def page(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def as_html():
    return lambda text: str(markupsafe.escape(text)).encode("ascii", "xmlcharrefreplace").decode()

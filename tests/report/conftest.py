import markupsafe
import numpy as np
import pandas as pd
import pytest
from page_reading import (
    HOSTILE,
    Page,
    make_checked_table,
    make_classes,
    make_distances,
    make_log_folder,
    make_rate_curve,
    make_shares,
    make_study,
    write_classes_page,
    write_distances,
    write_study_page,
)

from q2_aam.report.learning_rate import write_learning_rate_page
from q2_aam.report.recognition import write_recognition_page
from q2_aam.report.training.page import write_training_page
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
def hostile_classes():
    study = make_classes(120, [*HOSTILE, "NA"], noise=1.5)
    study["truth"].name = HOSTILE[0]
    # The hostile ids are mistakes, and the surest ones, so that they stand in the table of these.
    ids = HOSTILE + list(study["truth"].index[len(HOSTILE) :])
    for values in study.values():
        values.index = pd.Index(ids, name="id")
    for place, name in enumerate(HOSTILE):
        wrong = "NA" if study["truth"].iloc[place] != "NA" else HOSTILE[3]
        study["predictions"].iloc[place] = wrong
        study["probabilities"].iloc[place] = 0.0
        study["probabilities"].loc[name, wrong] = 1.0
    study["groups"] = study["groups"].replace({"child 1": HOSTILE[4], "child 2": HOSTILE[2]})
    study["groups"].name = HOSTILE[1]
    return study


@pytest.fixture(scope="session")
def classification_page(tmp_path_factory, hostile_classes):
    folder = tmp_path_factory.mktemp("classification") / "page"
    log = make_log_folder(tmp_path_factory.mktemp("log"))[1]
    return write_classes_page(folder, hostile_classes, log)


@pytest.fixture(scope="session")
def hostile_distances():
    predicted, actual = make_distances(40)
    # Samples far from all others are predicted worst, and stand in the table of these.
    names = {f"sample {place}": name for place, name in enumerate(HOSTILE)}
    for place in range(len(HOSTILE)):
        row = predicted[0].index(f"sample {place}")
        predicted[1][row] = predicted[1][:, row] = 1
        predicted[1][row, row] = 0
    return tuple(([names.get(name, name) for name in ids], m) for ids, m in (predicted, actual))


@pytest.fixture(scope="session")
def distances_page(tmp_path_factory, hostile_distances):
    ids = hostile_distances[1][0]
    values = np.resize(np.array([HOSTILE[0], HOSTILE[2], None], dtype=object), len(ids))
    column = pd.Series(values, ids, name=HOSTILE[1])
    folder = tmp_path_factory.mktemp("distances") / "page"
    return write_distances(folder, hostile_distances, column)


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


@pytest.fixture(scope="session")
def recognition_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recognition") / "page"
    folder.mkdir()
    ids = [*HOSTILE, *(f"sample {place}" for place in range(5))]
    write_recognition_page(folder, make_checked_table(make_shares(ids)))
    return Page(folder)


@pytest.fixture(
    params=[
        "regression_page",
        "training_page",
        "classification_page",
        "distances_page",
        "learning_rate_page",
        "recognition_page",
    ]
)
def page(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def as_html():
    return lambda text: str(markupsafe.escape(text)).encode("ascii", "xmlcharrefreplace").decode()

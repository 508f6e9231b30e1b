import numpy as np
import page_reading as pages
import pandas as pd
import pytest
from page_reading import HOSTILE, Page

from q2_aam.report import style
from q2_aam.report.learning_rate import write_learning_rate_page
from q2_aam.report.recognition import write_recognition_page
from q2_aam.report.training import write_training_page
from q2_aam.storage.training_log import Setting


@pytest.fixture(scope="session", autouse=True)
def charts_are_checked():
    """Let Altair hold every chart to Vega-Lite's schema, which pages are spared."""
    style.schemapi.enable_debug_mode()
    yield
    style.schemapi.disable_debug_mode()


def name_groups(study: dict) -> None:
    """Name two of the groups, the truth and the groups hostilely; enough groups can be drawn."""
    study["truth"].name, study["groups"].name = HOSTILE[:2]
    study["groups"] = study["groups"].replace({"child 1": HOSTILE[4], "child 2": HOSTILE[2]})


@pytest.fixture(scope="session")
def hostile_study():
    study = pages.make_study(60, ids=HOSTILE + [f"sample {place}" for place in range(53)])
    name_groups(study)
    # The hostile ids are predicted worst, so that they stand in the table of these.
    study["predictions"].iloc[: len(HOSTILE)] += 50
    return study


@pytest.fixture(scope="session")
def hostile_classes():
    ids = HOSTILE + [f"sample {place}" for place in range(113)]
    study = pages.make_classes(120, [*HOSTILE, "NA"], noise=1.5, ids=ids)
    # The hostile ids are mistakes, and the surest ones, so that they stand in the table of these.
    for place, name in enumerate(HOSTILE):
        wrong = "NA" if study["truth"].iloc[place] != "NA" else HOSTILE[3]
        study["predictions"].iloc[place] = wrong
        study["probabilities"].iloc[place] = 0.0
        study["probabilities"].loc[name, wrong] = 1.0
    name_groups(study)
    return study


@pytest.fixture(scope="session")
def hostile_distances():
    predicted, actual = pages.make_distances(40)
    # Samples far from all others are predicted worst, and stand in the table of these.
    names = {f"sample {place}": name for place, name in enumerate(HOSTILE)}
    for place in range(len(HOSTILE)):
        row = predicted[0].index(f"sample {place}")
        predicted[1][row] = predicted[1][:, row] = 1
        predicted[1][row, row] = 0
    return tuple(([names.get(name, name) for name in ids], m) for ids, m in (predicted, actual))


@pytest.fixture(scope="session")
def log(tmp_path_factory):
    """A training log of hostile names, and the folder in which it lies."""
    return pages.make_log_folder(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return lambda name: tmp_path_factory.mktemp(name) / "page"


@pytest.fixture(scope="session")
def regression_page(folder, hostile_study, log):
    return pages.write_study_page(folder("regression"), hostile_study, log[1])


@pytest.fixture(scope="session")
def classification_page(folder, hostile_classes, log):
    return pages.write_classes_page(folder("classification"), hostile_classes, log[1])


@pytest.fixture(scope="session")
def distances_page(folder, hostile_distances):
    ids = hostile_distances[1][0]
    values = np.resize(np.array([HOSTILE[0], HOSTILE[2], None], dtype=object), len(ids))
    column = pd.Series(values, ids, name=HOSTILE[1])
    return pages.write_distances(folder("distances"), hostile_distances, column)


@pytest.fixture(scope="session")
def training_page(folder, log):
    return Page.written(folder("training"), write_training_page, log[1], log[0])


@pytest.fixture(scope="session")
def learning_rate_page(folder):
    device = Setting("device", "cpu", "automatic", HOSTILE[1])
    return Page.written(
        folder("learning rate"), write_learning_rate_page, pages.make_rate_curve(), 0.0123, True,
        action="fit-regressor", target=HOSTILE[0],
        settings=[device, Setting("freeze_encoder", True, "default")],
        data=[{"what": f"not in '{HOSTILE[2]}'", "count": 2, "examples": HOSTILE}],
    )  # fmt: skip


@pytest.fixture(scope="session")
def recognition_page(folder):
    shares = pages.make_shares([*HOSTILE, *(f"sample {place}" for place in range(5))])
    return Page.written(
        folder("recognition"), write_recognition_page, **pages.make_checked_table(shares)
    )


KINDS = ["regression", "training", "classification", "distances", "learning_rate", "recognition"]


@pytest.fixture(params=KINDS)
def page(request):
    return request.getfixturevalue(f"{request.param}_page")

"""Pages as tests see them, and studies and logs to make them from."""

import html
import re
import shutil
import subprocess
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import qiime2
from scipy.spatial.distance import pdist, squareform

from q2_aam.report.classification import write_classification_page
from q2_aam.report.classification_scores import join_classes
from q2_aam.report.distance_scores import compare_distances
from q2_aam.report.distances import write_distances_page
from q2_aam.report.regression import join_numbers, write_regression_page
from q2_aam.storage import training_log
from q2_aam.storage.training_log import TENSORBOARD_EVENTS, Setting, TrainingLog

HOSTILE = [
    "<script>document.title='hacked'</script>", "quo\"ted' & <b>bold</b>", "{{7*7}}", "=cmd()",
    "</script><img src=x onerror=\"document.title='hacked'\">", "{% include 'x' %}", "naïve-☃",
]  # fmt: skip
LARGEST_QZV = 2_500_000


class Page(HTMLParser):
    """A page as a test sees it: its text, and what it would load or link."""

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder
        self.text, self.loads, self.links, self.tags = "", [], [], []
        self._inside_script = False
        self.source = (folder / "index.html").read_bytes().decode("ascii")
        self.feed(self.source)
        self.text = re.sub(r"\s+", " ", self.text)

    @classmethod
    def written(cls, folder: Path, write, *arguments, **options) -> "Page":
        """Let a function write a page into a new folder."""
        folder.mkdir()
        write(folder, *arguments, **options)
        return cls(folder)

    @classmethod
    def of(cls, result, folder: Path) -> "Page":
        """Read the page that an action made."""
        result.visualization.export_data(folder)
        return cls(folder)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self._inside_script = tag == "script"
        if tag == "a":
            self.links.append(attributes.get("href"))
        else:
            self.loads += [attributes[name] for name in ("src", "href") if name in attributes]

    def handle_endtag(self, tag):
        self._inside_script = False
        if tag in ("td", "th", "dt", "dd"):
            self.text += " "

    def handle_data(self, data):
        if not self._inside_script:
            self.text += data

    def table(self, name: str) -> pd.DataFrame:
        """Read a download as pandas would, ids as text."""
        path, blanks = self.download(f"{name}.tsv"), {"keep_default_na": False, "na_values": [""]}
        return pd.read_csv(path, sep="\t", dtype={"id": str}, **blanks).set_index("id")

    def download(self, name: str) -> Path:
        return self.folder / "downloads" / name

    def archive_size(self) -> int:
        """Bytes of the page as QIIME 2 would zip it."""
        return Path(shutil.make_archive(str(self.folder), "zip", self.folder)).stat().st_size

    def run_browser(self, *options: str) -> subprocess.CompletedProcess:
        """Open the page in Chromium without network."""
        browser = shutil.which("chromium") or shutil.which("chromium-browser")
        if browser is None:
            pytest.skip("chromium is not installed")
        flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
        flags += " --disable-background-networking --disable-component-update --disable-sync"
        command = [
            browser, *flags.split(), "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={self.folder.parent / 'chromium'}", "--virtual-time-budget=10000",
            "--enable-logging=stderr", *options, (self.folder / "index.html").as_uri(),
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, timeout=120, check=True)

    @cached_property
    def words_on_paper(self) -> list[str]:
        """Print the page and return the words that lie inside the paper."""
        if shutil.which("pdftotext") is None:
            pytest.skip("pdftotext (poppler-utils) is not installed")
        target = self.folder.parent / "printed.pdf"
        self.run_browser("--window-size=1250,2000", f"--print-to-pdf={target}")
        printed = subprocess.run(
            ["pdftotext", "-bbox", target, "-"], capture_output=True, text=True, check=True
        ).stdout
        words = []
        for page in printed.split("<page ")[1:]:
            width = float(re.search(r'width="([0-9.]+)"', page)[1])
            box = r'<word xMin="([0-9.-]+)".*?xMax="([0-9.]+)".*?>(.*?)</word>'
            for left, right, word in re.findall(box, page):
                if float(left) >= 0 and float(right) <= width:
                    words.append(html.unescape(word))
        return words

    @cached_property
    def drawn_in_browser(self) -> str:
        """Open the page in Chromium without network and return what it became: all is drawn."""
        run = self.run_browser("--dump-dom")
        messages = run.stderr.decode("utf-8", "replace").splitlines()
        assert not [line for line in messages if "CONSOLE" in line]
        document = run.stdout.decode("utf-8")
        charts = re.findall(r'<div class="aam-chart[^>]*>', document)
        assert len(charts) == self.tags.count("figure")
        assert all('data-drawn="yes"' in chart for chart in charts)
        assert "<title>hacked" not in document
        return document

    def chart(self, figure: str) -> str:
        """Return a figure as the browser drew it."""
        return self.drawn_in_browser.split(f'id="{figure}"')[1].split("</svg>")[0]

    def marks(self, figure: str, mark: str, tag: str = "path") -> int:
        """Count the marks of a kind that the browser drew in a figure."""
        group = rf'<g class="mark-{mark} role-mark[^>]*>(.*?)</g>'
        found = re.findall(group, self.chart(figure), re.S)
        return sum(marks.count(f"<{tag}") for marks in found)

    def part(self, name: str, end: str) -> str:
        """Return the source of an element with an id, up to its end."""
        return self.source.split(f'id="{name}"')[1].split(end)[0]

    @property
    def figures(self) -> list[str]:
        """The names of the figures."""
        return re.findall(r'<figure[^>]* id="([^"]+)"', self.source)

    def assert_says(self, *words: str) -> None:
        """Check that texts stand on the page."""
        assert not [text for text in words if text not in self.text]

    def assert_only_our_scripts(self) -> None:
        """Check that no name added one: the frame's three, one per chart, data, Vega and ours."""
        assert self.tags.count("script") == 3 + self.tags.count("figure") + 3
        assert "<script>document.title" not in self.source
        assert "</script><img" not in self.source


def layers_of(chart) -> list[dict]:
    """Give a chart's layers, each with its own records under ``records``."""
    content = chart.to_dict()
    layers = content["layer"]
    for layer in layers:
        data = layer.get("data", content.get("data"))
        layer["records"] = content.get("datasets", {}).get(data["name"])
    return layers


def make_study(n_samples: int, ids: list[str] | None = None) -> dict:
    random = np.random.default_rng(0)
    ids = [f"sample {place}" for place in range(n_samples)] if ids is None else ids
    truth = pd.Series(random.uniform(0, 24, n_samples), index=ids, name="month")
    predictions = truth * 0.8 + random.normal(0, 2, n_samples)
    return {
        "predictions": predictions, "truth": truth, "groups": make_groups(ids),
        "intervals": pd.DataFrame({"lower": predictions - 4, "upper": predictions + 4}),
        "baseline_predictions": truth * 0.6 + random.normal(0, 3, n_samples),
    }  # fmt: skip


def imported(kind: str, content) -> qiime2.Artifact:
    return qiime2.Artifact.import_data(kind, content)


def make_groups(ids) -> pd.Series:
    return pd.Series(np.resize([f"child {n}" for n in range(10)], len(ids)), ids, name="child")


def make_history(n_epochs: int) -> pd.DataFrame:
    epochs = np.arange(1, n_epochs + 1)
    falling = np.exp(-epochs / 5)
    columns = {
        "epoch": epochs, "learning_rate": 1e-3 * falling,
        "gradient_norm": np.where(epochs == 2, np.nan, 1 + falling), "seconds": 1.5,
        "samples_per_second": 40.0, "train_loss": falling, "validation_loss": falling + 0.1,
        "validation_unifrac_r": 1 - falling, f"train_{HOSTILE[0]}": falling,
    }  # fmt: skip
    return pd.DataFrame(columns, [f"epoch {epoch}" for epoch in epochs])


TARGET = {"training_mean": 9.5, "training_min": 0.0, "training_max": 24.0}


def make_log_folder(folder: Path) -> tuple[Path, TrainingLog]:
    for name in TENSORBOARD_EVENTS.values():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(f"events of {name}".encode())
    settings = [
        Setting("random_seed", 0, "default"), Setting("device", "cpu", "automatic", HOSTILE[1]),
        Setting("epochs", 30, "user"), Setting("covariate_columns", [HOSTILE[2]], "user"),
    ]  # fmt: skip
    summary = {
        "action": "fit_regressor", "kept_epoch": 12, "epochs_run": 22,
        "stop_reason": "the validation loss did not improve for 10 epochs",
        "model": {"description": [f"It reads {HOSTILE[4]}."], "parameters": 123456},
        "data": [
            {"what": training_log.SAMPLES_USED_FOR_TRAINING, "count": 600, "examples": HOSTILE},
            {"what": f"samples dropped: no value in '{HOSTILE[0]}'", "count": 3},
        ],
        "target": {"name": HOSTILE[0], **TARGET},
        "environment": {"q2-aam": "0.1.0", "threads": 2},
    }  # fmt: skip
    log = TrainingLog(make_history(22), settings, summary)
    training_log.write_training_log(folder, log)
    return folder, log


def make_shares(ids) -> pd.DataFrame:
    """Make shares of recognized reads, from all to little."""
    unknown = np.linspace(0, 0.9, len(ids))
    parts = {"same": 0.6 * (1 - unknown), "overlapping": 0.4 * (1 - unknown)}
    return pd.DataFrame({**parts, "embedding_only": unknown}, ids)


def make_checked_table(shares: pd.DataFrame) -> dict:
    reads = np.arange(90, 20, -10)
    dna = [letter * 36 for letter in "ACGTACG"]
    unknown = {"reads": reads, "share": reads / 1000, "sequence": dna}
    return {
        "model": "regressor of 'age'", "verdict": "Half of the reads are known.",
        "recommendation": "Trim them.", "shares": shares, "orientation": "mixed",
        "features_by_kind": {"same": 3, "embedding_only": 2},
        "lengths": {"this table": [(36, 5)], "model": [(36, 4), (40, 4)]},
        "orientation_counts": {"forward": 4, "reverse complement": 1},
        "unrecognized": pd.DataFrame(unknown, index=HOSTILE),
    }  # fmt: skip


def make_rate_curve(n_steps: int = 80) -> pd.DataFrame:
    """Make a curve that falls, is lowest at 0.03 and explodes."""
    rates = np.geomspace(1e-5, 1, n_steps)
    smoothed = 1 - 0.8 * np.exp(-np.square(np.log10(rates / 0.03)))
    smoothed[-1] = 9.0
    loss = smoothed * (1 + 0.1 * np.sin(np.arange(n_steps)))
    columns = {"learning_rate": rates, "loss": loss, "smoothed_loss": smoothed}
    return pd.DataFrame(columns, [f"step {step + 1}" for step in range(n_steps)])


def make_classes(n_samples: int, classes: list[str], noise: float = 1.0, ids=None) -> dict:
    """Make a study of classes: the last is the rarest, and a baseline does worse than the model."""
    random, names = np.random.default_rng(0), np.array(classes, dtype=object)
    ids = [f"sample {place}" for place in range(n_samples)] if ids is None else ids
    ids = pd.Index(ids, name="id")
    frequency = np.linspace(2, 1, len(classes))
    actual = random.choice(len(classes), n_samples, p=frequency / frequency.sum())
    study = {"truth": pd.Series(names[actual], ids, name="body site"), "groups": make_groups(ids)}
    for start, size in (("", noise), ("baseline_", 2 * noise)):
        logits = 2 * np.eye(len(classes))[actual]
        shares = np.exp(logits + random.normal(0, size, logits.shape))
        shares = pd.DataFrame(shares / shares.sum(axis=1, keepdims=True), ids, pd.Index(names))
        chosen = names[shares.to_numpy().argmax(axis=1)]
        study[f"{start}predictions"] = pd.Series(chosen, ids, name="prediction")
        study[f"{start}probabilities"] = shares
    return study


def make_distances(n_samples: int, seed: int = 0, noise: float = 0.1) -> tuple:
    """Make predicted and actual distances, the predicted of other samples and another order too."""
    random = np.random.default_rng(seed)
    places = np.eye(3)[np.arange(n_samples) % 3][:, :2] * 0.4
    places += random.normal(0, 0.12, (n_samples, 2))
    ids = [f"sample {place}" for place in range(n_samples)]
    moved = 0.8 * places + random.normal(0, noise, places.shape)
    order = random.permutation(n_samples)
    predicted, actual = (
        squareform(pdist(some)).clip(0, 1).astype(np.float32)
        for some in (np.vstack([moved[order], [[0.3, 0.3]]]), places)
    )
    return ([ids[place] for place in order] + ["stranger"], predicted), (ids, actual)


def in_one_order(predicted, actual) -> tuple[list, np.ndarray, np.ndarray]:
    """Give the shared samples and both matrices of them, by way of pandas."""
    shared = [name for name in predicted[0] if name in set(actual[0])]
    frames = (pd.DataFrame(matrix, ids, ids).astype(float) for ids, matrix in (predicted, actual))
    return shared, *(frame.loc[shared, shared].to_numpy() for frame in frames)


def write_study_page(folder: Path, study: dict, log: TrainingLog | None = None) -> Page:
    return Page.written(folder, write_regression_page, join_numbers(**study), log)


def write_classes_page(folder: Path, study: dict, log: TrainingLog | None = None) -> Page:
    return Page.written(folder, write_classification_page, join_classes(**study), log)


def write_distances(folder: Path, pair: tuple, column: pd.Series | None = None) -> Page:
    return Page.written(folder, write_distances_page, compare_distances(*pair), column)

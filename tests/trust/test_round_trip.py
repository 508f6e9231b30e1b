"""Row 8: a model that is saved and loaded again is the same, and predicts the same bits."""

import pytest
import qiime2
import torch
from archives import Archive
from simulated_study import model_of
from trials import pick, repeat

from q2_aam.config import model, target
from q2_aam.inference import arrays_of, load_network
from q2_aam.model.network import Network
from q2_aam.storage.model import write_model
from q2_aam.types import AAMModelDirectoryFormat

pytestmark = pytest.mark.usefixtures("own_artifact_cache")
NAMES = ["age", "", "день", "a b", "NA", "nan", "0001", "x" * 300, '"', "\\", "a\tb\nc", "🦠"]
KINDS = {None: "AAMEncoder", "regression": "AAMRegressor", "classification": "AAMClassifier"}


def number(random) -> float:
    """Draw a number of any size that is finite in the model's type."""
    return float(random.normal() * 10.0 ** random.integers(-30, 30))


def some_names(random, fewest: int, most: int) -> tuple[str, ...]:
    return tuple(map(str, random.permutation(NAMES)[: random.integers(fewest, most)]))


def random_covariate(name: str, random) -> target.Covariate:
    levels = some_names(random, 1, 6) if random.random() < 0.5 else ()
    return target.Covariate(name, levels, number(random), abs(number(random)))


def random_target(random):
    features = pick(random, target.FEATURES)
    shared = {
        "name": pick(random, NAMES),
        "features": features,
        "vocabulary_size": 0 if features == "clades" else int(random.integers(1, 20)),
        "clades": 0 if features == "clades" else pick(random, [0, 4]),
        "covariates": tuple(random_covariate(name, random) for name in some_names(random, 0, 5)),
        "covariate_fusion": pick(random, target.FUSIONS),
    }
    of_classes = random.random() < 0.4
    there = {name: bool(random.integers(2)) for name in target.HEADS} | {"ridge": True}
    there["logistic"] &= of_classes
    shared["heads"] = tuple(name for name in target.HEADS if there[name])
    shared |= {name: int(random.integers(0, 40)) for name in ("random_features", "hidden_units")}
    if there["forest"]:
        shared |= {"trees": int(random.integers(1, 5)), "leaves": int(random.integers(2, 9))}
    if of_classes:
        classes = tuple(sorted(some_names(random, 2, 6)))
        counts = tuple(random.integers(0, 100, len(classes)).tolist())
        return target.ClassificationTarget(**shared, classes=classes, counts=counts)
    names = ("location", "minimum", "maximum", "mean")
    residuals = sorted(abs(number(random)) for _ in range(random.integers(0, 20)))
    return target.RegressionTarget(
        **shared, **{name: number(random) for name in names}, scale=abs(number(random)),
        scaling=pick(random, target.SCALINGS), loss=pick(random, target.TARGET_LOSSES),
        bounded=bool(random.integers(2)), quantile_range=float(random.uniform(0.1, 0.99)),
        residuals=tuple(residuals),
    )  # fmt: skip


def random_config(random) -> model.ModelConfig:
    ranges = {
        "heads": (1, 5), "asv_layers": (0, 3), "sample_layers": (0, 3), "branches": (1, 40),
        "nucleotides_per_token": (1, 17), "max_sequence_length": (1, 60), "max_asvs": (1, 65537),
    }  # fmt: skip
    sizes = {name: int(random.integers(*ends)) for name, ends in ranges.items()}
    return model.ModelConfig(
        **sizes,
        hidden_size=sizes["heads"] * 2 * int(random.integers(2, 5)),
        branch_hidden_size=pick(random, [0, 6]),
        asv_tips=bool(random.integers(2)),
        distance_form=pick(random, model.DISTANCE_FORMS),
        distance_state=pick(random, model.DISTANCE_STATES),
        rarefaction_depth=pick(random, [None, 1, 900, 10**9]),
        target=random_target(random) if random.random() < 0.8 else None,
    )


def random_network(config: model.ModelConfig, random) -> Network:
    torch.manual_seed(int(random.integers(2**31)))
    network = Network(config)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor), alpha=0.3)
            else:
                most = model.largest_positions(config).get(name, 7)
                tensor.copy_(torch.randint(0, most + 1, tensor.shape))
    return network


def tensors_of(network: Network) -> dict[str, torch.Tensor]:
    """Return all that predictions depend on, beside the config: also what no file holds."""
    return dict(network.named_parameters()) | dict(network.named_buffers())


def test_row_8_saving_and_loading_changes_nothing(tmp_path):
    """The tensors of a network are those that its config announces, or it would not be written."""

    def check(random, trial):
        config = random_config(random)
        network = random_network(config, random)
        view = AAMModelDirectoryFormat()
        write_model(str(view), config, arrays_of(network))
        artifact = qiime2.Artifact.import_data(KINDS[getattr(config.target, "kind", None)], view)
        saved = Archive.of(artifact.save(str(tmp_path / "model.qza")))
        path = saved.rebuilt(tmp_path, {})  # not known to the cache
        found, arrays = model_of(qiime2.Artifact.load(str(path)))
        assert found == config
        loaded = load_network(found, arrays)
        assert loaded.training is False
        before, after = tensors_of(network), tensors_of(loaded)
        assert list(after) == list(before)
        assert all(torch.equal(after[name], before[name]) for name in before)

    repeat(check, 40, 300, seed=8)

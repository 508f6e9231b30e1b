import dataclasses
import json
from math import inf, nan

import pytest
from simulated_study import describe_classes, describe_target

from q2_aam.config import model
from q2_aam.config.model import LIMITS, ModelConfig
from q2_aam.config.target import Covariate
from q2_aam.config.training import TrainingConfig

TARGET = describe_target(scaling="z-score", location=3.5, scale=2.0, residuals=(0.5, 1.25))
COVARIATES = (Covariate("sex", ("f", "m")), Covariate("bmi", (), 22.5, 3.0))
CLASSES = describe_classes(covariates=COVARIATES, covariate_fusion="gate")
FULL = ModelConfig(hidden_size=24, heads=3, rarefaction_depth=900, target=TARGET)
CLASSIFIER = dataclasses.replace(FULL, target=CLASSES)
FOREST = {"heads": ("ridge", "forest"), "trees": 5, "leaves": 9}
LEVELS = [f"l{number}" for number in range(101)]
HUGE = 10**400


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_limits_are_held_at_both_ends(refused, name):
    low, high = LIMITS[name]
    for wrong in (low - 1, high + 1, -1, 1.0, "8", None, True):
        refused(ModelConfig, name, str(high), **{name: wrong})
    if name not in ("hidden_size", "heads"):
        for right in (low, high):
            assert getattr(ModelConfig(**{name: right}), name) == right


@pytest.mark.parametrize("content", [None, [], "x", 3])
def test_what_is_not_a_table_is_refused(refused, content):
    refused(ModelConfig.from_json, "where a table belongs", content=content)


@pytest.mark.parametrize("trees", [0, 5])
def test_an_older_format_is_brought_to_the_present_one(trees):
    old = dataclasses.replace(FULL, target=dataclasses.replace(TARGET, clades=3)).to_json()
    old["format_version"] = 1
    for name in ("heads", "random_features", "residual_weights"):
        del old["target"][name]
    old["target"]["known_asvs"] = old["target"].pop("vocabulary_size")
    old["target"] |= {"trees": trees, "leaves": 9 if trees else 0}
    target = ModelConfig.from_json(old).target
    assert target.heads == ("ridge", *(["forest"] if trees else []), "attention")
    assert (target.vocabulary_size, target.random_features) == (6, 2048)
    assert sorted(model.TO_NEXT_VERSION) == list(range(1, model.FORMAT_VERSION))


def test_every_name_is_needed(refused):
    for part in (lambda content: content, lambda content: content["target"]):
        for name in part(FULL.to_json()):
            content = FULL.to_json()
            del part(content)[name]
            earlier = {"features": "auto", "hidden_units": 0}  # of models of before they were named
            if name in earlier:
                assert getattr(ModelConfig.from_json(content).target, name) == earlier[name]
            else:
                refused(ModelConfig.from_json, "lacks", name, content=content)


def each(name: str, *values) -> list[dict]:
    return [{name: value} for value in values]


# What is refused of a model, a target, one of classes, and a covariate, and in which words.
OF_MODEL = {
    "hidden_size (10) must be a multiple of heads (4)": [{"hidden_size": 10, "heads": 4}],
    "format version 3": [{"format_version": 3}, {"format_version": 3, "new": 1}],
    "Update q2-aam": each("format_version", 3),
    "format_version is": each("format_version", 0, True),
    "format_version is 'xxx": each("format_version", "x" * 10**6),
    "'cosine', but must be one of branches, euclidean": each("distance_form", "cosine"),
    "distance_state is 'new'": each("distance_state", "new"),
    "rarefaction_depth": each("rarefaction_depth", 0),
    "asv_tips is 1, but must be true or false": each("asv_tips", 1),
    "list where a table belongs": each("target", []),
    "lacks": each("target", {}),
    "unknown 'color'": each("color", 1),
}
OF_TARGET = {
    "target scale is": each("scale", 0.0, -1.0, nan),
    "target location is": each("location", inf, HUGE),
    "residuals": each("residuals", "12", [nan], [[1.0]], [-HUGE]),
    "residual weight": each("residual_weights", [1.0], [1.0, 0.0]),
    "300 covariates, but at most 256": each("covariates", [None] * 300),
    "covariates": each("covariates", "sex"),
    "where a table belongs": each("covariates", ["sex"]),
    "same covariate twice": each("covariates", [vars(COVARIATES[0])] * 2),
    "covariate_fusion": each("covariate_fusion", "sum"),
    "target mean": each("mean", "3"),
    "target minimum": each("minimum", True),
    "vocabulary_size is": [
        *each("vocabulary_size", 0, 10**6),
        {"features": "asvs", "vocabulary_size": 0}, {"features": "clades"},
    ],
    "features is 'otus'": each("features", "otus"),
    "target scaling": each("scaling", "log"),
    "target loss": each("loss", "absolute"),
    "quantile_range": each("quantile_range", 0.0, 1.0),
    "bounded": each("bounded", 1),
    "target kind": each("kind", "ranking"),
    "not in the order": each("heads", [], ["forest", "ridge"], ["ridge", "ridge"]),
    "head is 'oracle'": each("heads", ["ridge", "oracle"]),
    "heads": each("heads", "ridge"),
    "random_features is -1": each("random_features", -1),
    "hidden_units is": each("hidden_units", -1, 2**12 + 1),
    "clades is": [
        *each("clades", -1, 2**14 + 1), {"features": "clades", "vocabulary_size": 0, "clades": 3},
    ],
    "trees is": [*each("trees", 3), *(FOREST | one for one in each("trees", 1001, True, 0))],
    "leaves is": [*each("leaves", 4), *(FOREST | one for one in each("leaves", 0, 4097))],
    "name": each("name", 3),
    "unknown 'color'": each("color", 1),
}  # fmt: skip
OF_CLASSES = {
    "number of classes": [{"classes": ["a"], "counts": [1]}],
    "same class twice": each("classes", ["a", "a", "b"]),
    "class": each("classes", ["a", 1, "b"], "abc", [["a"], ["b"], ["c"]]),
    "1,111 classes, but at most": [{"classes": LEVELS * 11, "counts": [1] * 1111}],
    "class count": each("counts", [1, 2], [1, 2, -1], [1, 2, HUGE], [1, 2, 3.0]),
    "lacks": each("kind", "regression", ["classification"]),
    "unknown 'scale'": each("scale", 1.0),
}
OF_COVARIATE = {
    "same level twice": each("levels", ["f", "f"]),
    "covariate level": each("levels", "fm", [1], [["f"], ["m"]]),
    "covariate levels, but at most": each("levels", LEVELS),
    "covariate name": each("name", None),
    "covariate mean": each("mean", HUGE, nan),
    "covariate scale": each("scale", HUGE, 0.0),
    "unknown 'color'": each("color", 1),
}


@pytest.mark.parametrize(
    ("config", "place", "part", "changes"),
    [
        *((FULL, lambda model: model, *one) for one in OF_MODEL.items()),
        *((FULL, lambda model: model["target"], *one) for one in OF_TARGET.items()),
        *((CLASSIFIER, lambda model: model["target"], *one) for one in OF_CLASSES.items()),
        *(
            (CLASSIFIER, lambda model: model["target"]["covariates"][0], *one)
            for one in OF_COVARIATE.items()
        ),
    ],
)
def test_wrong_values_are_refused(refused, config, place, part, changes):
    for change in changes:
        content = json.loads(json.dumps(config.to_json()))
        place(content).update(change)
        refused(ModelConfig.from_json, part, content=content)


def test_covariates_have_a_limit_that_keeps_models_small(refused):
    """What is read is multiplied by random features, which no file has to hold."""
    most = tuple(Covariate(str(number), tuple(LEVELS[:100])) for number in range(256))
    assert describe_classes(covariates=most).covariate_inputs * 2048 * 4 < 2**28
    one_more = (*most, Covariate("another"))
    refused(describe_classes, "number of covariates", "256", covariates=one_more)


def test_wrong_training_settings_are_refused(refused):
    of_numbers = [*each("epochs", 0, 1.5), *each("batch_size", 0), *each("patience", 0)]
    of_steps = [*each("learning_rate", 0.0, nan), *each("gradient_clipping", 0.0)]
    for change in (*of_numbers, *of_steps, {"class_weights": "rare"}):
        refused(TrainingConfig, *change, **change)

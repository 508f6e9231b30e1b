import dataclasses
import json

import pytest
from simulated_study import describe_classes, describe_target

from q2_aam.config import (
    LIMITS,
    Covariate,
    ModelConfig,
    TrainingConfig,
    model,
)
from q2_aam.errors import AAMError

TARGET = describe_target(scaling="z-score", location=3.5, scale=2.0, residuals=(0.5, 1.25))
COVARIATES = (Covariate("sex", ("f", "m")), Covariate("bmi", (), 22.5, 3.0))
CLASSES = describe_classes(covariates=COVARIATES, covariate_fusion="gate")
FULL = ModelConfig(hidden_size=24, heads=3, rarefaction_depth=900, target=TARGET)
CLASSIFIER = dataclasses.replace(FULL, target=CLASSES)
FOREST = {"heads": ("ridge", "forest"), "trees": 5, "leaves": 9}
LEVELS = [f"l{number}" for number in range(101)]


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_limits_are_held_at_both_ends(refused, name):
    low, high = LIMITS[name]
    config = ModelConfig()
    for wrong in (low - 1, high + 1, -1, 1.0, "8", None, True):
        refused(lambda wrong=wrong: dataclasses.replace(config, **{name: wrong}), name, str(high))
    if name not in ("hidden_size", "heads"):
        for right in (low, high):
            assert getattr(dataclasses.replace(config, **{name: right}), name) == right


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"hidden_size": 10, "heads": 4}, ["hidden_size (10)", "multiple of heads (4)"]),
        ({"format_version": 3}, ["format version 3", "Update q2-aam"]),
        ({"format_version": 3, "new": 1}, ["format version 3", "Update q2-aam"]),
        ({"format_version": 0}, ["format_version is 0"]),
        ({"format_version": True}, ["format_version is True"]),
        ({"format_version": "x" * 10**6}, ["format_version is 'xxx", "…"]),
        ({"distance_form": "cosine"}, ["distance_form", "'cosine'", "branches, euclidean"]),
        ({"distance_state": "new"}, ["distance_state", "'new'"]),
        ({"rarefaction_depth": 0}, ["rarefaction_depth"]),
        ({"asv_tips": 1}, ["asv_tips", "true or false"]),
        ({"target": []}, ["list where a table belongs"]),
        ({"target": {}}, ["lacks"]),
        ({"color": 1}, ["unknown 'color'"]),
    ],
)
def test_wrong_values_are_refused(refused, change, parts):
    refused(lambda: ModelConfig.from_json(FULL.to_json() | change), *parts)


@pytest.mark.parametrize("content", [None, [], "x", 3])
def test_what_is_not_a_table_is_refused(content):
    with pytest.raises(AAMError, match="where a table belongs"):
        ModelConfig.from_json(content)


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
            if name == "features":  # models of before there was a choice
                assert ModelConfig.from_json(content).target.features == "auto"
                continue
            refused(lambda content=content: ModelConfig.from_json(content), "lacks", name)


OF_TARGET = [
    ({"scale": 0.0}, "scale is 0.0"),
    ({"scale": -1.0}, "scale is -1.0"),
    ({"scale": float("nan")}, "target scale"),
    ({"location": float("inf")}, "target location"),
    ({"location": 10**400}, "target location"),
    ({"residuals": [-(10**400)]}, "residuals"),
    ({"residuals": "12"}, "residuals"),
    ({"residuals": [float("nan")]}, "residuals"),
    ({"residuals": [[1.0]]}, "residuals"),
    ({"residual_weights": [1.0]}, "number of residual weights"),
    ({"residual_weights": [1.0, 0.0]}, "residual weight"),
    ({"covariates": [None] * 300}, "300 covariates, but at most 256"),
    ({"covariates": "sex"}, "covariates"),
    ({"covariates": ["sex"]}, "where a table belongs"),
    ({"covariates": [vars(COVARIATES[0])] * 2}, "same covariate twice"),
    ({"covariate_fusion": "sum"}, "covariate_fusion"),
    ({"mean": "3"}, "target mean"),
    ({"vocabulary_size": 0}, "vocabulary_size"),
    ({"vocabulary_size": 10**6}, "vocabulary_size"),
    ({"features": "otus"}, "features is 'otus'"),
    ({"features": "asvs", "vocabulary_size": 0}, "vocabulary_size is 0"),
    ({"features": "clades"}, "vocabulary_size is 6"),
    ({"minimum": True}, "target minimum"),
    ({"scaling": "log"}, "target scaling"),
    ({"loss": "absolute"}, "target loss"),
    ({"quantile_range": 0.0}, "quantile_range"),
    ({"quantile_range": 1.0}, "quantile_range"),
    ({"bounded": 1}, "bounded"),
    ({"kind": "ranking"}, "target kind"),
    ({"heads": []}, "not in the order"),
    ({"heads": ["forest", "ridge"]}, "not in the order"),
    ({"heads": ["ridge", "ridge"]}, "not in the order"),
    ({"heads": ["ridge", "oracle"]}, "head is 'oracle'"),
    ({"heads": "ridge"}, "heads"),
    ({"random_features": -1}, "random_features is -1"),
    ({"clades": -1}, "clades is -1"),
    ({"clades": 2**14 + 1}, "clades is 16385"),
    ({"features": "clades", "vocabulary_size": 0, "clades": 3}, "clades is 3"),
    (FOREST | {"trees": 1001}, "trees is 1001"),
    (FOREST | {"trees": True}, "trees is True"),
    (FOREST | {"trees": 0}, "trees is 0"),
    (FOREST | {"leaves": 0}, "leaves is 0"),
    (FOREST | {"leaves": 4097}, "leaves is 4097"),
    ({"trees": 3}, "trees is 3"),
    ({"leaves": 4}, "leaves is 4"),
    ({"name": 3}, "name"),
    ({"color": 1}, "unknown 'color'"),
]
OF_CLASSES = [
    ({"classes": ["a"], "counts": [1]}, "number of classes"),
    ({"classes": ["a", "a", "b"]}, "same class twice"),
    ({"classes": ["a", 1, "b"]}, "class"),
    ({"classes": "abc"}, "classes"),
    ({"classes": [["a"], ["b"], ["c"]]}, "class"),
    ({"classes": LEVELS * 11, "counts": [1] * 1111}, "1,111 classes, but at most"),
    ({"counts": [1, 2]}, "class counts"),
    ({"counts": [1, 2, -1]}, "class count"),
    ({"counts": [1, 2, 10**400]}, "class count"),
    ({"counts": [1, 2, 3.0]}, "class count"),
    ({"kind": "regression"}, "lacks"),
    ({"kind": ["classification"]}, "lacks"),
    ({"scale": 1.0}, "unknown 'scale'"),
]
OF_COVARIATE = [
    ({"levels": ["f", "f"]}, "same level twice"),
    ({"levels": "fm"}, "covariate levels"),
    ({"levels": [1]}, "covariate level"),
    ({"levels": [["f"], ["m"]]}, "covariate level"),
    ({"levels": LEVELS}, "covariate levels, but at most"),
    ({"name": None}, "covariate name"),
    ({"mean": 10**400}, "covariate mean"),
    ({"mean": float("nan")}, "covariate mean"),
    ({"scale": 10**400}, "covariate scale"),
    ({"scale": 0.0}, "covariate scale"),
    ({"color": 1}, "unknown 'color'"),
]


@pytest.mark.parametrize(
    ("config", "place", "change", "part"),
    [
        *((FULL, lambda target: target, *one) for one in OF_TARGET),
        *((CLASSIFIER, lambda target: target, *one) for one in OF_CLASSES),
        *((CLASSIFIER, lambda target: target["covariates"][0], *one) for one in OF_COVARIATE),
    ],
)
def test_wrong_targets_are_refused(refused, config, place, change, part):
    content = json.loads(json.dumps(config.to_json()))
    place(content["target"]).update(change)
    refused(lambda: ModelConfig.from_json(content), part)


def test_covariates_have_a_limit_that_keeps_models_small(refused):
    """What is read is multiplied by random features, which no file has to hold."""
    most = tuple(Covariate(str(number), tuple(LEVELS[:100])) for number in range(256))
    assert describe_classes(covariates=most).covariate_inputs * 2048 * 4 < 2**28
    one_more = (*most, Covariate("another"))
    refused(lambda: describe_classes(covariates=one_more), "number of covariates", "256")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("epochs", 0), ("epochs", 1.5), ("batch_size", 0), ("patience", 0),
        ("class_weights", "rare"),
        ("learning_rate", 0.0), ("learning_rate", float("nan")), ("gradient_clipping", 0.0),
    ],
)  # fmt: skip
def test_wrong_training_settings_are_refused(refused, name, wrong):
    refused(lambda: TrainingConfig(**{name: wrong}), name)

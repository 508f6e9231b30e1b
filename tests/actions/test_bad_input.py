"""Every input that cannot be used is refused with one message that helps."""

import biom
import numpy as np
import pandas as pd
import pytest
import quick_actions as quick
import simulated_study as sim
import skbio


def renamed(study, change):
    """Give the samples of a study other ids."""
    frames = ("counts", "ages", "subjects")
    return study.replaced(**{name: getattr(study, name).rename(index=change) for name in frames})


def beside(matrix) -> dict:
    """Return the settings of a fit that learns distances, too."""
    return {"distance_matrix": matrix, "freeze_encoder": False}


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (str.lower, "upper and lower case"),
        (lambda name: f"10249.x.{name}", "without the prefix '10249.x.'"),
        (lambda name: f"other{name}", "same study"),
    ],
)
def test_no_shared_ids(refused, study, change, cause):
    other = renamed(study, change)
    parts = ("The table: 20 ids", repr(sorted(other.counts.index)[0]), "and 15 more", cause)
    matrix, of_matrix = other.distances, "the distance matrix: 20 ids"
    refused(quick.pretrain, of_matrix, *parts, study=study, distances=matrix)
    refused(quick.fit, of_matrix, *parts, study=study, **beside(matrix))
    for act in (quick.fit, quick.split):
        of_ages = "the metadata column 'age': 20 ids"
        refused(act, of_ages, *parts, study=study, values=other.ages)
        refused(act, "column 'child'", *parts, study=study, groups=other.subject_column)


def test_some_missing_ids(refused, aam, study):
    part = study.select(study.counts.index[:13])
    named = ("7 samples of 20", "'S013'", "'S017' and 2 more", "'missing_samples' to 'ignore'")
    matrix, of_matrix = part.distances, "the distance matrix"
    refused(quick.pretrain, of_matrix, *named, study=study, distances=matrix)
    refused(quick.fit, of_matrix, *named, study=study, **beside(matrix))
    for act in (quick.fit, quick.split):
        refused(act, "the metadata column 'age'", *named, study=study, values=part.ages)
    two = {"tables": [study.table] * 2, "distance_matrices": [study.distances, matrix]}
    given = sim.TINY | {"sequences": [study.sequences]}
    refused(aam.pretrain, "the distance matrix of table 2", **two, **given)
    three = two | {"tables": [study.table] * 3}
    refused(aam.pretrain, "3 tables", "2 distance matrices", **three, **given)
    quick.pretrain(study, matrix, missing_samples="ignore", epochs=1)
    quick.fit(study, part.ages, missing_samples="ignore")
    # half of them match but for their case: leaving out the others would lose half of the samples
    names = list(study.ages.index)
    half = renamed(study, lambda name: name.lower() if names.index(name) % 2 else name)
    parts = ("10 samples of 20", "only in upper and lower case")
    message = refused(quick.fit, *parts, study=study, values=half.ages)
    assert message.index("case") < message.index("'missing_samples'")


@pytest.mark.parametrize(
    ("known", "parts"),
    [
        (0, ("40 feature ids of 40", "not DNA", "and 35 more", "'sequences'")),
        (32, ("8 features of 40", "and 3 more", "32 ids", "filter-features")),
    ],
)
def test_ids_that_are_not_dna_or_have_no_sequence(refused, aam, study, pretrained, known, parts):
    some = sim.sequences_artifact(study.dna.iloc[8:]) if known else None
    refused(quick.pretrain, *parts, study=study, sequences=some and [some])
    refused(quick.fit, *parts, study=study, sequences=some)
    given = {"table": study.table, "model": pretrained.encoder, "sequences": some}
    refused(aam.predict_distances, *parts, **given)


def test_features_that_are_taxa_or_have_two_sequences(refused, study):
    taxa = [f"k__Bacteria;p__P;c__C;o__O;f__F;g__G{place}" for place in range(40)]
    collapsed = study.replaced(counts=study.counts.set_axis(taxa, axis=1))
    parts = ("40 feature ids", "are taxa", "collapsed table cannot be read", "table of ASVs")
    for sequences in (None, study.sequences):
        refused(quick.fit, *parts, study=collapsed, sequences=sequences)
    dna = study.dna.copy()
    dna.iloc[:6] = dna.iloc[:6].str[::-1]
    both = [study.sequences, sim.sequences_artifact(dna)]
    parts = ("6 feature ids", "different sequences", "and 1 more")
    refused(quick.pretrain, *parts, study=study, sequences=both)


def test_an_empty_table(refused, aam, study, pretrained):
    empty = {"table": sim.table_artifact(biom.Table(np.zeros((0, 0)), [], []))}
    parts = ("the table is empty", "0 samples", "filtering")
    for act in (aam.fit_regressor, aam.split_samples):
        refused(act, *parts, metadata=study.age_column, **empty)
    refused(aam.predict_distances, *parts, model=pretrained.encoder, **empty)
    refused(lambda table: aam.pretrain([table], [study.distances]), *parts, **empty)


def test_samples_without_features(refused, study):
    counts = study.counts.copy()
    counts.iloc[:7] = 0
    other = study.replaced(counts=counts)
    parts = ("7 samples of 20", "no features", "'S000'", "and 2 more", "filter-samples")
    refused(quick.pretrain, *parts, study=other, distances=study.distances)
    refused(quick.fit, *parts, study=other)


def test_fewer_than_ten_samples(refused, study):
    part = study.select(study.counts.index[:9])
    parts = ("Only 9 samples", "at least 10")
    for act in (quick.pretrain, quick.fit, quick.split):
        refused(act, *parts, study=part)
    few = study.ages.index < "S009"
    for given in (
        {"missing_samples": "ignore"} | beside(part.distances),
        {"values": study.ages.where(few)},
        {"groups": sim.column_of(study.subjects.where(few))},
    ):
        refused(quick.fit, *parts, study=study, **given)


@pytest.mark.parametrize("scaling", ["none", "min-max", "z-score"])
def test_a_constant_target(refused, study, scaling):
    """Everywhere, where all others have a blank group, or where weights are trained."""
    from q2_aam.data.splits import train_test_split

    constant, given = study.ages * 0 + 4.5, {"study": study, "target_scaling": scaling}
    parts = ("All 20 samples", "'age' (4.5)", "nothing to learn")
    refused(quick.fit, *parts, values=constant, **given)
    groups = study.subjects.copy()
    groups.iloc[:3] = None
    some = constant.where(groups.notna(), study.ages)
    refused(quick.fit, "same 'age' (4.5)", values=some, groups=sim.column_of(groups), **given)
    _, held = train_test_split(list(study.counts.index), 0.5, seed=0)
    constant[held[0]] = 9.0
    given |= {"validation_size": 0.5, "random_seed": 0, "attention_head": "on"}
    parts = ("All 10 training samples have the same 'age' (4.5)", "random_seed")
    refused(quick.fit, *parts, values=constant, **given)


def test_infinite_targets(refused, study):
    """QIIME 2 refuses infinities in metadata; so do we, should it ever let them through."""
    from q2_aam.data.alignment import numeric_labels
    from q2_aam.data.table import read_table

    ages = study.ages.where(study.ages.index > "S006", np.inf)
    with pytest.raises(ValueError, match="infinity"):
        sim.column_of(ages)
    parts = ("7 samples", "infinite 'age'", "'S004' and 2 more")
    refused(lambda: numeric_labels(read_table(study.biom), ages, "error"), *parts)


def test_nothing_to_keep_apart_or_to_validate_or_test_on(refused, study):
    one = {"groups": sim.column_of(pd.Series("same", index=study.ages.index, name="site"))}
    none = {"validation_size": 0.0, "attention_head": "on"}
    for act, parts, given in (
        (quick.fit, ("'site'", "one group only", "'same'", "'groups'"), one),
        (quick.split, ("'site'", "one group only", "'same'", "'groups'"), one),
        (quick.fit, ("validation_size of 0", "at least 0.05"), none),
        (quick.pretrain, ("validation_size of 0.01", "20"), {"validation_size": 0.01}),
        (quick.split, ("test_size", "no sample of 20"), {"test_size": 0.0}),
    ):
        refused(act, *parts, study=study, **given)


@pytest.mark.parametrize(
    ("pair", "parts"),
    [
        ((-0.25, -0.25), ["2 values", "outside [0, 1]", "S000 – S003: -0.25"]),
        ((0.25, 0.5), ["2 values", "asymmetric", "S000 – S003: 0.25"]),
        (("NaN", ""), ["2 values", "NaN", "S000 – S003"]),
        (("many", "inf"), ["not a table of numbers", "many"]),
    ],
)
def test_matrices_that_are_not_unifrac(refused, study, tmp_path, pair, parts):
    values = study.unifrac.data.astype(object)
    values[0, 3], values[3, 0] = pair
    matrix = sim.distances_text_artifact(sim.matrix_text(study.unifrac.ids, values), tmp_path)
    refused(quick.pretrain, *parts, study=study, distances=matrix)
    refused(quick.fit, *parts, study=study, **beside(matrix))


def test_a_matrix_of_percentages_shows_five_pairs(refused, study):
    percent = skbio.DistanceMatrix(study.unifrac.data * 100, study.ages.index)
    given = {"study": study, "distances": sim.distances_artifact(percent)}
    assert refused(quick.pretrain, "outside [0, 1]", "375 more", **given).count("–") == 5


@pytest.mark.parametrize(
    ("act", "settings", "parts"),
    [
        (quick.pretrain, {"initial_encoder": True, "pretrained": "bundled", "heads": None,
                          "hidden_size": 32, "branches": 64},
         ["hidden_size: 32 was asked for, the encoder has 16",
          "branches: 64 was asked for, the encoder has 32", "cannot be changed"]),
        (quick.pretrain, {"pretrained": "bundled"},
         ["hidden_size: 16 was asked for", "'none' to train"]),
        (quick.pretrain, {"hidden_size": 18, "heads": 4}, ["hidden_size (18)", "heads (4)"]),
        (quick.fit, {"distance_matrix": True},
         ["would train the encoder", "--p-no-freeze-encoder"]),
        (quick.fit, {"epochs": 3, "learning_rate": 0.1, "validation_size": 0.3},
         ["3 settings would have no effect", "'epochs'", "'learning_rate'", "'validation_size'",
          "'attention_head'", "'freeze_encoder'"]),
        (quick.fit, {"freeze_encoder": False, "attention_head": "off"},
         ["'attention_head' is 'off'"]),
        (quick.fit, {"unifrac_weight": 2.0}, ["'unifrac_weight'", "'distance_matrix'"]),
        (quick.fit, {"target_weight": 0.5}, ["'target_weight'", "nothing else is learned"]),
        (quick.fit, {"quantile_range": 0.5}, ["'quantile_range'", "'target_loss' is 'huber'"]),
        (quick.fit, {"target_loss": "quantile", "n_estimators": 0},
         ["'n_estimators' is 0", "'quantile'"]),
        (quick.fit, {"encoder": True, "pretrained": "none"}, ["'encoder' was given"]),
        (quick.fit, sim.TINY_FIT | {"features": "clades"}, ["has learned no clades", "bundled"]),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_or_have_no_effect(
    refused, study, pretrained, act, settings, parts
):
    given = settings.copy()
    for name in settings.keys() & {"distance_matrix", "encoder", "initial_encoder"}:
        given[name] = study.distances if name == "distance_matrix" else pretrained.encoder
    message = refused(act, *parts, study=study, **given)
    assert settings.get("heads", "") is not None or "heads" not in message


def test_distances_that_were_never_trained_or_went_stale(refused, study, pretrained, descended):
    encoder = {"encoder": pretrained.encoder, "pretrained": "bundled", "freeze_encoder": False}
    for given, parts in (
        ({}, ["never learned distances", "pretrain"]),
        (encoder, ["after its distances were learned", "freeze_encoder"]),
    ):
        fitted = quick.fit(study, **sim.TINY_FIT | given)
        refused(quick.distances, *parts, study=study, model=fitted.regressor)
    assert quick.distances(study, descended.regressor)

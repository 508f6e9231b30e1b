"""Every input that cannot be used is refused with one message that helps."""

import dataclasses

import biom
import numpy as np
import pandas as pd
import pytest
import quick_actions as quick
import simulated_study as sim
import skbio


def renamed(study, change):
    """Give the samples of a study other ids."""
    return dataclasses.replace(
        study, counts=study.counts.rename(index=change), ages=study.ages.rename(change),
        subjects=study.subjects.rename(change),
    )  # fmt: skip


@pytest.fixture
def pretrain(aam, study):
    def run(tables=None, matrices=None, sequences=True, **settings):
        aam.pretrain(
            tables or [study.table], matrices or [study.distances],
            sequences=[study.sequences] if sequences is True else sequences, **sim.TINY | settings,
        )  # fmt: skip

    return run


@pytest.fixture
def fit(study):
    def run(other=study, values=None, **settings):
        quick.fit(other, values, **{"sequences": study.sequences} | settings)

    return run


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (str.lower, "upper and lower case"),
        (lambda name: f"10249.x.{name}", "without the prefix '10249.x.'"),
        (lambda name: f"other{name}", "same study"),
    ],
)
def test_no_shared_ids(refused, aam, study, pretrain, fit, change, cause):
    other = renamed(study, change)
    parts = ("The table: 20 ids", repr(sorted(other.counts.index)[0]), "and 15 more", cause)
    refused(lambda: pretrain(matrices=[other.distances]), "the distance matrix: 20 ids", *parts)
    refused(lambda: fit(values=other.ages), "the metadata column 'age': 20 ids", *parts)
    refused(lambda: fit(groups=other.subject_column), "column 'child'", *parts)
    matrix = {"distance_matrix": other.distances, "freeze_encoder": False}
    refused(lambda: fit(**matrix), "distance matrix", *parts)
    refused(lambda: aam.split_samples(study.table, other.age_column), *parts)


def test_some_missing_ids(refused, study, pretrain, fit, aam):
    part = study.select(study.counts.index[:13])
    named = ("7 samples of 20", "'S013'", "'S017' and 2 more", "'missing_samples' to 'ignore'")
    refused(lambda: pretrain(matrices=[part.distances]), "the distance matrix", *named)
    refused(lambda: fit(values=part.ages), "the metadata column 'age'", *named)
    matrix = {"distance_matrix": part.distances, "freeze_encoder": False}
    refused(lambda: fit(**matrix), "the distance matrix", *named)
    refused(lambda: aam.split_samples(study.table, part.age_column), *named)
    refused(
        lambda: pretrain([study.table] * 2, [study.distances, part.distances]),
        "the distance matrix of table 2",
    )
    pretrain(matrices=[part.distances], missing_samples="ignore", epochs=1)
    fit(values=part.ages, missing_samples="ignore")


def test_some_ids_that_differ_in_case_alone(refused, study, fit):
    """Half of them match: leaving out the others would lose half of the samples."""
    names = list(study.ages.index)
    half = renamed(study, lambda name: name.lower() if names.index(name) % 2 else name)
    message = refused(
        lambda: fit(values=half.ages), "10 samples of 20", "only in upper and lower case"
    )
    assert message.index("case") < message.index("'missing_samples'")


def test_numbers_of_tables_and_matrices_differ(refused, study, pretrain):
    tables = [study.table] * 3
    refused(lambda: pretrain(tables, [study.distances]), "3 tables", "1 distance matrix")


@pytest.mark.parametrize(
    ("known", "parts"),
    [
        (0, ("40 feature ids of 40", "not DNA", "and 35 more", "'sequences'")),
        (32, ("8 features of 40", "and 3 more", "32 ids", "filter-features")),
    ],
)
def test_ids_that_are_not_dna_or_have_no_sequence(
    refused, study, pretrain, fit, aam, pretrained, known, parts
):
    some = sim.sequences_artifact(study.dna.iloc[8:]) if known else None
    refused(lambda: pretrain(sequences=some and [some]), *parts)
    refused(lambda: fit(sequences=some), *parts)
    refused(lambda: aam.predict_distances(study.table, pretrained.encoder, some), *parts)


def test_a_collapsed_table_cannot_be_read(refused, study, fit):
    taxa = [f"k__Bacteria;p__P;c__C;o__O;f__F;g__G{place}" for place in range(40)]
    collapsed = dataclasses.replace(study, counts=study.counts.set_axis(taxa, axis=1))
    parts = ("40 feature ids", "are taxa", "collapsed table cannot be read", "table of ASVs")
    refused(lambda: fit(collapsed, sequences=None), *parts)
    refused(lambda: fit(collapsed), *parts)


def test_one_id_for_two_sequences(refused, study, pretrain):
    dna = study.dna.copy()
    dna.iloc[:6] = dna.iloc[:6].str[::-1]
    refused(
        lambda: pretrain(sequences=[study.sequences, sim.sequences_artifact(dna)]),
        "6 feature ids", "different sequences", "and 1 more",
    )  # fmt: skip


def test_an_empty_table(refused, study, pretrain, aam, pretrained):
    empty = sim.table_artifact(biom.Table(np.zeros((0, 0)), [], []))
    refused(lambda: pretrain([empty]), "the table is empty", "0 samples")
    refused(lambda: aam.fit_regressor(empty, study.age_column), "the table is empty", "filtering")
    refused(lambda: aam.predict_distances(empty, pretrained.encoder), "the table is empty")
    refused(lambda: aam.split_samples(empty, study.age_column), "the table is empty")


def test_samples_without_features(refused, study, pretrain, fit):
    counts = study.counts.copy()
    counts.iloc[:7] = 0
    other = dataclasses.replace(study, counts=counts)
    parts = ("7 samples of 20", "no features", "'S000'", "and 2 more", "filter-samples")
    refused(lambda: pretrain([other.table]), *parts)
    refused(lambda: fit(other), *parts)


def test_fewer_than_ten_samples(refused, study, pretrain, fit, aam):
    part = study.select(study.counts.index[:9])
    parts = ("Only 9 samples", "at least 10")
    refused(lambda: pretrain([part.table], [part.distances]), *parts)
    refused(lambda: fit(part), *parts)
    refused(lambda: aam.split_samples(part.table, study.age_column), *parts)
    matrix = {"distance_matrix": part.distances, "freeze_encoder": False}
    refused(lambda: fit(missing_samples="ignore", **matrix), *parts)
    refused(lambda: fit(values=study.ages.where(study.ages.index < "S009")), *parts, "'age'")
    few = quick.column_of(study.subjects.where(study.ages.index < "S009"))
    refused(lambda: fit(groups=few), *parts)


def test_a_constant_target(refused, study, fit):
    """Everywhere, or where all other samples have a blank group."""
    constant = study.ages * 0 + 4.5
    refused(lambda: fit(values=constant), "All 20 samples", "'age' (4.5)", "nothing to learn")
    groups = study.subjects.copy()
    groups.iloc[:3] = None
    some = constant.where(groups.notna(), study.ages)
    refused(lambda: fit(values=some, groups=quick.column_of(groups)), "same 'age' (4.5)")


@pytest.mark.parametrize("scaling", ["none", "min-max", "z-score"])
def test_a_target_that_is_constant_where_weights_are_trained(refused, study, fit, scaling):
    from q2_aam.data.splits import train_test_split

    _, held = train_test_split(list(study.counts.index), 0.5, seed=0)
    column = study.ages * 0 + 4.5
    column[held[0]] = 9.0
    refused(
        lambda: fit(
            values=column, target_scaling=scaling, validation_size=0.5, random_seed=0,
            attention_head="on",
        ),
        "All 10 training samples have the same 'age' (4.5)", "random_seed",
    )  # fmt: skip


def test_infinite_targets(refused, study):
    """QIIME 2 refuses infinities in metadata; so do we, should it ever let them through."""
    from q2_aam.data.alignment import numeric_labels
    from q2_aam.data.table import read_table

    column = study.ages.copy()
    column.iloc[:7] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        sim.ages_of(study, lambda ages: ages.update(column))
    refused(
        lambda: numeric_labels(read_table(study.biom), column, "error"),
        "7 samples", "infinite 'age'", "'S004' and 2 more",
    )  # fmt: skip


def test_a_group_column_with_one_group(refused, study, fit, aam):
    one = quick.column_of(pd.Series("same", index=study.ages.index, name="site"))
    parts = ("'site'", "one group only", "'same'", "'groups'")
    refused(lambda: fit(groups=one), *parts)
    refused(lambda: aam.split_samples(study.table, study.age_column, groups=one), *parts)


def test_nothing_to_validate_or_test_on(refused, study, fit, pretrain, aam):
    none = {"validation_size": 0.0, "attention_head": "on"}
    refused(lambda: fit(**none), "validation_size of 0", "at least 0.05")
    refused(lambda: pretrain(validation_size=0.01), "validation_size of 0.01", "20")
    refused(
        lambda: aam.split_samples(study.table, study.age_column, test_size=0.0),
        "test_size", "no sample of 20",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pair", "parts"),
    [
        ((1.25, 1.25), ["2 values", "outside [0, 1]", "S000 – S003: 1.25"]),
        ((-0.25, -0.25), ["2 values", "outside [0, 1]", "S000 – S003: -0.25"]),
        ((0.25, 0.5), ["2 values", "asymmetric", "S000 – S003: 0.25"]),
        (("nan", "nan"), ["2 values", "NaN", "S000 – S003"]),
        (("NaN", ""), ["2 values", "NaN"]),
        (("inf", "inf"), ["outside [0, 1]", "inf"]),
        (("many", "many"), ["not a table of numbers", "many"]),
    ],
)
def test_matrices_that_are_not_unifrac(refused, study, pretrain, fit, tmp_path, pair, parts):
    values = study.unifrac.data.astype(object)
    values[0, 3], values[3, 0] = pair
    matrix = sim.distances_text_artifact(sim.matrix_text(study.unifrac.ids, values), tmp_path)
    refused(lambda: pretrain(matrices=[matrix]), *parts)
    refused(lambda: fit(distance_matrix=matrix, freeze_encoder=False), *parts)


def test_a_matrix_of_percentages_shows_five_pairs(refused, study, pretrain):
    percent = sim.distances_artifact(
        skbio.DistanceMatrix(study.unifrac.data * 100, study.ages.index)
    )
    message = refused(lambda: pretrain(matrices=[percent]), "outside [0, 1]", "375 more")
    assert message.count("–") == 5


def test_parameters_that_contradict_the_encoder(refused, pretrain, pretrained):
    parts = ("hidden_size: 32 was asked for, the encoder has 16", "cannot be changed")
    given = {"pretrained": "bundled", "heads": None, "hidden_size": 32, "branches": 64}
    message = refused(lambda: pretrain(initial_encoder=pretrained.encoder, **given), *parts)
    assert "branches: 64 was asked for, the encoder has 32" in message
    assert "heads" not in message
    refused(
        lambda: pretrain(pretrained="bundled"), "hidden_size: 16 was asked for", "'none' to train"
    )
    refused(lambda: pretrain(hidden_size=18, heads=4), "hidden_size (18)", "heads (4)")


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"distance_matrix": True}, ["would train the encoder", "--p-no-freeze-encoder"]),
        (
            {"epochs": 3, "learning_rate": 0.1, "validation_size": 0.3},
            ["3 settings would have no effect", "'epochs'", "'learning_rate'", "'validation_size'",
             "'attention_head'", "'freeze_encoder'"],
        ),
        ({"freeze_encoder": False, "attention_head": "off"}, ["'attention_head' is 'off'"]),
        ({"unifrac_weight": 2.0}, ["'unifrac_weight'", "'distance_matrix'"]),
        ({"target_weight": 0.5}, ["'target_weight'", "nothing else is learned"]),
        ({"quantile_range": 0.5}, ["'quantile_range'", "'target_loss' is 'huber'"]),
        ({"target_loss": "quantile", "n_estimators": 0}, ["'n_estimators' is 0", "'quantile'"]),
        ({"encoder": True, "pretrained": "none"}, ["'encoder' was given"]),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_or_have_no_effect(
    refused, study, fit, pretrained, settings, parts
):
    artifacts = {"distance_matrix": study.distances, "encoder": pretrained.encoder}
    given = settings | {name: artifacts[name] for name in settings.keys() & artifacts}
    refused(lambda: fit(**given), *parts)


def test_distances_that_were_never_trained_or_went_stale(refused, study, pretrained, descended):
    encoder = {"encoder": pretrained.encoder, "pretrained": "bundled", "freeze_encoder": False}
    for given, parts in (
        ({}, ["never learned distances", "pretrain"]),
        (encoder, ["after its distances were learned", "freeze_encoder"]),
    ):
        fitted = quick.fit(study, **sim.TINY_FIT | given).regressor
        refused(lambda fitted=fitted: quick.distances(study, fitted), *parts)
    assert quick.distances(study, descended.regressor)


def test_an_encoder_is_no_regressor(aam, study, pretrained):
    with pytest.raises(TypeError, match="AAMRegressor"):
        aam.predict_regression(study.table, pretrained.encoder, sequences=study.sequences)

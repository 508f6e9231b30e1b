"""Every input that cannot be used is refused with one message that helps."""

import biom
import numpy as np
import pandas as pd
import pytest
import qiime2
import skbio
from simulated_study import (
    QUICK_FIT,
    TINY,
    TINY_FIT,
    SimulatedStudy,
    ages_of,
    distances_artifact,
    distances_text_artifact,
    matrix_text,
    table_artifact,
)


def renamed(study: SimulatedStudy, change) -> SimulatedStudy:
    """Give the samples of a study other ids."""
    return SimulatedStudy(
        study.counts.rename(index=change), study.dna, study.tree, study.ages.rename(change),
        study.subjects.rename(change),
    )  # fmt: skip


@pytest.fixture
def pretrain(aam, study):
    def run(tables=None, matrices=None, sequences=True, **settings):
        aam.pretrain(
            tables or [study.table], matrices or [study.distances],
            sequences=[study.sequences] if sequences is True else sequences, **TINY | settings,
        )  # fmt: skip

    return run


@pytest.fixture
def fit(aam, study):
    def run(table=None, column=None, sequences=True, **settings):
        aam.fit_regressor(
            table or study.table, column or study.age_column,
            sequences=study.sequences if sequences is True else sequences, **QUICK_FIT | settings,
        )  # fmt: skip

    return run


# ids


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (str.lower, "upper and lower case"),
        (lambda name: f"10249.x.{name}", "without the prefix '10249.x.'"),
        (lambda name: f"other{name}", "same study"),
    ],
)
def test_no_shared_ids(refused, study, pretrain, fit, change, cause):
    other = renamed(study, change)
    first = repr(sorted(other.counts.index)[0])
    refused(
        lambda: pretrain(matrices=[other.distances]),
        "The table: 20 ids", "the distance matrix: 20 ids", "'S004' and 15 more", first, cause,
    )  # fmt: skip
    refused(
        lambda: fit(column=other.age_column),
        "The table: 20 ids", "the metadata column 'age': 20 ids", first, cause,
    )  # fmt: skip


def test_no_shared_ids_with_groups_or_matrix(refused, study, fit):
    other = renamed(study, lambda name: f"other{name}")
    refused(lambda: fit(groups=other.subject_column), "no ids in common", "column 'child'")
    refused(
        lambda: fit(distance_matrix=other.distances, freeze_encoder=False),
        "no ids in common",
        "distance matrix",
    )


def test_split_samples_refuses_other_ids(refused, aam, study):
    other = renamed(study, str.lower)
    refused(lambda: aam.split_samples(study.table, other.age_column), "no ids in common", "case")


def test_some_missing_ids(refused, study, pretrain, fit, aam):
    part = study.select(study.counts.index[:13])
    named = ("7 samples of 20", "'S013'", "'S017' and 2 more", "'missing_samples' to 'ignore'")
    refused(lambda: pretrain(matrices=[part.distances]), "the distance matrix", *named)
    refused(lambda: fit(column=part.age_column), "the metadata column 'age'", *named)
    refused(
        lambda: fit(distance_matrix=part.distances, freeze_encoder=False),
        "the distance matrix",
        *named,
    )
    refused(lambda: aam.split_samples(study.table, part.age_column), *named)
    pretrain(matrices=[part.distances], missing_samples="ignore", epochs=1)
    fit(column=part.age_column, missing_samples="ignore")


def test_some_ids_that_differ_in_case_alone(refused, study, fit):
    """Half of them match: leaving out the others would lose half of the samples."""
    names = list(study.ages.index)
    half = renamed(study, lambda name: name.lower() if names.index(name) % 2 else name)
    message = refused(
        lambda: fit(column=half.age_column), "10 samples of 20", "only in upper and lower case"
    )
    assert message.index("case") < message.index("'missing_samples'")


def test_the_study_at_fault_is_numbered(refused, study, pretrain):
    part = study.select(study.counts.index[:13])
    refused(
        lambda: pretrain([study.table] * 2, [study.distances, part.distances]),
        "the distance matrix 2",
    )


def test_numbers_of_tables_and_matrices_differ(refused, study, pretrain):
    refused(
        lambda: pretrain([study.table] * 3, [study.distances]),
        "3 tables", "1 distance matrix", "same order",
    )  # fmt: skip


# sequences


def test_ids_that_are_not_dna(refused, study, pretrain, fit, aam, pretrained):
    parts = ("40 feature ids of 40", "not DNA", "and 35 more", "'sequences'")
    refused(lambda: pretrain(sequences=None), *parts)
    refused(lambda: fit(sequences=None), *parts)
    refused(lambda: aam.predict_distances(study.table, pretrained.encoder), *parts)


def test_features_without_a_sequence(refused, study, pretrain, fit, aam, pretrained):
    part = SimulatedStudy(study.counts, study.dna.iloc[8:], None, study.ages, None).sequences
    parts = ("8 features of 40", "and 3 more", "32 ids", "filter-features")
    refused(lambda: pretrain(sequences=[part]), *parts)
    refused(lambda: fit(sequences=part), *parts)
    refused(lambda: aam.predict_distances(study.table, pretrained.encoder, sequences=part), *parts)


def test_a_collapsed_table_cannot_be_read(refused, study, fit):
    taxa = [f"k__Bacteria;p__P;c__C;o__O;f__F;g__G{place}" for place in range(40)]
    table = SimulatedStudy(
        study.counts.set_axis(taxa, axis=1), study.dna, None, study.ages, None
    ).table
    for sequences in (None, True):
        refused(
            lambda sequences=sequences: fit(table, sequences=sequences),
            "40 feature ids", "are taxa", "collapsed table cannot be read", "table of ASVs",
        )  # fmt: skip


def test_one_id_for_two_sequences(refused, study, pretrain):
    dna = study.dna.copy()
    dna.iloc[:6] = dna.iloc[:6].str[::-1]
    other = SimulatedStudy(study.counts, dna, None, study.ages, None).sequences
    refused(
        lambda: pretrain(sequences=[study.sequences, other]),
        "6 feature ids", "different sequences", "and 1 more",
    )  # fmt: skip


# tables


def test_an_empty_table(refused, study, pretrain, fit, aam, pretrained):
    empty = table_artifact(biom.Table(np.zeros((0, 0)), [], []))
    refused(lambda: pretrain([empty]), "the table is empty", "0 samples")
    refused(lambda: fit(empty), "the table is empty", "filtering")
    refused(lambda: aam.predict_distances(empty, pretrained.encoder), "the table is empty")
    refused(lambda: aam.split_samples(empty, study.age_column), "the table is empty")


def test_samples_without_features(refused, study, pretrain, fit):
    counts = study.counts.copy()
    counts.iloc[:7] = 0
    table = SimulatedStudy(counts, study.dna, None, study.ages, None).table
    parts = ("7 samples of 20", "no features", "'S000'", "and 2 more", "filter-samples")
    refused(lambda: pretrain([table]), *parts)
    refused(lambda: fit(table), *parts)


def test_fewer_than_ten_samples(refused, study, pretrain, fit, aam):
    part = study.select(study.counts.index[:9])
    parts = ("Only 9 samples", "at least 10")
    refused(lambda: pretrain([part.table], [part.distances]), *parts)
    refused(lambda: fit(part.table), *parts)
    refused(lambda: aam.split_samples(part.table, study.age_column), *parts)
    refused(
        lambda: fit(distance_matrix=part.distances, missing_samples="ignore", freeze_encoder=False),
        *parts,
    )
    refused(
        lambda: fit(
            column=ages_of(study, lambda column: column.iloc.__setitem__(slice(9, 20), None))
        ),
        *parts, "'age'",
    )  # fmt: skip
    few = qiime2.CategoricalMetadataColumn(study.subjects.where(study.ages.index < "S009"))
    refused(lambda: fit(groups=few), *parts)


# targets and groups


def test_a_constant_target(refused, study, fit):
    column = ages_of(study, lambda column: column.__setitem__(slice(None), 4.5))
    refused(lambda: fit(column=column), "All 20 samples", "'age' (4.5)", "nothing to learn")


@pytest.mark.parametrize("scaling", ["none", "min-max", "z-score"])
def test_a_target_that_is_constant_where_weights_are_trained(refused, study, fit, scaling):
    from q2_aam.data.splits import train_test_split

    _, held = train_test_split(list(study.counts.index), 0.5, seed=0)
    column = ages_of(study, lambda column: column.__setitem__(slice(None), 4.5)).to_series()
    column[held[0]] = 9.0
    refused(
        lambda: fit(
            column=qiime2.NumericMetadataColumn(column), target_scaling=scaling,
            validation_size=0.5, random_seed=0, attention_head="on",
        ),
        "All 10 training samples have the same 'age' (4.5)", "random_seed",
    )  # fmt: skip


def test_a_target_left_constant_by_blank_groups(refused, study, fit):
    """Values that differ in samples without a group only are no target."""
    column = ages_of(study, lambda column: column.iloc.__setitem__(slice(3, 20), 4.5))
    groups = study.subjects.copy()
    groups.iloc[:3] = None
    refused(
        lambda: fit(column=column, groups=qiime2.CategoricalMetadataColumn(groups)),
        "same 'age' (4.5)",
    )


def test_infinite_targets(refused, study):
    """QIIME 2 refuses infinities in metadata; so do we, should it ever let them through."""
    from q2_aam.data.alignment import numeric_labels
    from q2_aam.data.table import read_table

    column = study.ages.copy()
    column.iloc[:7] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        qiime2.NumericMetadataColumn(column)
    refused(
        lambda: numeric_labels(read_table(study.biom), column, "error"),
        "7 samples", "infinite 'age'", "'S004' and 2 more",
    )  # fmt: skip


def test_a_group_column_with_one_group(refused, study, fit, aam):
    one = qiime2.CategoricalMetadataColumn(pd.Series("same", index=study.ages.index, name="site"))
    parts = ("'site'", "one group only", "'same'")
    refused(lambda: fit(groups=one), *parts)
    refused(lambda: aam.split_samples(study.table, study.age_column, groups=one), *parts)


def test_nothing_to_validate_or_test_on(refused, study, fit, pretrain, aam):
    refused(
        lambda: fit(validation_size=0.0, attention_head="on"), "validation_size of 0",
        "at least 0.05",
    )  # fmt: skip
    refused(lambda: pretrain(validation_size=0.01), "validation_size of 0.01", "20")
    refused(
        lambda: aam.split_samples(study.table, study.age_column, test_size=0.0),
        "test_size",
        "no sample of 20",
    )


# matrices


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
    unifrac = study.unifrac
    values = unifrac.data.astype(object)
    values[0, 3], values[3, 0] = pair
    matrix = distances_text_artifact(matrix_text(unifrac.ids, values), tmp_path)
    refused(lambda: pretrain(matrices=[matrix]), *parts)
    refused(lambda: fit(distance_matrix=matrix, freeze_encoder=False), *parts)


def test_a_matrix_of_percentages_shows_five_pairs(refused, study, pretrain):
    percent = distances_artifact(skbio.DistanceMatrix(study.unifrac.data * 100, study.ages.index))
    message = refused(lambda: pretrain(matrices=[percent]), "outside [0, 1]", "375 more")
    assert message.count("–") == 5


# models


def test_parameters_that_contradict_the_encoder(refused, study, pretrain, pretrained):
    parts = ("hidden_size: 32 was asked for, the encoder has 16", "cannot be changed")
    given = dict.fromkeys(("pretrained", "heads")) | {"hidden_size": 32, "branches": 64}
    given["pretrained"] = "bundled"
    message = refused(lambda: pretrain(encoder=pretrained.encoder, **given), *parts)
    assert "branches: 64 was asked for, the encoder has 32" in message
    assert "heads" not in message
    refused(
        lambda: pretrain(pretrained="bundled"), "hidden_size: 16 was asked for", "'none' to train"
    )


def test_an_architecture_that_cannot_be(refused, pretrain):
    refused(lambda: pretrain(hidden_size=18, heads=4), "hidden_size (18)", "heads (4)")


def test_settings_that_contradict_each_other(refused, study, fit, pretrained):
    """Or that have no effect, where heads are fitted in closed form."""
    refused(
        lambda: fit(distance_matrix=study.distances),
        "'distance_matrix' would train the encoder", "--p-no-freeze-encoder",
    )  # fmt: skip
    refused(lambda: fit(epochs=3, learning_rate=0.1), "2 settings would have no effect", "'epochs'")
    refused(lambda: fit(freeze_encoder=False, attention_head="off"), "'attention_head' is 'off'")
    refused(lambda: fit(unifrac_weight=2.0), "'unifrac_weight'", "'distance_matrix'")
    refused(lambda: fit(target_weight=0.5), "'target_weight'", "nothing else is learned")
    refused(lambda: fit(quantile_range=0.5), "'quantile_range'", "'target_loss' is 'huber'")
    refused(lambda: fit(target_loss="quantile", n_estimators=0), "'n_estimators' is 0")
    refused(lambda: fit(encoder=pretrained.encoder, pretrained="none"), "'encoder' was given")


def test_distances_that_were_never_trained_or_went_stale(
    refused, aam, study, pretrained, descended, pretrain
):
    untrained, stale = (
        aam.fit_regressor(
            study.table, study.age_column, sequences=study.sequences, **TINY_FIT | given
        ).regressor
        for given in (
            {}, {"encoder": pretrained.encoder, "pretrained": "bundled", "freeze_encoder": False},
        )
    )  # fmt: skip
    refused(
        lambda: aam.predict_distances(study.table, untrained, sequences=study.sequences),
        "never learned distances", "pretrain",
    )  # fmt: skip
    refused(
        lambda: aam.predict_distances(study.table, stale, sequences=study.sequences),
        "after its distances were learned", "freeze_encoder",
    )  # fmt: skip
    again = descended.regressor
    assert aam.predict_distances(study.table, again, sequences=study.sequences).distance_matrix


def test_an_encoder_is_no_regressor(aam, study, pretrained):
    with pytest.raises(TypeError, match="AAMRegressor"):
        aam.predict_regression(study.table, pretrained.encoder, sequences=study.sequences)

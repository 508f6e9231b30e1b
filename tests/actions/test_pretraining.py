"""What pretraining reads, and what it says of what it learned."""

import re

import numpy as np
import pytest
from simulated_study import TINY, model_of, simulate_study

from q2_aam.storage.training_log import read_training_log
from q2_aam.types import AAMTrainingLogDirectoryFormat


@pytest.fixture(scope="module")
def studies():
    """Two studies that name their samples differently."""
    one, other = simulate_study(14, 24, 3), simulate_study(12, 20, 4)
    matrix = other.unifrac.copy()
    matrix.ids = [f"other-{name}" for name in matrix.ids]
    return one, other, matrix


def renamed(other):
    import qiime2

    table = other.biom.copy()
    table.update_ids({name: f"other-{name}" for name in table.ids()}, inplace=True)
    return qiime2.Artifact.import_data("FeatureTable[Frequency]", table)


def pretrain(aam, tables, matrices, sequences):
    found = aam.pretrain(tables, matrices, sequences=sequences, **TINY | {"epochs": 1})
    log = read_training_log(str(found.training_log.view(AAMTrainingLogDirectoryFormat)))
    return model_of(found.encoder)[1], log


def test_matrices_are_matched_by_sample_ids_in_any_order(aam, studies):
    import qiime2

    one, other, matrix = studies
    matrix = qiime2.Artifact.import_data("DistanceMatrix", matrix)
    tables, sequences = [one.table, renamed(other)], [one.sequences, other.sequences]
    weights, _ = pretrain(aam, tables, [one.distances, matrix], sequences)
    swapped, _ = pretrain(aam, tables, [matrix, one.distances], sequences)
    assert all(np.array_equal(swapped[name], value) for name, value in weights.items())


def test_where_ids_leave_it_open_the_order_counts(aam, studies, capfd):
    one, other, _ = studies  # both name their samples alike
    tables, sequences = [one.table, other.table], [one.sequences, other.sequences]
    pretrain(aam, tables, [one.distances, other.distances], sequences)
    assert "samples dropped" not in capfd.readouterr().out


def test_it_is_said_how_far_embeddings_move_when_reads_are_cut(aam, studies, capfd):
    one = studies[0]
    _, log = pretrain(aam, [one.table], [one.distances], [one.sequences])
    (moved,) = re.findall(r"Reads cut to 67% of their length move embeddings by (\d+)%",
                          capfd.readouterr().out)  # fmt: skip
    assert 0 < log.summary["moved_by_cuts"] < 10
    assert f"{log.summary['moved_by_cuts']:.0%}" == f"{moved}%"

"""What pretraining reads, and what it says of what it learned."""

import dataclasses
import re

import numpy as np
import pytest
from simulated_study import TINY, log_of, model_of, simulate_study

ONE_EPOCH = TINY | {"epochs": 1}


@pytest.fixture(scope="module")
def studies():
    """Two studies that name their samples alike."""
    return simulate_study(14, 24, 3), simulate_study(12, 20, 4)


def test_matrices_are_matched_by_sample_ids_in_any_order(aam, studies):
    one, other = studies
    other = dataclasses.replace(other, counts=other.counts.rename(index="other-{}".format))
    tables, sequences = [one.table, other.table], [one.sequences, other.sequences]
    matrices = [one.distances, other.distances]
    weights, swapped = (
        model_of(aam.pretrain(tables, order, sequences=sequences, **ONE_EPOCH).encoder)[1]
        for order in (matrices, matrices[::-1])
    )
    assert all(np.array_equal(swapped[name], value) for name, value in weights.items())


def test_where_ids_leave_it_open_the_order_counts(aam, studies, capfd):
    aam.pretrain(
        [one.table for one in studies], [one.distances for one in studies],
        sequences=[one.sequences for one in studies], **ONE_EPOCH,
    )  # fmt: skip
    assert "samples dropped" not in capfd.readouterr().out


def test_it_is_said_how_far_embeddings_move_when_reads_are_cut(aam, studies, capfd):
    one = studies[0]
    found = aam.pretrain([one.table], [one.distances], sequences=[one.sequences], **ONE_EPOCH)
    (moved,) = re.findall(
        r"Reads cut to 67% of their length move embeddings by (\d+)%", capfd.readouterr().out
    )
    by_cuts = log_of(found).summary["moved_by_cuts"]
    assert 0 < by_cuts < 10
    assert f"{by_cuts:.0%}" == f"{moved}%"

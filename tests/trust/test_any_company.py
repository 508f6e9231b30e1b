"""Row 9: a sample's prediction depends on that sample alone, however it is asked for."""

from unittest import mock

import biom
import hypothesis
import numpy as np
import pytest
import qiime2
from golden_models import read_inputs
from hypothesis import strategies as st
from trials import count

from q2_aam import inference
from q2_aam.actions.predict import predict_table
from q2_aam.storage.model import read_model
from q2_aam.types import AAMModelDirectoryFormat

CLOSE = 1e-5  # of the target's scale: predictions are scaled
DNA = st.text("ACGT", min_size=25, max_size=60)


@pytest.fixture(scope="module", params=["regressor", "regressor-of-quantiles", "classifier"])
def ask(request, golden):
    """Return a function from a table to the answers by sample id, and the golden table."""
    model = qiime2.Artifact.load(str(golden / f"{request.param}.qza")).view(AAMModelDirectoryFormat)
    target = read_model(str(model))[0].target
    table, metadata = read_inputs(golden)
    rows = metadata.to_dataframe()
    rows.loc["added"] = rows.iloc[0]
    covariates = qiime2.Metadata(rows) if target.covariates else None

    def run(table: biom.Table) -> dict[str, np.ndarray]:
        _, ids, found, _ = predict_table(table, None, model, target.kind, covariates, 0.0)
        return dict(zip(ids, found, strict=True))

    table = table.view(biom.Table)
    before = run(table)
    assert np.std(list(before.values()), axis=0).max() > 0.01, "else nothing is tested"
    return run, table, before


@st.composite
def companies(draw, samples: int = 16, features: int = 24):
    """Draw which samples are asked for, in which order, with which others, and how many at once."""
    chosen = draw(st.lists(st.integers(0, samples - 1), min_size=1, unique=True))
    order = draw(st.permutations(range(features)))
    added = draw(st.lists(DNA, max_size=30, unique=True))
    at_once = draw(st.tuples(st.integers(1, 20), st.integers(1, 70)))
    return chosen, list(order), added, at_once


@hypothesis.given(company=companies())
@hypothesis.settings(
    max_examples=count(10, 170), deadline=None, derandomize=True, database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)  # fmt: skip
def test_row_9_company_order_padding_and_batch_size_change_nothing(ask, company):
    run, table, before = ask
    chosen, order, added, (samples_at_once, asvs_at_once) = company
    counts = table.matrix_data.toarray()[order][:, chosen]
    features = table.ids("observation")[order].tolist()
    ids = table.ids()[chosen].tolist()
    added = [dna for dna in added if dna not in features]
    if added:  # in a sample that is asked for together with the others
        counts = np.pad(counts, ((0, len(added)), (0, 1)))
        counts[len(features) :, -1] = 7
        ids.append("added")
    with (
        mock.patch.object(inference, "SAMPLES_AT_ONCE", samples_at_once),
        mock.patch.object(inference, "embedding_cache", inference.EmbeddingCache()),
        mock.patch.dict(inference.ASVS_AT_ONCE, {"cpu": asvs_at_once}),
    ):
        found = run(biom.Table(counts, features + added, ids))
    assert set(found) == set(ids)
    for name in set(ids) - {"added"}:
        assert np.abs(found[name] - before[name]).max() < CLOSE, name

"""Row 9: a sample's prediction depends on that sample alone, however it is asked for."""

from unittest import mock

import biom
import numpy as np
import pytest
import qiime2
from golden_models import read_inputs
from trials import pick, repeat

from q2_aam import inference
from q2_aam.actions.predict import predict_table
from q2_aam.storage.model import read_model
from q2_aam.types import AAMModelDirectoryFormat

CLOSE = 1e-5  # of the target's scale: predictions are scaled


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


def test_row_9_company_order_padding_and_batch_size_change_nothing(ask):
    run, table, before = ask
    samples, features = table.ids(), table.ids("observation")

    def check(random, number):
        """Ask for some samples, in another order, with others or alone, and some at once."""
        chosen = random.permutation(len(samples))[: pick(random, [1, 2, 9, len(samples)])]
        order = random.permutation(len(features))
        counts, ids = table.matrix_data.toarray()[order][:, chosen], samples[chosen].tolist()
        lengths = random.integers(25, 60, pick(random, [0, 1, 30]))
        added = ["".join(random.choice(list("ACGT"), length)) for length in lengths]
        if added:  # in a sample that is asked for together with the others
            counts = np.pad(counts, ((0, len(added)), (0, 1)))
            counts[len(features) :, -1] = 7
            ids.append("added")
        with (
            mock.patch.object(inference, "SAMPLES_AT_ONCE", int(random.integers(1, 20))),
            mock.patch.object(inference, "embedding_cache", inference.EmbeddingCache()),
            mock.patch.dict(inference.ASVS_AT_ONCE, {"cpu": int(random.integers(1, 70))}),
        ):
            found = run(biom.Table(counts, features[order].tolist() + added, ids))
        assert set(found) == set(ids)
        for name in set(ids) - {"added"}:
            assert np.abs(found[name] - before[name]).max() < CLOSE, name

    repeat(check, 10, 170, seed=9)

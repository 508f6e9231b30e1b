"""A feature table as samples: compressed sparse rows of ASVs and counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from ..errors import AAMError, counted, examples, verb


@dataclass(frozen=True)
class SampleTable:
    """Samples × features, sparse."""

    sample_ids: tuple[str, ...]  # sorted, so that a table's order never matters
    feature_ids: tuple[str, ...]
    counts: scipy.sparse.csr_matrix  # float64 (samples, features)

    def select(self, sample_ids) -> SampleTable:
        """Keep some samples (sorted by id) and the features that they hold."""
        rows = {name: row for row, name in enumerate(self.sample_ids)}
        names = sorted(sample_ids)
        counts = self.counts[[rows[name] for name in names]]
        held = np.flatnonzero(counts.getnnz(axis=0))
        features = tuple(self.feature_ids[column] for column in held)
        return SampleTable(tuple(names), features, counts[:, held])


def read_table(table, name: str = "the table") -> SampleTable:
    """Check a `biom.Table` of counts, called `name` in messages, and turn it into samples.

    AAMError if it is empty, a sample has no features, or a count is negative or not finite.
    """
    sample_ids = [str(value) for value in table.ids(axis="sample")]
    feature_ids = [str(value) for value in table.ids(axis="observation")]
    if not sample_ids or not feature_ids:
        raise AAMError(
            f"{name} is empty ({counted(len(sample_ids), 'sample')}, "
            f"{counted(len(feature_ids), 'feature')}). Check the filtering step before this one."
        )
    counts = table.matrix_data.T.tocsr().astype(np.float64)
    counts.sum_duplicates()
    counts.eliminate_zeros()
    wrong = np.flatnonzero(~(np.isfinite(counts.data) & (counts.data >= 0)))
    if len(wrong):
        rows = np.unique(np.searchsorted(counts.indptr, wrong, side="right") - 1)
        raise AAMError(
            f"{counted(len(wrong), 'count')} in {name} {verb(len(wrong), 'are')} negative or not "
            f"finite, in samples such as {examples(sample_ids[row] for row in rows)}.\nGive the "
            "table of read counts, as it was before it was transformed or corrected."
        )
    empty = np.asarray(sample_ids)[counts.getnnz(axis=1) == 0]
    if len(empty):
        raise AAMError(
            f"{counted(len(empty), 'sample')} of {len(sample_ids):,} in {name} "
            f"{verb(len(empty), 'have')} no features, such as {examples(sorted(empty))}.\nRemove "
            "them with 'qiime feature-table filter-samples --p-min-features 1'."
        )
    held = np.flatnonzero(counts.getnnz(axis=0))
    order = np.argsort(np.asarray(sample_ids, dtype=object), kind="stable")
    return SampleTable(
        tuple(sample_ids[row] for row in order),
        tuple(feature_ids[column] for column in held),
        counts[order][:, held],
    )

"""The DNA sequence of every feature of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..errors import AAMError, counted, examples

SHORTEST = 20  # shorter "DNA" is more likely a name such as CAT
_DNA = re.compile(rf"[ACGTURYSWKMBDHVN]{{{SHORTEST},}}", re.IGNORECASE)


def is_dna(text: str) -> bool:
    """Whether a text is DNA or RNA, and long enough not to be a name."""
    return _DNA.fullmatch(text) is not None


def sequences_of(feature_ids: Iterable[str], sequences: Mapping[str, str] | None) -> list[str]:
    """Find the DNA of each feature: among the given sequences, or in the id itself.

    Parameters
    ----------
    feature_ids : iterable of str
        A table's features.
    sequences : mapping of str to str, optional
        DNA by feature id. Without it the ids themselves must be DNA (Deblur, Qiita).

    Returns
    -------
    list of str
        Upper-case DNA (U read as T), in the order of `feature_ids`.

    Raises
    ------
    AAMError
        If ids are not DNA and no sequences are given, a feature has no sequence, or a
        sequence is not DNA.
    """
    feature_ids = list(feature_ids)
    if sequences is None:
        found = feature_ids
        wrong = [name for name in feature_ids if not is_dna(name)]
        if wrong:
            raise AAMError(
                f"{counted(len(wrong), 'feature id')} of {len(feature_ids):,} in the table are not "
                f"DNA, such as {examples(wrong)}.\nThe model reads DNA: give the sequences of the "
                "features as the input 'sequences' (rep-seqs.qza of the same denoising run)."
            )
    else:
        missing = [name for name in feature_ids if name not in sequences]
        if missing:
            raise AAMError(
                f"{counted(len(missing), 'feature')} of {len(feature_ids):,} in the table have no "
                f"sequence in 'sequences', such as {examples(missing)}.\nThe sequences hold "
                f"{counted(len(sequences), 'id')}, such as {examples(sequences)}.\nGive the "
                "sequences of the same denoising run as the table, or remove these features with "
                "'qiime feature-table filter-features'."
            )
        found = [str(sequences[name]) for name in feature_ids]
        wrong = [name for name, dna in zip(feature_ids, found, strict=True) if not is_dna(dna)]
        if wrong:
            raise AAMError(
                f"{counted(len(wrong), 'sequence')} in 'sequences' are not DNA of at least "
                f"{SHORTEST} nucleotides, such as those of {examples(wrong)}.\nAligned sequences "
                "(with gaps) must be given unaligned."
            )
    return [dna.upper().replace("U", "T") for dna in found]

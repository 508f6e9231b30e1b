"""The DNA sequence of every feature of a table."""

import re
from collections.abc import Iterable, Mapping

from ..errors import AAMError, counted, examples, verb

SHORTEST = 20  # shorter "DNA" is more likely a name such as CAT
_OTHER_LETTERS = re.compile("[^ACGT]")
_TAXON = re.compile(r"^(d|k|p|c|o|f|g|s|sk|D_\d)__|^Unassigned$|;\s*\w+__")
_DNA = re.compile(rf"[ACGTURYSWKMBDHVN]{{{SHORTEST},}}", re.IGNORECASE)


def is_dna(text: str) -> bool:
    """Whether a text is DNA or RNA, and long enough not to be a name."""
    return _DNA.fullmatch(text) is not None


def sequences_of(feature_ids: Iterable[str], sequences: Mapping[str, str] | None) -> list[str]:
    """Find the upper-case DNA of each feature: among the given sequences by id, or in the id.

    U is read as T, every other IUPAC letter as N. Without sequences the ids themselves must be DNA
    (Deblur, Qiita). AAMError if a feature has no sequence, or what it has is not DNA, or has gaps.
    """
    feature_ids = list(feature_ids)
    if sequences is None:
        found = feature_ids
        wrong = [name for name in feature_ids if not is_dna(name)]
        refuse_taxa(wrong)
        if wrong:
            raise AAMError(
                f"{counted(len(wrong), 'feature id')} of {len(feature_ids):,} in the table "
                f"{verb(len(wrong), 'are')} not DNA, such as {examples(wrong)}.\nThe model "
                "reads DNA: give the sequences of the features as the input 'sequences' "
                "(rep-seqs.qza of the same denoising run)."
            )
    else:
        missing = [name for name in feature_ids if name not in sequences]
        refuse_taxa(missing)
        if missing:
            raise AAMError(
                f"{counted(len(missing), 'feature')} of {len(feature_ids):,} in the table "
                f"{verb(len(missing), 'have')} no sequence in 'sequences', such as "
                f"{examples(missing)}.\nThe sequences hold "
                f"{counted(len(sequences), 'id')}, such as {examples(sequences)}.\nGive the "
                "sequences of the same denoising run as the table, or remove these features with "
                "'qiime feature-table filter-features'."
            )
        found = [str(sequences[name]) for name in feature_ids]
        wrong = [name for name, dna in zip(feature_ids, found, strict=True) if not is_dna(dna)]
        if wrong:
            raise AAMError(
                f"{counted(len(wrong), 'sequence')} in 'sequences' {verb(len(wrong), 'are')} "
                f"not DNA of at least {SHORTEST} nucleotides, such as those of {examples(wrong)}.\n"
                "Give the DNA of the features unaligned, as the denoising step wrote it."
            )
    return [_OTHER_LETTERS.sub("N", dna.upper().replace("U", "T")) for dna in found]


def refuse_taxa(feature_ids: list[str]) -> None:
    """Refuse a table whose features are taxa: no DNA stands for a genus."""
    taxa = [name for name in feature_ids if _TAXON.search(name)]
    if taxa and 2 * len(taxa) >= len(feature_ids):
        raise AAMError(
            f"{counted(len(taxa), 'feature id')} of the table {verb(len(taxa), 'are')} taxa, such "
            f"as {examples(taxa, limit=2)}: the table was collapsed, and a collapsed table "
            "cannot be read by its DNA. Give the table of ASVs that it was made from, and their "
            "sequences."
        )

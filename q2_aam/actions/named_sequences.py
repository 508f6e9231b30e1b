"""Sequences artifacts as DNA by feature id."""

import pandas as pd

from ..errors import AAMError, counted, examples


def merge_sequences(sequences) -> dict[str, str] | None:
    """Merge the sequences of several studies.

    Parameters
    ----------
    sequences : pd.Series of skbio.DNA, a list of them, or None

    Returns
    -------
    dict of str to str, or None
        DNA by feature id; None if no sequences were given.

    Raises
    ------
    AAMError
        If one id stands for different sequences.
    """
    if sequences is None or len(sequences) == 0:
        return None
    parts = [sequences] if isinstance(sequences, pd.Series) else list(sequences)
    merged: dict[str, str] = {}
    differing = set()
    for part in parts:
        for name, dna in part.items():
            if merged.setdefault(str(name), str(dna)) != str(dna):
                differing.add(str(name))
    if differing:
        raise AAMError(
            f"{counted(len(differing), 'feature id')} stand for different sequences in the "
            f"studies, such as {examples(sorted(differing))}.\nUse ids that are made from the "
            "sequence (md5, as DADA2 and Deblur give), or pretrain on these studies one after "
            "the other."
        )
    return merged

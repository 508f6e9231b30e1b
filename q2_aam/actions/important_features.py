"""The importance of features as evaluations are given it, joined with what names them."""

from ..errors import AAMError
from .inputs import merge_sequences


def read_importance(importance, sequences, taxonomy):
    """Join the importance of features with their DNA and taxa.

    Parameters
    ----------
    importance : pd.DataFrame or None
    sequences : pd.Series of skbio.DNA, or None
    taxonomy : pd.DataFrame or None

    Returns
    -------
    ImportantFeatures, or None
        None without importance.

    Raises
    ------
    AAMError
        If sequences or a taxonomy are given without importance, or tell of other features.
    """
    from ..report.important_features import join_important_features

    given = [
        name for name, part in (("sequences", sequences), ("taxonomy", taxonomy))
        if part is not None
    ]  # fmt: skip
    if importance is None:
        if given:
            raise AAMError(
                f"{' and '.join(repr(name) for name in given)} were given, but not 'importance', "
                "whose features they name. Give the importance from feature-importance too, or "
                "leave them out."
            )
        return None
    taxa = None if taxonomy is None else taxonomy["Taxon"].astype(str).to_dict()
    return join_important_features(importance, merge_sequences(sequences), taxa)

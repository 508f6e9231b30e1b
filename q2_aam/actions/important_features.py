"""The importance of features as evaluations are given it, joined with what names them."""

from ..errors import AAMError
from .named_sequences import merge_sequences


def read_importance(importance, sequences, taxonomy, table):
    """Join the importance of features with their DNA, taxa and abundances.

    Parameters
    ----------
    importance : pd.DataFrame or None
    sequences : pd.Series of skbio.DNA, or None
    taxonomy : pd.DataFrame or None
    table : biom.Table or None

    Returns
    -------
    ImportantFeatures, or None
        None without importance.

    Raises
    ------
    AAMError
        If the others are given without importance, or tell of other features.
    """
    from ..report.importance import join_important_features

    others = {"sequences": sequences, "taxonomy": taxonomy, "table": table}
    given = [name for name, part in others.items() if part is not None]
    if importance is None:
        if given:
            raise AAMError(
                f"{' and '.join(repr(name) for name in given)} were given, but not 'importance', "
                "of whose features they tell. Give the importance from feature-importance too, or "
                "leave them out."
            )
        return None
    taxa = None if taxonomy is None else taxonomy["Taxon"].astype(str).to_dict()
    return join_important_features(importance, merge_sequences(sequences), taxa, table)

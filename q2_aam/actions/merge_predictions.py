"""merge-predictions, merge-prediction-tables: results of several parts of a study as one."""

import pandas as pd
from q2_sample_classifier import PredictionsDirectoryFormat

from ..errors import AAMError, counted, examples

_FILE = "predictions.tsv"


def merge_predictions(predictions: PredictionsDirectoryFormat) -> PredictionsDirectoryFormat:
    """Join predictions of different samples, as they are written."""
    header, lines = None, {}
    for part in predictions:
        first, *rest = (part.path / _FILE).read_text(encoding="utf-8").splitlines()
        header = header or first
        _refuse_repeated(lines, [line.partition("\t")[0] for line in rest])
        lines |= {line.partition("\t")[0]: line for line in rest}
    merged = PredictionsDirectoryFormat()
    content = "\n".join([header, *(lines[name] for name in sorted(lines))])
    (merged.path / _FILE).write_text(content + "\n", encoding="utf-8")
    return merged


def merge_prediction_tables(tables: pd.DataFrame) -> pd.DataFrame:
    """Join intervals or probabilities of different samples."""
    seen: dict[str, None] = {}
    for table in tables:
        _refuse_repeated(seen, list(table.index))
        seen |= dict.fromkeys(table.index)
    # a class that one part's model did not know has no probability there
    merged = pd.concat(list(tables)).fillna(0.0).sort_index()
    merged.index.name = "id"
    return merged


def _refuse_repeated(seen: dict, ids: list[str]) -> None:
    repeated = sorted(seen.keys() & set(ids))
    if repeated:
        raise AAMError(
            f"{counted(len(repeated), 'sample')} stand in more than one of the artifacts: "
            f"{examples(repeated)}. Merge predictions of different samples only."
        )

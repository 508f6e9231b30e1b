"""summarize-training: what happened while a model was trained."""

from ..storage.training_log import read_training_log
from ..types import AAMTrainingLogDirectoryFormat


def summarize_training(output_dir: str, training_log: AAMTrainingLogDirectoryFormat) -> None:
    """Write the summary of a training run as a page.

    Parameters
    ----------
    output_dir : str
        The visualization's folder.
    training_log : AAMTrainingLogDirectoryFormat
        As pretrain or a fit action wrote it.

    Raises
    ------
    AAMError
        If the log is damaged.
    """
    from ..report.training.page import write_training_page

    folder = str(training_log)
    write_training_page(output_dir, read_training_log(folder), folder)

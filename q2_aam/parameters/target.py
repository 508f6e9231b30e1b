"""Parameters of what is predicted, and from what."""

from qiime2.plugin import Bool, Choices, Float, Int, List, Range, Str

from ..config import (
    CLASS_WEIGHTS,
    FUSIONS,
    MOST_TREES,
    SCALINGS,
    TARGET_LOSSES,
    RegressionTarget,
)
from .parameter import Parameter

_REGRESSION = RegressionTarget("", 1)

FITTING_PARAMETERS = {
    "freeze_encoder": Parameter(
        Bool,
        True,
        "Keep what the encoder learned of ASVs: the model is then fitted in closed form, in "
        "seconds, and its distances stay valid. Turned off, the encoder and an attention head are "
        "trained by epochs.",
    ),
    "attention_head": Parameter(
        Str % Choices("auto", "on", "off"),
        "auto",
        "Whether a head that attends to the ASVs of a sample is trained by epochs beside the "
        "others: 'on', 'off', or 'auto' where it can be expected to lower the error, which with "
        "a frozen encoder it has not been so far. It counts only where it surely does.",
    ),
    "trees": Parameter(
        Int % Range(0, MOST_TREES, inclusive_end=True),
        150,
        "Decision trees of the forest, which predicts beside the other heads; how much it counts "
        "is measured on samples left out. More of them hardly predict better, and take longer and "
        "more disk space; 0 leaves them out.",
    ),
    "target_weight": Parameter(
        Float % Range(0.001, 100.0, inclusive_end=True),
        1.0,
        "Weight of the loss on the target beside the others. Lower it to let the distances or what "
        "is hidden count more in what the model learns.",
    ),
    "covariate_columns": Parameter(
        List[Str],
        None,
        "Columns of 'covariates' that the model reads beside the microbes, such as sex or "
        "sequencing run. Categorical and numeric columns both work; blank cells count as missing. "
        "Default: none.",
    ),
    "covariate_fusion": Parameter(
        Str % Choices(*FUSIONS),
        FUSIONS[0],
        "How covariates join what the attention head read of the microbes: 'concatenate' adds "
        "their effect, 'gate' lets them strengthen or weaken what the microbes say.",
    ),
}
REGRESSION_PARAMETERS = {
    "target_scaling": Parameter(
        Str % Choices(*SCALINGS),
        _REGRESSION.scaling,
        "How the target is scaled, from the training samples only: 'min-max' to 0 to 1, 'z-score' "
        "to mean 0 and deviation 1, 'log-min-max' and 'log-z-score' take log(1 + value) first, "
        "which suits values of 0 or more that span powers of ten, 'none' does not scale. "
        "Predictions are in the original units.",
    ),
    "target_loss": Parameter(
        Str % Choices(*TARGET_LOSSES),
        _REGRESSION.loss,
        "What is to be small: 'huber' and 'mae' bear outliers, as the forest predicts the median "
        "of its trees; 'mse' fits the mean; 'quantile' fits the median and a range around it, so "
        "that intervals are wider where samples are harder to predict.",
    ),
    "quantile_range": Parameter(
        Float % Range(0.1, 0.99, inclusive_end=True),
        _REGRESSION.quantile_range,
        "With the loss 'quantile': fraction of true values that the learned range is to hold. "
        "Raise it for wider ranges.",
    ),
    "bound_predictions": Parameter(
        Bool,
        _REGRESSION.bounded,
        "Keep predictions and intervals within the range of the training samples' values. Turn it "
        "on for values that cannot lie outside, such as an age or a share.",
    ),
}
CLASSIFICATION_PARAMETERS = {
    "class_weights": Parameter(
        Str % Choices(*CLASS_WEIGHTS),
        CLASS_WEIGHTS[0],
        "'balanced' lets every class count alike, whatever its number of samples: rare classes are "
        "found more often, common ones missed more often. 'none' lets every sample count alike.",
    ),
}

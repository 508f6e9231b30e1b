"""Registration of the learning-rate range test."""

from q2_types.distance_matrix import DistanceMatrix
from q2_types.feature_data import FeatureData, Sequence
from q2_types.feature_table import FeatureTable, Frequency
from qiime2.plugin import Categorical, MetadataColumn, Numeric

from .. import examples, types
from ..actions.find_learning_rate import find_learning_rate
from ..parameters import LEARNING_RATE_SETTINGS, help_of, types_of
from .words import ENCODER, SEQUENCES, TABLE


def register(plugin, citations) -> None:
    """Register the visualizer."""
    plugin.visualizers.register_function(
        function=find_learning_rate,
        inputs={
            "table": FeatureTable[Frequency],
            "sequences": FeatureData[Sequence],
            "encoder": types.AAMEncoder,
            "distance_matrix": DistanceMatrix,
        },
        parameters={
            "metadata": MetadataColumn[Categorical | Numeric],
            **types_of(*LEARNING_RATE_SETTINGS),
        },
        input_descriptions={
            "table": TABLE,
            "sequences": SEQUENCES,
            "encoder": ENCODER,
            "distance_matrix": (
                "Unweighted UniFrac between the samples. Needed without 'metadata'."
            ),
        },
        parameter_descriptions={
            "metadata": (
                "The column to predict: the learning rate is then for fit-regressor (a numeric "
                "column) or fit-classifier (a categorical one). Without it, the learning rate is "
                "for pretrain."
            ),
            **help_of(*LEARNING_RATE_SETTINGS),
        },
        name="Find a learning rate before training",
        description=(
            "Train a copy of the model for a few steps while the learning rate rises, and show "
            "what the loss does. The rate at which it falls most steeply is suggested. Nothing "
            "that was learned is kept, neither in the encoder given nor elsewhere."
        ),
        citations=[citations["smith2017cyclical"]],
        examples={"find_learning_rate": examples.find_learning_rate},
    )

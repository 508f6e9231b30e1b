"""Registration of pretraining."""

from q2_types.distance_matrix import DistanceMatrix
from q2_types.feature_data import FeatureData, Sequence
from q2_types.feature_table import FeatureTable, Frequency
from qiime2.plugin import List

from .. import examples, types
from ..actions.pretrain import pretrain
from ..parameters import PRETRAINING_SETTINGS, help_of, types_of
from .words import ENCODER, SEQUENCES, TABLE, TRAINING_LOG


def register(plugin, citations) -> None:
    """Register the action."""
    del citations
    plugin.methods.register_function(
        function=pretrain,
        inputs={
            "tables": List[FeatureTable[Frequency]],
            "distance_matrices": List[DistanceMatrix],
            "sequences": List[FeatureData[Sequence]],
            "initial_encoder": types.AAMEncoder,
        },
        parameters=types_of(*PRETRAINING_SETTINGS),
        outputs=[("encoder", types.AAMEncoder), ("training_log", types.AAMTrainingLog)],
        input_descriptions={
            "tables": f"{TABLE} One table for each study.",
            "distance_matrices": (
                "Unweighted UniFrac between the samples of each table, in the order of the tables. "
                "Distances are compared within a study only. Compute it on the table given here: "
                "rarefy first, then use the rarefied table for both."
            ),
            "sequences": SEQUENCES,
            "initial_encoder": ENCODER,
        },
        parameter_descriptions=help_of(*PRETRAINING_SETTINGS),
        output_descriptions={
            "encoder": "The pretrained encoder.",
            "training_log": TRAINING_LOG,
        },
        name="Pretrain an encoder on samples without labels",
        description=(
            "Learn to read ASVs and their phylogeny from their DNA and a UniFrac matrix. No "
            "metadata "
            "is needed: use all the samples there are. The encoder then helps to fit regressors "
            "with "
            "fewer labels, and predicts UniFrac between new samples without a tree."
        ),
        examples={"pretrain": examples.pretrain},
    )

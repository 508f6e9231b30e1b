"""Registration of what shows what a model has learned: of samples, and of features."""

from q2_sample_classifier import Importance
from q2_types.feature_data import FeatureData, Sequence
from q2_types.feature_table import FeatureTable, Frequency
from q2_types.sample_data import SampleData
from qiime2.plugin import Metadata

from .. import examples, types
from ..actions.explain import embed_samples, feature_importance
from ..parameters import help_of, types_of
from .words import COVARIATES_OF_MODEL, SEQUENCES, TABLE


def register(plugin, citations) -> None:
    """Register the actions."""
    _register_embed_samples(plugin)
    _register_feature_importance(plugin, citations)


def _register_embed_samples(plugin) -> None:
    plugin.methods.register_function(
        function=embed_samples,
        inputs={
            "table": FeatureTable[Frequency],
            "model": types.AAMEncoder | types.AAMRegressor | types.AAMClassifier,
            "sequences": FeatureData[Sequence],
        },
        parameters=types_of("content", "dimensions"),
        outputs=[("embeddings", SampleData[types.AAMEmbeddings])],
        input_descriptions={
            "table": TABLE,
            "model": "A model from pretrain, fit-regressor or fit-classifier.",
            "sequences": SEQUENCES,
        },
        parameter_descriptions=help_of("content", "dimensions"),
        output_descriptions={
            "embeddings": "A row of numbers for each sample; it can be used as metadata."
        },
        name="Describe samples by what a model has learned",
        description=(
            "Turn each sample into numbers that other methods can use: to plot, to cluster, or to "
            "predict from. An encoder needs no labels for it; a model that was fitted to a target "
            "has seen the labels of its own samples, so that a method judged on its numbers must "
            "be judged on other samples."
        ),
        examples={"embed_samples": examples.embed_samples},
    )


def _register_feature_importance(plugin, citations) -> None:
    plugin.methods.register_function(
        function=feature_importance,
        inputs={
            "table": FeatureTable[Frequency],
            "model": types.AAMRegressor | types.AAMClassifier,
            "sequences": FeatureData[Sequence],
        },
        parameters={"covariates": Metadata, **types_of("samples_per_feature")},
        outputs=[("importance", FeatureData[Importance])],
        input_descriptions={
            "table": f"{TABLE} The samples that the model was fitted on, or new ones.",
            "model": "A model from fit-regressor or fit-classifier.",
            "sequences": SEQUENCES,
        },
        parameter_descriptions={
            "covariates": COVARIATES_OF_MODEL,
            **help_of("samples_per_feature"),
        },
        output_descriptions={
            "importance": (
                "The most important feature first. 'importance' is how far a feature moves the "
                "prediction of a sample, on average over all samples (0 where it is absent): in "
                "the target's units, or as the probability that it moves between classes. 'raises' "
                "and 'lowers' say in which direction; for a classifier, for each class."
            )
        },
        name="See which features a model's predictions rest on",
        description=(
            "Take each feature out of samples that hold it, as if it had never been in the table, "
            "and average by how much the prediction changes. Features with the same DNA share "
            "their effect by their reads. What a model rests on need not be a cause: of features "
            "that always occur together, either may carry the effect. In q2-sample-classifier's "
            "heatmap, columns of a feature are summed, which keeps this order."
        ),
        citations=[citations["zeiler2014visualizing"], citations["covert2021explaining"]],
        examples={"feature_importance": examples.feature_importance},
    )

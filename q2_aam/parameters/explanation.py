"""Parameters of what a model tells of samples and of features."""

from qiime2.plugin import Choices, Int, Range, Str

from .parameter import Parameter, count

CONTENTS = ("branches", "presence", "pooled")

EXPLANATION_PARAMETERS = {
    "content": Parameter(
        Str % Choices(*CONTENTS),
        CONTENTS[0],
        "What the numbers of a sample are: 'branches' is the log abundance of each learned branch "
        "of the phylogeny, 'presence' the probability that the sample holds each branch, 'pooled' "
        "what the sample transformer reads, which only models that trained it have. In tests, "
        "'branches' predicted metadata best.",
    ),
    "dimensions": Parameter(
        Int % Range(0, None),
        0,
        "0 gives every number, by its branch or place: tables that are embedded apart can then be "
        "compared. Above 0: so many principal components instead. 20 to 50 keep most of what there "
        "is, and suit plots, but components are those of the given table alone: never fit a model "
        "on the components of one table and apply it to those of another.",
    ),
    "samples_per_feature": count(
        30,
        "Samples that each feature is taken out of; if more hold it, these are spread evenly over "
        "its abundances. Raise it for more exact numbers; time grows with it.",
    ),
}

"""Parameters of a model's architecture; None stands for the default, or for the encoder's."""

from qiime2.plugin import Choices, Int, Range, Str

from ..config import DISTANCE_FORMS, LIMITS, ModelConfig
from .parameter import Parameter


def size(name: str, text: str) -> Parameter:
    """Describe a size of the model, within its limits."""
    low, high = LIMITS[name]
    effective = getattr(ModelConfig(), name)
    text = f"{text} Default: {effective}, or what the given encoder has."
    return Parameter(Int % Range(low, high, inclusive_end=True), None, text)


ARCHITECTURE_PARAMETERS = {
    "hidden_size": size(
        "hidden_size",
        "Width of the embeddings, a multiple of 'heads'. Wider models learn more from many "
        "samples, and are slower.",
    ),
    "heads": size("heads", "Attention heads; each reads an equal share of the width."),
    "asv_layers": size(
        "asv_layers", "Transformer layers that read the DNA of an ASV. Time grows with them."
    ),
    "sample_layers": size("sample_layers", "Transformer layers that read the ASVs of a sample."),
    "nucleotides_per_token": size(
        "nucleotides_per_token",
        "Consecutive nucleotides that are read as one token. 1 is the finest and the slowest.",
    ),
    "branches": size("branches", "Branches of a phylogeny that are learned from the distances."),
    "max_asvs": size(
        "max_asvs",
        "ASVs that are read of a sample; of richer samples the most abundant ones are kept.",
    ),
    "max_sequence_length": Parameter(
        Int % Range(*LIMITS["max_sequence_length"], inclusive_end=True),
        None,
        "Nucleotides that are read of an ASV; longer ones are cut at their end. Default: the "
        "longest sequence given (at most 512), or what the given encoder has.",
    ),
    "distance_form": Parameter(
        Str % Choices(*DISTANCE_FORMS),
        None,
        "How distances come from embeddings: 'branches' compares which learned branches two "
        "samples hold, as UniFrac does; 'euclidean' compares pooled embeddings. Default: "
        f"'{ModelConfig().distance_form}', or what the given encoder has.",
    ),
    "rarefaction_depth": Parameter(
        Int % Range(1, None),
        None,
        "Depth of the rarefaction that the distance matrices were computed on, if shallower than "
        "the tables given: rare ASVs then count by chance. Default: that of the tables.",
    ),
}

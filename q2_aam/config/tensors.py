"""The tensors of a model, known without building it and without torch."""

from .model import ModelConfig

VOCABULARY = 8  # padding, A, C, G, T, START, MASK, any other letter
KNOWN_ASVS = "target_head.vocabulary"
_FOREST = "target_head.forest"
_CLADES = "target_head.clades"
_ATTENTION = "target_head.attention"
_POSITIONS_IN_FOREST = (f"{_FOREST}.feature", f"{_FOREST}.child")
_POSITIONS_IN_CLADES = tuple(f"{_CLADES}.{name}" for name in ("parent", "order", "start", "end"))


def expected_tensors(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name every tensor of a model and give its shape, without building it or loading torch.

    A test holds this to `q2_aam.model.network.Network`.
    """
    size, hidden = config.hidden_size, config.branch_hidden_size
    per_token = config.nucleotides_per_token
    tensors = {
        "asv_encoder.nucleotides.weight": (per_token * VOCABULARY, size),
        "asv_encoder.start": (size,),
        "asv_encoder.positions.weight": (config.tokens_per_sequence, size),
        "asv_encoder.pooling.score.weight": (1, size),
        "asv_mean": (size,),
        "asv_scale": (size,),
        "sample_encoder.abundance.hidden": (size,),
        "sample_encoder.pooling.score.weight": (1, size),
    }
    layers = {  # those of linear layers (outputs, inputs) and norms, which have a bias as well
        "asv_encoder.norm": (size,),
        "sample_encoder.norm": (size,),
        "sample_encoder.abundance.widen": (size, 1),
        "sample_encoder.abundance.mix": (size, size),
        "nucleotide_head.output": (4 * per_token, size),
        "abundance_head.output": (1, size),
        "branches.membership": (config.branches, hidden or size),
    }
    for encoder, number in (("asv", config.asv_layers), ("sample", config.sample_layers)):
        for index in range(number):
            block = f"{encoder}_encoder.blocks.{index}"
            layers |= {f"{block}.attention_norm": (size,), f"{block}.feed_forward_norm": (size,)}
            layers |= {f"{block}.query_key_value": (3 * size, size)}
            layers |= {f"{block}.attention_output": (size, size)}
            layers |= {f"{block}.widen": (4 * size, size), f"{block}.narrow": (size, 4 * size)}
    if hidden:
        layers |= {"branches.norm": (size,), "branches.widen": (hidden, size)}
    if config.distance_form == "branches":
        tensors["distance_head.log_length"] = (config.branches,)
        if config.asv_tips:
            tensors["distance_head.log_tip_length"] = (1,)
    else:
        tensors |= {
            "distance_head.projection.weight": (size, size),
            "distance_head.log_scale": (1,),
        }
    if config.target is not None:
        tensors |= _target_head(config)
        if "attention" in config.target.heads:
            layers |= _attention_layers(config.target, size)
    tensors |= {f"{name}.weight": shape for name, shape in layers.items()}
    return tensors | {f"{name}.bias": shape[:1] for name, shape in layers.items()}


def dtype_of(tensor: str) -> str:
    """Return the type of a tensor as safetensors names it: F32 but for DNA and positions."""
    if tensor in (*_POSITIONS_IN_FOREST, *_POSITIONS_IN_CLADES):
        return "I32"
    return "U8" if tensor == KNOWN_ASVS else "F32"


def largest_positions(config: ModelConfig) -> dict[str, int]:
    """Return the largest value, from 0 on, that each tensor of positions may hold."""
    target, positions = config.target, {}
    if target is not None and target.clades:
        nodes = target.vocabulary_size + target.clades
        largest = (target.clades, nodes - 1, nodes, nodes)
        positions |= zip(_POSITIONS_IN_CLADES, largest, strict=True)
    if target is not None and target.trees:
        inputs = sum(target.forest_blocks(config.branches).values())
        largest = (inputs - 1, target.tree_nodes - 1)
        positions |= zip(_POSITIONS_IN_FOREST, largest, strict=True)
    return positions


def _target_head(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    target, sizes = config.target, config.target.block_sizes(config.branches)
    tensors = {KNOWN_ASVS: (target.vocabulary_size, 1 + config.max_sequence_length)}
    tensors |= {f"target_head.blend.{name}": (1,) for name in target.heads[1:]}
    for name, features in sizes.items():
        tensors[f"target_head.scaling.{name}.mean"] = (features,)
        tensors[f"target_head.scaling.{name}.scale"] = (1,)
    for head in (one for one in ("ridge", "logistic") if one in target.heads):
        for name in target.blocks_of(head):
            tensors[f"target_head.{head}.{name}"] = (target.points, sizes[name])
        tensors[f"target_head.{head}.intercept"] = (target.points,)
    if "ridge" in target.heads and target.random_features:
        tensors["target_head.ridge.random"] = (target.points, target.random_features)
    if target.trees:
        shape = (target.trees, target.tree_nodes)
        tensors |= {f"{_FOREST}.{name}": shape for name in ("feature", "threshold", "child")}
        tensors[f"{_FOREST}.value"] = (*shape, target.points)
    if "attention" in target.heads:
        for name in target.blocks_of("attention"):
            tensors[f"{_ATTENTION}.linear.{name}.weight"] = (target.outputs, sizes[name])
        if target.covariates:
            shape = (config.hidden_size, target.covariate_inputs)
            tensors[f"{_ATTENTION}.fusion.embedding.weight"] = shape
    if target.clades:
        nodes = target.vocabulary_size + target.clades
        tensors[f"{_CLADES}.embedding"] = (target.vocabulary_size, config.hidden_size)
        tensors |= {f"{_CLADES}.{name}": (nodes,) for name in ("parent", "order")}
        tensors |= {f"{_CLADES}.{name}": (target.clades,) for name in ("height", "start", "end")}
    return tensors


def _attention_layers(target, size: int) -> dict[str, tuple[int, ...]]:
    joined = 2 * size if target.covariates else size
    layers = {f"{_ATTENTION}.norm": (size,)}
    if target.covariates and target.covariate_fusion == "gate":
        joined = size
        layers[f"{_ATTENTION}.fusion.gate"] = (size, size)
    return layers | {f"{_ATTENTION}.pooled": (target.outputs, joined)}

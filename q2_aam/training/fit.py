"""Fitting a target: heads in closed form on a frozen encoder, and one by descent if asked for."""

import dataclasses

import numpy as np
import torch
from accelerate import Accelerator

from ..config.model import ModelConfig
from ..config.target import CLASSIFICATION, HEADS, RegressionTarget, Target
from ..config.training import TrainingConfig
from ..conformal import kept_scores, nonconformity
from ..data.vocabulary import recognized_of_others
from ..model.heads.blend import blended
from ..model.network import Network
from .checkpoint import Progress
from .evaluation import FinalPredictions, SampleObjective, forward_samples, predict_final
from .heads import forest, logistic, ridge
from .heads.blend import make_folds, surely_positive
from .heads.features import Known, SampleFeatures
from .init import embed_held, some
from .losses import Task
from .objectives import objective_of
from .trainer import Trainer

FITTERS = {"ridge": ridge, "logistic": logistic, "forest": forest}
FOLDS = 5
HIDDEN_UNITS = 128  # of each layer of the attention head's perceptron
RANDOM_FEATURES = 2048  # of the ridge head
LEAST_RECOGNIZED = 0.01  # of samples by a model of other groups: it divides
TUNED_ON = 1024  # samples that folds divide; more hardly change what is chosen by them


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What a fit has to tell beside the network."""

    progress: Progress  # without epochs where nothing descended
    shown: FinalPredictions  # of samples that were predicted without their group
    heads: list[dict]  # ``name``, ``weight`` and out-of-fold ``scores`` of each head, by weight
    scores: dict[str, float]  # of the blend


def fit(
    network: Network, task: Task, config: TrainingConfig, accelerator: Accelerator, logger
) -> Fitted:
    """Fit the heads of the network's target, on a study whose ASVs know their vocabulary rows."""
    (task, features), seed = start_fit(network, task, config), config.random_seed
    progress = Progress(stop_reason="nothing descended: heads were fitted in closed form")
    labeled = np.sort(np.concatenate([*task.training, *task.validation]))
    if "attention" in network.config.target.heads:
        objective = SampleObjective(network, task, config)
        logger.info("The attention head is trained; what predictions come from stands at the end.")
        progress = Trainer(objective, config, accelerator, logger).run()
        features = SampleFeatures(network, task, labeled)
    samples, predictions, settings = predict_out_of_fold(network, task, features, labeled, seed)
    heads, scores, shown = blend_heads(network, task, samples, predictions)
    for name, setting in settings.items():
        fitter = FITTERS[name]
        chosen = some(labeled, fitter.MOST_SAMPLES, [seed, 0x7EE5])
        inputs, known = features.inputs_of(name, chosen), known_of(network, task, chosen)
        fitter.fit(getattr(network.target_head, name), inputs, known, setting, seed)
    if "unifrac" in task.weights:
        only = {"weights": {"unifrac": 1.0}, "embedded": features.embedded}
        distances = predict_final(network, dataclasses.replace(task, **only)).distances
        shown = dataclasses.replace(shown, distances=distances)
    network.config = dataclasses.replace(
        network.config,
        distance_state=distance_state_after(network.config, task, config.freeze_encoder),
        target=network.target_head.target,
    )
    return Fitted(progress, shown, heads, scores)


def with_heads(target: Target, trees: int, samples: int, attends: bool) -> Target:
    """Name the heads that predict a target; the forest has leaves for so many samples."""
    chosen = {"logistic": target.kind == CLASSIFICATION, "forest": trees > 0, "attention": attends}
    heads = tuple(name for name in HEADS if chosen.get(name, True))
    leaves = forest.leaves_for(samples, trees, target.points) if trees else 0
    return dataclasses.replace(
        target, heads=heads, random_features=RANDOM_FEATURES, trees=trees, leaves=leaves,
        hidden_units=HIDDEN_UNITS if attends else 0,
    )  # fmt: skip


def start_fit(network: Network, task: Task, config: TrainingConfig) -> tuple[Task, SampleFeatures]:
    """Scale features, start the attention head from what is right on average.

    Returns the task, where the encoder is frozen with all ASVs read, and the features.
    """
    asvs, head, (samples,) = task.studies.asvs, network.target_head, task.training
    if config.freeze_encoder:
        for part in (network.asv_encoder, network.branches, network.distance_head):
            part.requires_grad_(False)
        embedded = embed_held(network.eval(), asvs, np.arange(len(asvs)))
        task = dataclasses.replace(task, embedded=embedded)
    features = SampleFeatures(network, task, samples)
    features.fit_scaling()
    if "attention" in head.target.heads:
        objective = objective_of(head.target)
        start = objective.start(task.targets[samples], task.sample_weights[samples])
        head.attention.pooled.bias.data.copy_(torch.from_numpy(start))
    return task, features


def class_balance(targets: np.ndarray, training: np.ndarray, class_weights: str) -> np.ndarray:
    """Weigh samples (float32), if so wished so that all classes of training samples count alike."""
    if class_weights == "none":
        return np.ones(len(targets), dtype=np.float32)
    counts = np.bincount(targets[training], minlength=targets.max() + 1)
    wanted = len(training) / (len(counts) * np.maximum(counts, 1))
    return wanted[targets].astype(np.float32)


@torch.no_grad()
def remember_asvs(network: Network, tokens: np.ndarray) -> None:
    """Store the tokens (N, width) of the vocabulary."""
    network.target_head.vocabulary.copy_(torch.from_numpy(tokens))


def predict_out_of_fold(
    network: Network, task: Task, features: SampleFeatures, labeled: np.ndarray, seed: int
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, float]]:
    """Predict samples by heads that did not learn from their group, all on the same folds.

    Where the attention head descended, the samples that chose its epoch are the only fold. Returns
    the samples, predictions (samples, O) by head, and what each closed-form head was tuned to.
    """
    head, chosen = network.target_head, some(labeled, TUNED_ON, [seed, 0x41D6E])
    known = known_of(network, task, chosen)
    if "attention" in head.target.heads:
        folds = [np.flatnonzero(np.isin(chosen, task.validation[0]))]
    else:
        groups = np.unique(task.groups[chosen], return_inverse=True)[1]
        folds = make_folds(groups, known.classes, FOLDS, seed)
    rows = np.sort(np.concatenate([*folds, np.zeros(0, dtype=np.int64)]))
    if isinstance(head.target, RegressionTarget) and head.target.vocabulary_size and len(rows):
        share = recognized_of_others(task.studies.studies[0], chosen, folds)
        head.target = dataclasses.replace(head.target, recognized=max(share, LEAST_RECOGNIZED))
    predictions, settings = {}, {}
    for name in head.target.heads if len(rows) else ():
        if name == "attention":
            only = dataclasses.replace(task, weights={"target": 1.0})
            ((*_, found),) = forward_samples(network, only, [chosen[rows]])
            predictions[name] = found.cpu().numpy().astype(np.float64)
            continue
        settings[name], found = FITTERS[name].out_of_fold(
            getattr(head, name), features.inputs_of(name, chosen), known, folds, seed
        )
        predictions[name] = found[rows]
    if "ridge" in settings and head.ridge.random_features is None:
        head.target = dataclasses.replace(head.target, random_features=0)
    return chosen[rows], predictions, settings


def known_of(network: Network, task: Task, samples: np.ndarray) -> Known:
    """Return what is known of some samples; groups of them count alike."""
    target, values = network.config.target, task.targets[samples]
    return Known(
        objective_of(target).indicators(values),
        values if target.kind == CLASSIFICATION else None,
        task.sample_weights[samples] * alike(task.groups[samples]),
    )


def blend_heads(
    network: Network, task: Task, samples: np.ndarray, predictions: dict[str, np.ndarray]
) -> tuple[list[dict], dict[str, float], FinalPredictions]:
    """Weigh heads by their out-of-fold predictions, and take intervals from those of the blend.

    The attention head is left out unless it surely lowers the error: its epoch was chosen on these
    samples, and the other heads will also learn from them.
    """
    head, objective = network.target_head, objective_of(network.config.target)
    actual, groups = task.targets[samples], task.groups[samples]
    weights = task.sample_weights[samples] * alike(groups)

    def blend(names: tuple[str, ...]) -> tuple[dict[str, float], np.ndarray]:
        found = objective.fit_blend([predictions[one] for one in names], actual, weights)
        of_heads = dict(zip(names, found.tolist(), strict=True))
        tensors = {one: torch.from_numpy(predictions[one]) for one in names}
        return of_heads, blended(tensors, of_heads, head.target.is_quantile).numpy()

    of_heads, of_blend = blend(head.target.heads)
    if head.can_spare_attention:
        without, of_others = blend(head.target.heads[:-1])
        gains = objective.errors(of_others, actual) - objective.errors(of_blend, actual)
        if not surely_positive(weights * gains, groups):
            head.drop_attention()
            of_heads, of_blend = without, of_others
    head.set_weights(of_heads)
    if isinstance(head.target, RegressionTarget):
        residuals = kept_scores(nonconformity(of_blend, actual.astype(np.float64)), weights)
        head.target = dataclasses.replace(head.target, **residuals)

    def scored(one: np.ndarray) -> dict[str, float]:
        loss = objective.loss_of_predictions(one, actual, weights)
        return objective.scores(one, actual) | {"target_loss": loss}

    heads = [
        {"name": name, "weight": weight, "scores": scored(predictions[name])}
        for name, weight in sorted(of_heads.items(), key=lambda one: -one[1])
    ]
    shown = FinalPredictions("validation", len(samples), head.target, of_blend, actual)
    return heads, scored(of_blend), shown


def alike(groups: np.ndarray) -> np.ndarray:
    """Return weights of samples, with mean 1, by which all groups count alike."""
    _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return len(groups) / (len(sizes) * sizes[places])


def distance_state_after(config: ModelConfig, task: Task, frozen: bool) -> str:
    """Say whether the distance head still fits the embeddings after training."""
    if "unifrac" in task.weights:
        return "trained"
    kept = frozen and config.distance_form == "branches"
    return "stale" if config.distance_state == "trained" and not kept else config.distance_state

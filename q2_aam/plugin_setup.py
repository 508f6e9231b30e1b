"""The plugin that QIIME 2 finds; no logic, and nothing here imports torch."""

from qiime2.plugin import Citations, Plugin

from . import __version__
from .registration import (
    artifacts,
    choices,
    evaluation,
    explanation,
    fitting,
    learning_rate,
    pipelines,
    prediction,
    pretraining,
)

citations = Citations.load("citations.bib", package="q2_aam")

plugin = Plugin(
    name="aam",
    version=__version__,
    website="https://qiime2.org",
    package="q2_aam",
    short_description="Attention All Microbes: transformers for microbiome samples.",
    description=(
        "Attention All Microbes reads the DNA of every ASV with a transformer, learns phylogeny "
        "from a precomputed UniFrac matrix without labels, and predicts sample metadata."
    ),
    citations=[citations["lozupone2005unifrac"], citations["vaswani2017attention"]],
)

PARTS = (
    artifacts,
    pretraining,
    fitting,
    learning_rate,
    prediction,
    explanation,
    evaluation,
    pipelines,
)
for part in PARTS:
    part.register(plugin, citations)
for action in plugin.actions.values():
    choices.explain_choices(action)

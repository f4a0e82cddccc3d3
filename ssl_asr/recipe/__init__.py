"""The recipe: one typed, validated, frozen description of a run, read from YAML.

`load_recipe("demo", ["student.network.layers=3"])` takes a preset's name or a file and overrides. An unknown key or
value is refused with the nearest valid one before any work. What says where and on how many machines work runs
lives in `cluster` and `run` and never makes a stage start anew: features, targets and words do not depend on it, a
trained model does (BMUF with two workers is not BMUF with four), as it must on an elastic cluster.
"""

from ssl_asr.recipe.adapt import METHODS, Adapt, Method
from ssl_asr.recipe.augmentation import Augmentation
from ssl_asr.recipe.batching import Batching
from ssl_asr.recipe.choice import Choice, Listed
from ssl_asr.recipe.cluster import Cluster
from ssl_asr.recipe.conversations import Conversations
from ssl_asr.recipe.corpus import Corpus
from ssl_asr.recipe.evaluate import Evaluate
from ssl_asr.recipe.fairness import Fairness
from ssl_asr.recipe.frontend import Frontend
from ssl_asr.recipe.gating import Gating
from ssl_asr.recipe.hmm import Hmm, WrongTexts
from ssl_asr.recipe.hypotheses import Hypotheses
from ssl_asr.recipe.labelling import Labelling
from ssl_asr.recipe.loading import load_recipe, parse_recipe, presets, recipe_text
from ssl_asr.recipe.mixtures import Mixtures
from ssl_asr.recipe.network import (
    NETWORKS,
    BlstmNetwork,
    ConvRnntNetwork,
    LstmNetwork,
    NetworkSection,
    ProjectedLayers,
    ProjectedLstmNetwork,
    SeparatorNetwork,
    TransformerNetwork,
    flops_of,
    may_begin_as,
)
from ssl_asr.recipe.objective import (
    OBJECTIVES,
    AdversarialCrossEntropySection,
    CrossEntropySection,
    ObjectiveSection,
    SeparatedTransducerSection,
    SmbrSection,
    SoftCrossEntropySection,
    TransducerSection,
    TurnSettings,
)
from ssl_asr.recipe.optimiser import Optimiser
from ssl_asr.recipe.predictor import TransducerSearch
from ssl_asr.recipe.sequence import SequenceTraining
from ssl_asr.recipe.sync import MomentPolicy, Sync, Variant
from ssl_asr.recipe.training import Heard, Student, Teacher
from ssl_asr.recipe.transducer import Transducer
from ssl_asr.recipe.whole import Recipe

__all__ = [
    "METHODS",
    "NETWORKS",
    "OBJECTIVES",
    "Adapt",
    "AdversarialCrossEntropySection",
    "Augmentation",
    "Batching",
    "BlstmNetwork",
    "Choice",
    "Cluster",
    "ConvRnntNetwork",
    "Conversations",
    "Corpus",
    "CrossEntropySection",
    "Evaluate",
    "Fairness",
    "Frontend",
    "Gating",
    "Heard",
    "Hmm",
    "Hypotheses",
    "Labelling",
    "Listed",
    "LstmNetwork",
    "Method",
    "Mixtures",
    "MomentPolicy",
    "NetworkSection",
    "ObjectiveSection",
    "Optimiser",
    "ProjectedLayers",
    "ProjectedLstmNetwork",
    "Recipe",
    "SeparatedTransducerSection",
    "SeparatorNetwork",
    "SequenceTraining",
    "SmbrSection",
    "SoftCrossEntropySection",
    "Student",
    "Sync",
    "Teacher",
    "Transducer",
    "TransducerSearch",
    "TransducerSection",
    "TransformerNetwork",
    "TurnSettings",
    "Variant",
    "WrongTexts",
    "flops_of",
    "load_recipe",
    "may_begin_as",
    "parse_recipe",
    "presets",
    "recipe_text",
]

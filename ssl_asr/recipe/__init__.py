"""The recipe: one typed, validated, frozen description of a run, read from YAML.

`load_recipe("demo", ["student.layers=3"])` takes a preset's name or a file and overrides. An unknown key or
value is refused with the nearest valid one before any work. What says where and on how many machines work runs
lives in `cluster` and `run` and never makes a stage start anew: features, targets and words do not depend on it, a
trained model does (BMUF with two workers is not BMUF with four), as it must on an elastic cluster.
"""

from ssl_asr.recipe.data import Cluster, Corpus, Evaluate, Frontend, Hmm, Labelling
from ssl_asr.recipe.loading import load_recipe, parse_recipe, presets, recipe_text
from ssl_asr.recipe.training import MomentPolicy, Optimiser, Student, Sync, Teacher, Variant
from ssl_asr.recipe.whole import Recipe

__all__ = [
    "Cluster",
    "Corpus",
    "Evaluate",
    "Frontend",
    "Hmm",
    "Labelling",
    "MomentPolicy",
    "Optimiser",
    "Recipe",
    "Student",
    "Sync",
    "Teacher",
    "Variant",
    "load_recipe",
    "parse_recipe",
    "presets",
    "recipe_text",
]

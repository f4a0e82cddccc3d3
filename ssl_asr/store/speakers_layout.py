"""Where extractors of speaker embeddings and what they make are below a run's directory; see `layout.py`.

`name` is that of an extractor, which the user chooses.
"""

from __future__ import annotations

from ssl_asr.store import filesystem
from ssl_asr.store.layout import SHARD_SUFFIX

DEFAULT_EXTRACTOR = "own"
_TRAINING = "extractor-"


def extractor_folder(run: str, name: str) -> str:
    return filesystem.join(run, "speakers", name)


def extractor_uri(run: str, name: str) -> str:
    return filesystem.join(extractor_folder(run, name), "extractor.safetensors")


def training_name(name: str) -> str:
    """The name of the extractor's training, below the run's `training/`."""
    return _TRAINING + name


def extractor_of_training(training: str) -> str | None:
    """The extractor whose training has this name; None if it is a model's."""
    return training.removeprefix(_TRAINING) if training.startswith(_TRAINING) else None


def trained_speakers_uri(run: str, name: str) -> str:
    """Names of the speakers that the extractor was trained on."""
    return filesystem.join(extractor_folder(run, name), "trained-on.json")


def verification_uri(run: str, name: str) -> str:
    return filesystem.join(extractor_folder(run, name), "verification.json")


def embeddings_folder(run: str, name: str, *split: str) -> str:
    return filesystem.join(extractor_folder(run, name), "embeddings", *split)


def embeddings_uri(run: str, name: str, shard: str) -> str:
    """`shard` is "test/000003", one of the manifest."""
    return filesystem.join(embeddings_folder(run, name), shard + SHARD_SUFFIX)

"""Where models, and what their training keeps, are below a run's directory; see `layout.py`.

`name` is a model of `models/systems.py`; `key` is a training run's identity.
"""

from __future__ import annotations

from ssl_asr.store import filesystem

MODEL_SUFFIX = ".safetensors"


def models_folder(run: str) -> str:
    return filesystem.join(run, "models")


def model_uri(run: str, name: str) -> str:
    return filesystem.join(models_folder(run), name + MODEL_SUFFIX)


def fisher_uri(run: str, key: str) -> str:
    """How much each weight of a model matters; `key` is a hash of what that was found out from."""
    return filesystem.join(run, "adapt", f"fisher-{key}{MODEL_SUFFIX}")


def word_pieces_uri(run: str, key: str) -> str:
    """A model of sentencepiece; `key` is a hash of what it was trained from."""
    return filesystem.join(run, "transducers", f"word-pieces-{key}.model")


def trainings_folder(run: str) -> str:
    return filesystem.join(run, "training")


def training_folder(run: str, name: str) -> str:
    return filesystem.join(trainings_folder(run), name)


def curve_uri(run: str, name: str) -> str:
    return filesystem.join(training_folder(run, name), "curve.jsonl")


def events_uri(run: str, name: str) -> str:
    return filesystem.join(training_folder(run, name), "events.jsonl")


def schedule_uri(run: str, name: str, key: str) -> str:
    return filesystem.join(training_folder(run, name), f"schedule-{key}.json")


def key_of_schedule(run: str, name: str, uri: str) -> str | None:
    """The `key` for which `schedule_uri` is `uri`, if there is one."""
    before, after = schedule_uri(run, name, "\0").split("\0")
    return uri[len(before) : -len(after)] if uri.startswith(before) and uri.endswith(after) else None


def all_accounts_folder(run: str, name: str) -> str:
    return filesystem.join(training_folder(run, name), "slabs")


def accounts_uri(run: str, name: str, key: str) -> str:
    """The folder of the accounts of one training run."""
    return filesystem.join(all_accounts_folder(run, name), key)


def account_uri(run: str, name: str, key: str, block: int) -> str:
    return filesystem.join(accounts_uri(run, name, key), f"{block:07d}.json")


def checkpoints_folder(run: str, name: str, key: str) -> str:
    return filesystem.join(training_folder(run, name), "checkpoints", key)


def ray_folder(run: str, name: str) -> str:
    """Ray Train's own notes; it keeps nothing there that is needed later."""
    return filesystem.join(training_folder(run, name), "ray")


def tensorboard_folder(run: str, name: str) -> str:
    return filesystem.join(run, "tensorboard", name)

"""Labellers: a network, the mean of several networks, or any other object with these two methods."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Protocol

import numpy as np
import torch

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.model_files import load_model, model_id
from ssl_asr.models.systems import teachers_of
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import inputs_key, non_defaults
from ssl_asr.store.ledger import checksum
from ssl_asr.store.training_layout import model_uri

VERSION = "1"  # raise where equal inputs give other targets


class Labeller(Protocol):
    def num_outputs(self) -> int:
        """Senones in every row of its log-probabilities."""
        ...

    def log_probabilities(self, utterances: list[torch.Tensor]) -> list[torch.Tensor]:
        """Float32 [frames, senones] of each utterance [30 ms frames, inputs], computed as one padded batch."""
        ...


class NetworkLabeller:
    """One acoustic model; `bfloat16` runs it under autocast."""

    def __init__(self, model: AcousticModel, *, bfloat16: bool = False) -> None:
        self.model, self.bfloat16 = model, bfloat16

    def num_outputs(self) -> int:
        return self.model.spec.outputs

    @torch.inference_mode()
    def log_probabilities(self, utterances: list[torch.Tensor]) -> list[torch.Tensor]:
        device = self.model.mean.device.type
        with torch.autocast(device, torch.bfloat16) if self.bfloat16 else nullcontext():
            logits = self.model.logits(utterances)
        return [each.float().log_softmax(dim=1) for each in logits]


class Ensemble:
    """The mean of its members' posteriors."""

    def __init__(self, members: Sequence[Labeller]) -> None:
        sizes = {member.num_outputs() for member in members}
        if len(sizes) != 1:
            raise ValueError(f"the ensemble's teachers have {sorted(sizes)} senones; train them for one senone set")
        self.members = members

    def num_outputs(self) -> int:
        return self.members[0].num_outputs()

    def log_probabilities(self, utterances: list[torch.Tensor]) -> list[torch.Tensor]:
        by_member = [member.log_probabilities(utterances) for member in self.members]
        share = float(np.log(len(self.members)))
        return [torch.logsumexp(torch.stack(each), dim=0) - share for each in zip(*by_member, strict=True)]


def load_teacher(recipe: Recipe) -> Labeller:
    """The recipe's teacher, on its device; ValueError if a file is damaged or does not fit the recipe."""
    models = [_load(recipe, name) for name in teachers_of(recipe)]
    for model in models:
        if recipe.cluster.use_gpu:
            model.cuda()
        if recipe.labelling.compile:
            model.compile()
    return _as_one([NetworkLabeller(model, bfloat16=recipe.labelling.precision == "bfloat16") for model in models])


def check_teacher(recipe: Recipe) -> None:
    """Raises the ValueErrors of `load_teacher`, on a machine that may have no GPU."""
    _as_one([NetworkLabeller(_load(recipe, name)) for name in teachers_of(recipe)])


def _as_one(members: Sequence[Labeller]) -> Labeller:
    return members[0] if len(members) == 1 else Ensemble(members)


def teacher_id(recipe: Recipe) -> str:
    """Content hash of the teacher: of its file, or of all files of an ensemble."""
    uris = [model_uri(recipe.run, name) for name in teachers_of(recipe)]
    ids = [model_id(uri) for uri in uris]
    return ids[0] if len(ids) == 1 else checksum(" ".join(ids).encode())[:12]


def labelling_inputs(recipe: Recipe) -> dict[str, str]:
    """What targets depend on besides the features and the teacher."""
    return {"version": VERSION, **non_defaults(recipe, "targets")}


def target_set_id(recipe: Recipe) -> str:
    """Identity of a target set, and the name of its store: the teacher and the `labelling` settings."""
    return f"{teacher_id(recipe)}-{inputs_key(labelling_inputs(recipe))[:6]}"


def _load(recipe: Recipe, name: str) -> AcousticModel:
    uri = model_uri(recipe.run, name)
    model, _ = load_model(uri)
    inputs = recipe.frontend.stack * recipe.frontend.mel_bins
    if model.spec.inputs != inputs:
        raise ValueError(
            f"{uri} takes {model.spec.inputs} inputs a frame, the recipe makes {inputs}; delete it and train it again"
        )
    tail, most = recipe.labelling.tail, np.iinfo(np.uint16).max + 1
    if not recipe.labelling.k + tail <= model.spec.outputs <= most - tail:
        least = f"labelling.k={recipe.labelling.k}{', one more for labelling.tail,' if tail else ''}"
        raise ValueError(
            f"{uri} has {model.spec.outputs} senones; targets need at least {least} and at most {most - tail}: "
            "change labelling.k or hmm.senones"
        )
    return model

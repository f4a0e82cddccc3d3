"""The whole recipe: all sections, what must hold between them, and what identifies a result."""

from __future__ import annotations

import hashlib
import json

from pydantic import model_validator

from ssl_asr.recipe.data import Cluster, Corpus, Evaluate, Frontend, Hmm, Labelling
from ssl_asr.recipe.section import Section
from ssl_asr.recipe.training import Student, Teacher

# Keys outside `cluster` and `run` that change no result either: where downloads lie, what is kept, when to give up.
_NO_RESULT = {
    "cache": True,
    "max_reject_share": True,
    "sync": {"checkpoint_blocks": True, "max_bad_blocks": True},
}


class Recipe(Section):
    name: str = "custom"
    about: str = ""  # what the run shows and how long it takes: the first thing `ssl-asr run` says
    run: str = "runs/custom"  # directory or s3:// or gs:// URI of everything the run writes
    seed: int = 1
    corpus: Corpus = Corpus()
    frontend: Frontend = Frontend()
    hmm: Hmm = Hmm()
    teacher: Teacher = Teacher()
    labelling: Labelling = Labelling()
    student: Student = Student()
    evaluate: Evaluate = Evaluate()
    cluster: Cluster = Cluster()

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.frontend.high_hz > self.frontend.sample_rate / 2:
            raise ValueError(
                f"frontend.high_hz={self.frontend.high_hz:g} is above half of frontend.sample_rate; "
                f"use at most {self.frontend.sample_rate / 2:g}"
            )
        if self.labelling.k > self.hmm.senones:
            raise ValueError(f"labelling.k={self.labelling.k} is above hmm.senones={self.hmm.senones}")
        if self.student.whole_sub_epochs > self.student.sub_epochs:
            raise ValueError("student.whole_sub_epochs is above student.sub_epochs")
        if self.student.selection == "all" and self.student.selected_share < 1:
            raise ValueError(
                f"student.selected_share={self.student.selected_share:g} selects nothing while student.selection is "
                "all; add student.selection=uniform-confidence"
            )
        if self.frontend.low_hz >= self.frontend.high_hz:
            raise ValueError("frontend.low_hz is not below frontend.high_hz")
        least, most = self.cluster.label_actors
        if least > most:
            raise ValueError(f"cluster.label_actors: the least, {least}, is above the most, {most}")
        least, most = self.cluster.train_workers
        if least > most:
            raise ValueError(f"cluster.train_workers: the least, {least}, is above the most, {most}")
        return self

    def key(self, *sections: str) -> str:
        """Identity of what these sections and the seed ask for; equal keys ask for equal results."""
        asked = {name: getattr(self, name).model_dump(exclude=_NO_RESULT) for name in sections} | {"seed": self.seed}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]

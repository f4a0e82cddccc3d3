"""The models that a run trains, and those of them that are evaluated: each is listed here and nowhere else."""

from __future__ import annotations

from typing import Final, Literal

ModelName = Literal["teacher", "baseline", "student"]
TEACHER: Final = "teacher"
BASELINE: Final = "baseline"
STUDENT: Final = "student"
MODELS = (TEACHER, BASELINE, STUDENT)  # in the order of training
SYSTEMS = (BASELINE, TEACHER, STUDENT)  # decoded and scored, in the order of the tables
TITLES = {BASELINE: "baseline", TEACHER: "teacher", STUDENT: "SSL student"}

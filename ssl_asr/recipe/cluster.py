"""On how many machines work runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssl_asr.recipe.section import Positive, PositiveFloat, Section


class Cluster(Section):
    train_workers: tuple[Positive, Positive] = (2, 2)  # minimum and maximum
    label_actors: tuple[Positive, Positive] = (1, 2)  # of labelling, and of realigning
    use_gpu: bool = False
    cpus_per_worker: PositiveFloat = 0.5
    price_per_actor_hour: Annotated[float, Field(ge=0)] = 0.0  # for the cost in `ssl-asr status`

"""Gates of a Transformer: for every frame, which of its modules run."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ssl_asr.recipe.section import NotNegative, Positive, PositiveFloat, Section, Share


class Gating(Section):
    """An arbitrator reads every frame and decides which modules run for it (Xie et al. 2022).

    `ff` and `lstm` are learned networks of `layers` x `units`. `random` keeps the share `keep_rate` at random: a
    baseline, which takes as many FLOPs as the transducer that `flops_of` names. Before `begin`, in training, it keeps
    all, as learned gates then keep nearly all. `single` reads the input and decides for all layers. `dual` decides so
    for the lower half of the layers, and a second arbitrator, which reads the output of the lower half, for the upper
    half.
    """

    arbitrator: Literal["ff", "lstm", "random"] = "lstm"
    levels: Literal["single", "dual"] = "dual"
    layers: Positive = 2
    units: Positive = 128
    # What is gated; all else always runs.
    feed_forward: bool = False
    queries: bool = True  # each head's own
    keys: bool = True
    keep_rate: Share = 0.5  # of arbitrator=random alone
    # In place of keep_rate, a rate each for feed-forward modules, queries and keys.
    keep_rates: tuple[Share, Share, Share] | None = None
    # A transducer above this one in the recipe: keep_rates become the shares of each kind of module that it keeps on
    # dev, moved together until they take as many FLOPs. "": they are as they are.
    flops_of: str = ""
    # From the share `begin` of a training to the share `end`, these move evenly from their first value to their
    # second; before `begin`, beta is 0. The paper begins after 120 of 200 epochs. The defaults are the paper's. A
    # small network learns more with the preset amortised's: a smaller beta, less noise, a last temperature of 0.2.
    begin: Share = 0.6
    end: Share = 1.0
    # The loss of running all modules, in nats a frame. The paper's 1e-8 to 5e-8 a FLOP, at 34 M FLOPs a frame.
    beta: tuple[NotNegative, NotNegative] = (0.34, 1.7)
    temperature: tuple[PositiveFloat, PositiveFloat] = (1.0, 1e-5)  # of the Gumbel-sigmoid samples
    contribution: tuple[Share, Share] = (0.0, 1.0)  # of the Gumbel noise to them

    @model_validator(mode="after")
    def _consistent(self) -> Gating:
        if not (self.feed_forward or self.queries or self.keys):
            raise ValueError("nothing is gated; set feed_forward, queries or keys to true, or leave gating out")
        if self.flops_of and self.arbitrator != "random":
            raise ValueError(f"flops_of={self.flops_of} is for arbitrator=random; learned gates have beta")
        if self.keep_rates is not None and (self.arbitrator != "random" or self.flops_of):
            raise ValueError("keep_rates are for arbitrator=random without flops_of; leave them out")
        if self.begin >= self.end:
            raise ValueError(f"begin={self.begin:g} is not below end={self.end:g}")
        return self

    @property
    def in_place_of_keep_rate(self) -> str:
        """What decides how much is kept in place of `keep_rate`; "" where `keep_rate` does."""
        if self.keep_rates is not None:
            return "keep_rates"
        if self.flops_of:
            return "flops_of"
        return "" if self.arbitrator == "random" else f"arbitrator={self.arbitrator}"

    @property
    def random_rates(self) -> tuple[float, float, float]:
        """The shares of feed-forward modules, queries and keys that random gates keep."""
        return self.keep_rates or (self.keep_rate, self.keep_rate, self.keep_rate)

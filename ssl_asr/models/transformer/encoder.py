"""The causal Transformer, and the one whose arbitrators decide what runs (Xie et al. 2022).

In training all modules are computed and multiplied by samples of their gates, and the encoder's own loss is the
expected cost by the keep probabilities. Otherwise gates are hard, open where the probability is above a half, and
what is closed is not computed: frame by frame for one stream, on gathered rows for a batch or a longer chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from ssl_asr.models.encoder import Encoder, EncoderState, Flops, OwnLoss
from ssl_asr.models.transformer.arbitrators import Arbitrator, build_arbitrator
from ssl_asr.models.transformer.block import Block, distance_bias, slopes
from ssl_asr.models.transformer.cache import Cache, empty_cache
from ssl_asr.models.transformer.flops import costs_of, most, share, spent
from ssl_asr.models.transformer.gates import annealed, has_begun, parts_of, sampled
from ssl_asr.models.transformer.gathered import place_of, run_chunk
from ssl_asr.models.transformer.held import Held, held_of, to_go_on
from ssl_asr.models.transformer.single import Moment, frame_gates, run_frame
from ssl_asr.recipe import TransformerNetwork

COMPUTE_SHARE = "compute_share"
_USUAL_CONTEXT = 100  # 30 ms frames before a frame of an utterance, as a plan takes it


@dataclass(frozen=True)
class Computed:
    """What ran: `keep` [B, T, layers, gates of a layer] as bools, FLOPs by utterance [B], and without gates [B]."""

    keep: torch.Tensor
    flops: torch.Tensor
    ungated_flops: torch.Tensor


@dataclass(frozen=True)
class _Run:
    """How layers are run: gates [B, T, layers, G] by layer, as `advance` takes one layer's."""

    by_layer: Callable[[torch.Tensor], Sequence[Any]]
    advance: Callable[..., tuple[torch.Tensor, Cache]]


class Transformer(Encoder[TransformerNetwork]):
    """The state is that of `Held`. Caches of keys grow with the utterance, or to little more than `left_context`."""

    slopes: torch.Tensor
    constant_buffers = ("slopes",)
    is_causal = True

    def __init__(self, section: TransformerNetwork, inputs: int) -> None:
        super().__init__(section, section.width)
        self.inputs = inputs
        self.input = nn.Linear(inputs, section.width)
        self.dropout = nn.Dropout(section.dropout)
        sizes = {"width": section.width, "heads": section.heads, "feed_forward": section.feed_forward}
        self.blocks = nn.ModuleList(Block(**sizes, dropout=section.dropout) for _ in range(section.layers))
        self.norm = nn.LayerNorm(section.width)
        self.register_buffer("slopes", slopes(section.heads), persistent=False)
        self.parts = parts_of(section.gating, section.heads)
        self.spans = _spans(section)
        widths = (inputs, section.width)
        self.arbitrators = nn.ModuleList()
        if section.gating is not None:
            for span, width in zip(self.spans, widths, strict=False):
                self.arbitrators.append(build_arbitrator(section.gating, width, span, self.parts))
            self.figures = (COMPUTE_SHARE,)
        # Not `set_progress`: only a training tells random gates that they have not begun.
        self.annealed = None if section.gating is None else annealed(section.gating, 0.0)
        self._scored: tuple[torch.Tensor, torch.Tensor] | None = None

    @property
    def multiply_adds_per_frame(self) -> int:
        """Without gates closed, where attention sees all that it may; of unbounded attention, `_USUAL_CONTEXT`."""
        costs = costs_of(self.section, self.inputs)
        seen = 1 + (_USUAL_CONTEXT if costs.left_context is None else costs.left_context)
        heads = costs.heads * (costs.query + costs.key + seen * costs.cell)
        return (costs.fixed + costs.layers * (costs.feed_forward + heads)) // 2

    def set_progress(self, progress: float) -> None:
        gating = self.section.gating
        if gating is None:
            return
        self.annealed = annealed(gating, progress)
        for each in self._arbitrators():
            each.begun = has_begun(gating, progress)

    def initial_state(self, n: int) -> EncoderState:
        like = self.input.weight
        position = like.new_zeros(1, n, dtype=torch.long)
        cache = empty_cache(self.section.heads, n, self.section.width // self.section.heads, like)
        arbitrators = [each.initial_state(n) for each in self._arbitrators()]
        return Held(position, position.clone(), arbitrators, [cache] * self.section.layers).tensors

    def forward(
        self, frames_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        if state is None and (self.training or self.annealed is None):
            return self._all_computed(frames_btd, lengths_b), None
        before = self.initial_state(len(frames_btd)) if state is None else state
        outputs_btd, after, keep = self._kept_computed(frames_btd, lengths_b, before)
        if state is not None:
            return outputs_btd, after
        self._scored = (keep.to(outputs_btd.dtype), lengths_b)
        return outputs_btd, None

    def take_own_loss(self) -> OwnLoss | None:
        if self._scored is None or self.annealed is None:
            return None
        costs = costs_of(self.section, self.inputs)
        computed = share(costs, self.parts, *self._scored)
        self._scored = None
        return OwnLoss(self.annealed.beta * computed, {COMPUTE_SHARE: computed.detach()})

    def computed(self, frames_btd: torch.Tensor, lengths_b: torch.Tensor) -> Computed:
        """What runs for these normalised utterances with hard gates."""
        _, _, keep = self._kept_computed(frames_btd, lengths_b, self.initial_state(len(frames_btd)))
        costs = costs_of(self.section, self.inputs)
        flops = spent(costs, self.parts, keep.double(), lengths_b)
        return Computed(keep, flops, most(costs_of(self.section, self.inputs, arbitrators=False), lengths_b))

    def flops(self, frames_btd: torch.Tensor, lengths_b: torch.Tensor) -> Flops:
        if self.annealed is None:
            whole_b = most(costs_of(self.section, self.inputs), lengths_b)
            return Flops(whole_b, whole_b)
        ran = self.computed(frames_btd, lengths_b)
        return Flops(ran.flops, ran.ungated_flops)

    def _all_computed(self, frames_btd: torch.Tensor, lengths_b: torch.Tensor) -> torch.Tensor:
        """With every module computed; with arbitrators, times samples of its gate."""
        hidden_btd = self.dropout(self.input(frames_btd))
        bias_htt = distance_bias(self.slopes, frames_btd.shape[1], self.section.left_context)
        begins_b = torch.zeros(len(frames_btd), dtype=torch.long, device=frames_btd.device)
        probabilities = []
        for arbitrator, span in self._stages():
            keep = log_keep = hidden_btd.new_empty(*hidden_btd.shape[:2], len(span), 0)
            if arbitrator is not None and self.annealed is not None:
                read = hidden_btd if span.start else frames_btd
                logits, _ = arbitrator(read, lengths_b, None, begins_b)
                keep, log_keep = sampled(logits, self.annealed)
                probabilities.append(logits.sigmoid())
            for index, layer in enumerate(span):
                split = (self.parts.split(keep[:, :, index]), self.parts.split(log_keep[:, :, index]))
                hidden_btd = self.blocks[layer](hidden_btd, bias_htt, *split)
        if probabilities:
            self._scored = (torch.cat(probabilities, 2), lengths_b)
        return self.norm(hidden_btd)

    def _kept_computed(
        self, frames_btd: torch.Tensor, lengths_b: torch.Tensor, before: EncoderState
    ) -> tuple[torch.Tensor, EncoderState, torch.Tensor]:
        """Outputs, the state after, and the hard gates [B, T, layers, G]: only what is kept is computed."""
        held = held_of(before, [each.states for each in self._arbitrators()])
        # Gradients can't follow what is written in place.
        one = frames_btd.shape[:2] == (1, 1) and int(lengths_b[0]) == 1 and not torch.is_grad_enabled()
        held = to_go_on(held) if one else held
        run = self._frame_run(held) if one else self._chunk_run(held, lengths_b, frames_btd.shape[1])
        hidden = self.input(frames_btd[0] if one else frames_btd)
        gates, arbitrators, caches = [], list[EncoderState](), list[Cache]()
        for number, (arbitrator, span) in enumerate(self._stages()):
            keep = frames_btd.new_empty(*frames_btd.shape[:2], len(span), 0, dtype=torch.bool)
            if arbitrator is not None:
                read = hidden.view(*frames_btd.shape[:2], -1) if span.start else frames_btd
                logits, after = arbitrator(read, lengths_b, held.arbitrators[number], held.position_1b[0])
                keep = logits > 0
                arbitrators.append(after)
            for layer, kept in zip(span, run.by_layer(keep), strict=True):
                hidden, cache = run.advance(self.blocks[layer], hidden, kept, held.caches[layer])
                caches.append(cache)
            gates.append(keep)
        ends_1b = held.position_1b + lengths_b.to(held.position_1b.device)
        newest_1b = held.newest_1b if one else ends_1b.clone()
        state = Held(ends_1b, newest_1b, arbitrators, caches).tensors
        return self.norm(hidden.view(*frames_btd.shape[:2], -1)), state, torch.cat(gates, 2)

    def _frame_run(self, held: Held) -> _Run:
        moment = Moment(int(held.position_1b), self.slopes[:, None, None], self.section.left_context)
        return _Run(lambda keep: frame_gates(moment, self.parts, keep[0, 0]), partial(run_frame, moment))

    def _chunk_run(self, held: Held, lengths_b: torch.Tensor, longest: int) -> _Run:
        place = place_of(held.position_1b[0], lengths_b, longest, self.slopes, self.section.left_context)
        return _Run(lambda keep: [self.parts.split(each) for each in keep.unbind(2)], partial(run_chunk, place))

    def _stages(self) -> Iterator[tuple[Arbitrator | None, range]]:
        """Each stretch of layers with the arbitrator that decides for it."""
        arbitrators: list[Arbitrator | None] = [*self._arbitrators()]
        yield from zip(arbitrators or [None], self.spans, strict=True)

    def _arbitrators(self) -> Iterator[Arbitrator]:
        for each in self.arbitrators:
            assert isinstance(each, Arbitrator)
            yield each


def _spans(section: TransformerNetwork) -> list[range]:
    """The layers that each arbitrator decides for."""
    if section.gating is None or section.gating.levels == "single":
        return [range(section.layers)]
    half = section.layers // 2
    return [range(half), range(half, section.layers)]

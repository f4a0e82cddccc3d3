"""How good the exported networks of a transducer of conversations are: ORC-WER on conversations of a split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ssl_asr.decoding.slabs import Slab
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.error_rates import WordErrors
from ssl_asr.evaluation.turns.emissions import RecognisedConversation
from ssl_asr.evaluation.turns.errors import conversation_errors
from ssl_asr.evaluation.turns.slabs import recognised
from ssl_asr.frontend.conversations import ConversationMaker
from ssl_asr.frontend.stacking import stack
from ssl_asr.progress import Progress
from ssl_asr.serving.exporting.measure import FULL
from ssl_asr.serving.exporting.transducers.measure import encoded, slabs_of
from ssl_asr.serving.exporting.transducers.networks import output_channels
from ssl_asr.serving.exporting.transducers.sources import TransducerSources
from ssl_asr.serving.network import Network
from ssl_asr.serving.transducers.networks import StepNetworks
from ssl_asr.transducer.channel_search import ChannelSearch, split_channels


def measure_conversations(
    sources: TransducerSources, encoder: Network, steps: StepNetworks, split: str
) -> tuple[WordErrors, ...]:
    """One row, of the conversations that are simulated from the clean speech of `split`, as the evaluate stage does.

    ValueError if the speech makes no conversation.
    """
    recipe = sources.recipe
    maker = ConversationMaker(recipe, recipe.evaluate.conversations, sources.prior)
    slabs, found = slabs_of(recipe, split), list[RecognisedConversation]()
    progress = Progress(f"recognising conversations of {split} with the exported networks", len(slabs), "slabs")
    for slab in slabs:
        found += _recognised(sources, maker, slab, encoder, steps)
        progress.advance()
    draws = Draws(recipe.evaluate.bootstrap, recipe.seed)
    return (conversation_errors(FULL, found, sample_rate=recipe.frontend.sample_rate, draws=draws).row,)


def _recognised(
    sources: TransducerSources, maker: ConversationMaker, slab: Slab, encoder: Network, steps: StepNetworks
) -> Iterator[RecognisedConversation]:
    channels = output_channels(sources.model)
    for made in maker.of_slab(slab.shard, slab.number, None):
        search = ChannelSearch(steps, sources.search, sources.pieces, channels)
        search.accept(split_channels(encoded(encoder, stack(made.frames).astype(np.float32)), channels))
        yield recognised(made, search.hypotheses(), sources.pieces)

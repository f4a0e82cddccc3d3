"""How speech is cut into batches."""

from __future__ import annotations

from ssl_asr.recipe.section import Positive, Section


class Batching(Section):
    """In 30 ms frames."""

    batch_chunks: Positive = 32  # chunks of full length in a batch; of shorter chunks there are more
    chunk_frames: Positive = 32
    batch_frames: Positive = 1500  # of a batch of whole utterances, padding included

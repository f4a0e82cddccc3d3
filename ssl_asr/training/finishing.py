"""The end of a model's training: its posteriors are counted, and the model is written into the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssl_asr.lang.word_pieces import WordPieces
from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.model_files import MADE_FROM, POSTERIOR_COUNTS, save_model
from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.posteriors import posterior_counts
from ssl_asr.training.sync import flat
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.model_files import save_transducer

if TYPE_CHECKING:
    from ssl_asr.training.job import TrainingJob
    from ssl_asr.training.loop import Loop


def finish_training(job: TrainingJob, loop: Loop) -> None:
    """All workers count; the first writes."""
    counts = posterior_counts(loop, loop.course.sources["labeled"]) if job.counts_posteriors else None
    if loop.worker.rank != 0:
        return
    flat.unflatten_into(loop.strategy.global_model(), loop.learned.parameters())
    measured = {} if counts is None else {POSTERIOR_COUNTS: counts}
    about = {**job.about, MADE_FROM: job.inputs, "blocks": loop.block, **measured}
    uri = model_uri(job.run, job.name)
    if isinstance(loop.model, TransducerModel):
        assert job.word_pieces is not None, "a transducer has word pieces"
        save_transducer(uri, loop.model, WordPieces(filesystem.read_bytes(job.word_pieces), job.word_pieces), about)
    else:
        assert isinstance(loop.model, AcousticModel)
        save_model(uri, loop.model, about)

"""A small training job on the real labeled speech of the tests' run."""

from __future__ import annotations

import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.acoustic import ModelSpec
from ssl_asr.recipe import Augmentation, Batching, CrossEntropySection, LstmNetwork, Optimiser, Recipe, Sync
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.data.sources import source_of
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.schedule import Phase


def labeled_job(run: Recipe) -> TrainingJob:
    """Three phases of 5, 3 and 3 slabs of half a minute, the last on whole utterances."""
    torch.set_num_threads(1)
    senones = load_senones(run.run)
    labeled = source_of("labeled", "labeled", ShardStore(run.run, features.STORE).index("labeled"), 1)
    phases = (
        Phase("labeled", 0, 5, 3e-3, 0, False),
        Phase("labeled", 5, 3, 2e-3, 1, False),
        Phase("labeled", 8, 3, 1e-3, 2, True),
    )
    mean, deviation = global_statistics(run.run)
    return TrainingJob(
        run=run.run,
        name="test",
        inputs={"test": "1"},
        spec=ModelSpec(
            LstmNetwork(layers=2, units=24, look_ahead=3, dropout=0.2), run.frontend.mel_bins * STACK, senones.size
        ),
        optimiser=Optimiser(),
        batching=Batching(),
        augmentation=Augmentation(frequency_masks=1, time_masks=1),
        sync=Sync(block_slabs=1),
        seed=1,
        schedule=phases,
        sources=(labeled,),
        objectives={"labeled": CrossEntropySection()},
        dev=None,
        dev_objective="labeled",
        reader=SlabReader(run.run, run.frontend.mel_bins, senones.id),
        mean=mean,
        deviation=deviation,
        about={"senone_set": senones.id},
    )

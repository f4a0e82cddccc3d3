"""The schedule of a transducer: unlabeled sub-epochs, each followed by labeled passes, all on whole utterances.

So are the passes before, if any, in which its encoder learns senones.
"""

from __future__ import annotations

from ssl_asr.recipe import Transducer
from ssl_asr.training.data.sources import Source
from ssl_asr.training.phases import OFFSETS, decay
from ssl_asr.training.schedule import Phase


def encoder_schedule(settings: Transducer, labeled: Source) -> list[Phase]:
    """Passes in which the encoder learns senones, at an exponentially falling rate; each takes the next offset."""
    rates = decay(settings.optimiser.learning_rate, settings.optimiser.final_learning_rate, settings.senone_passes)
    size = len(labeled)
    return [Phase("labeled", index * size, size, rate, index % OFFSETS, True) for index, rate in enumerate(rates)]


def transducer_schedule(settings: Transducer, labeled: Source, unlabeled: Source | None) -> list[Phase]:
    """At an exponentially falling rate. `unlabeled` is None where there are no unlabeled passes.

    Words have no time, so speech may be heard at any feature offset: each sub-epoch takes the next.
    """
    rates = decay(settings.optimiser.learning_rate, settings.optimiser.final_learning_rate, settings.sub_epochs)
    total = 0 if unlabeled is None else round(settings.unlabeled_passes * len(unlabeled))
    phases = []
    for index, rate in enumerate(rates):
        first, last = (total * step // settings.sub_epochs for step in (index, index + 1))
        offset = index % OFFSETS
        phases.append(Phase("unlabeled", first, last - first, rate, offset, True, False))
        count = settings.labeled_passes * len(labeled)
        phases.append(Phase("labeled", index * count, count, rate * settings.labeled_boost, offset, True))
    return [phase for phase in phases if phase.count]

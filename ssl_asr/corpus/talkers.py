"""Which speakers of a run's speech are one person each."""

from __future__ import annotations

from ssl_asr.corpus.open_speech.clips import is_one_person
from ssl_asr.corpus.sources import OPEN_SPEECH
from ssl_asr.recipe import Corpus


def may_be_several(corpus: Corpus, split: str, speaker: str) -> bool:
    """Whether the split's source says that several people may be behind this name; of one's own none does.

    So a speaker of one's own is one person, whatever the name.
    """
    return corpus.source_of(split) == OPEN_SPEECH and not is_one_person(speaker)

"""Where an utterance of a stream is cut, so that no word is lost.

An endpoint is found some time after the last word, or in the middle of speech that goes on and on. The next utterance
begins a little before: in the silence behind the last word, or between two words. Its search sees these frames again,
so a word whose begin was still taken for silence, or that was being said, is found whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ssl_asr.hmm.word_times import WordTime

# Frames before an endpoint that are searched again: at most half a second of silence, or five seconds of speech.
SILENCE_AGAIN, _SPEECH_AGAIN = 17, 167


@dataclass(frozen=True)
class Cut:
    """An utterance ends before `frame` and has the first `words` words."""

    words: int
    frame: int


def cut_in_silence(times: Sequence[WordTime], frames: int) -> Cut:
    """Behind the last of the words: in the middle of the silence or, where that is long, shortly before its end."""
    return Cut(len(times), frames - again_after(frames - (times[-1].end if times else 0)))


def again_after(silent: int) -> int:
    """How many of the last frames are searched again after so many of silence."""
    return min(silent // 2, SILENCE_AGAIN)


def cut_in_speech(times: Sequence[WordTime], frames: int) -> Cut:
    """In the longest of the last pauses between words, of equal ones in the last; at the end if there is none.

    Words that overlap, as a transducer's of one frame, have no pause between them.
    """
    pauses = [
        (after.start - before.end, number, (before.end + after.start) // 2)
        for number, (before, after) in enumerate(pairwise(times), 1)
    ]
    late = [each for each in pauses if each[0] >= 0 and each[2] >= max(frames // 2, frames - _SPEECH_AGAIN)]
    if not late:
        return Cut(len(times), frames)
    _, words, frame = max(late)
    return Cut(words, frame)

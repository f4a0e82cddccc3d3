"""What every test of a reader asks."""

from __future__ import annotations

import numpy as np

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.readers.kaldi import read_kaldi
from ssl_asr.corpus.readers.kaldi_pieces import kaldi_pieces
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.recipe import Corpus
from tests.corpus.conftest import Clip


def same_speech(reading: Reading, clips: list[Clip]) -> None:
    """Every utterance has a clip's samples, speaker and text, and the checks find nothing wrong."""
    usable = checked(reading, "labeled", Corpus())
    assert usable.rejects == ()
    assert len(usable.utterances) == len(clips)
    by_text = {A_TO_Z.normalise(clip.text): clip for clip in clips}
    for utterance in usable.utterances:
        clip = by_text[utterance.text or ""]
        assert utterance.speaker == clip.speaker
        samples = read_audio(utterance.audio, utterance.offset, utterance.duration, utterance.channel, clip.rate)
        assert abs(len(samples) - len(clip.samples)) <= 2
        shared = min(len(samples), len(clip.samples))
        assert np.corrcoef(samples[:shared], clip.samples[:shared])[0, 1] > 0.99


def orders_of(reading: Reading) -> dict[str, list[int]]:
    orders: dict[str, list[int]] = {}
    for utterance in sorted(reading.utterances, key=lambda utterance: (utterance.speaker, utterance.offset)):
        orders.setdefault(utterance.speaker, []).append(utterance.order)
    return orders


def whole_kaldi(path: str, channel: int = 0, *, pipes: bool = False) -> Reading:
    """What a small data directory lists."""
    (piece,) = kaldi_pieces(path)
    return read_kaldi(piece, channel, pipes=pipes)

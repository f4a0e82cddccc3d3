"""From utterances to filter-bank energies: read, degrade, analyse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.audio import SegmentReader
from ssl_asr.corpus.audio_files import UnreachableAudio
from ssl_asr.corpus.augment.noise import Bank, bank_use, degrade, load_bank
from ssl_asr.corpus.augment.speed import speed_of
from ssl_asr.frontend.lfbe import lfbe
from ssl_asr.frontend.silence import EDGE_SECONDS, is_silent
from ssl_asr.recipe import Recipe
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import CLEAN, Utterance

Frames = npt.NDArray[np.float32]
Samples = npt.NDArray[np.float32]


_TRAINED_ON = ("labeled", "unlabeled")  # dev and test keep every utterance, so that results stay comparable


@dataclass(frozen=True)
class ExtractedUtterance:
    """One utterance with its frames, float32 [10 ms frames, mel bins]."""

    utterance: Utterance
    frames: Frames


@dataclass(frozen=True)
class Extractor:
    """LFBE of the utterances of one split; dev and test get noise that training never uses."""

    recipe: Recipe
    split: str

    @cached_property
    def _bank(self) -> Bank:
        return load_bank(self.recipe.run, bank_use(self.split), self.recipe.frontend.sample_rate)

    def waveform(self, utterance: Utterance) -> Samples:
        """The audio as it is recognised [samples]; ValueError with one sentence if it is unusable."""
        with self._reader() as reader:
            return self._waveform(utterance, reader)

    def _reader(self) -> SegmentReader:
        return SegmentReader(pipes=self.recipe.corpus.pipes)

    def _waveform(self, utterance: Utterance, reader: SegmentReader) -> Samples:
        rate = self.recipe.frontend.sample_rate
        # Samples of this rate, taken for samples of the front end's, play at the condition's speed.
        read_at = rate / speed_of(utterance.condition)
        place = (utterance.audio, utterance.offset, utterance.duration, utterance.channel)
        spoken = reader.read(*place, read_at)
        if self.split in _TRAINED_ON and is_silent(spoken, round(read_at * EDGE_SECONDS)):
            raise ValueError(
                f"{utterance.audio}: channel {utterance.channel} is digital silence from {utterance.offset:.2f} s to "
                f"{utterance.offset + utterance.duration:.2f} s; fix the file, corpus.channel or the times"
            )
        if utterance.condition == CLEAN:
            return spoken
        waveform = degrade(spoken, rate, utterance.condition, utterance.id, self.recipe.seed, self._bank)
        # A degraded copy is trained with the alignment of its clean recording, frame by frame in its own time.
        assert len(waveform) == len(spoken), f"{utterance.condition} changed the length of {utterance.id}"
        return waveform

    def frames(self, utterance: Utterance) -> Frames:
        """LFBE [10 ms frames, mel bins]; ValueError with one sentence if the audio is unusable."""
        with self._reader() as reader:
            return self._frames(utterance, reader)

    def _frames(self, utterance: Utterance, reader: SegmentReader) -> Frames:
        waveform = self._waveform(utterance, reader)
        try:
            frames = lfbe(waveform, self.recipe.frontend)
        except ValueError as error:
            raise ValueError(f"{utterance.audio}: {error}") from error
        if not np.isfinite(frames).all():
            raise ValueError(f"{utterance.audio} gives NaN or infinite features; fix the audio or drop it")
        return frames

    def all_frames(self, utterances: Iterable[Utterance]) -> tuple[list[ExtractedUtterance], list[Reject]]:
        """LFBE of every usable utterance, in the order given, and the rejects with their reasons.

        Neighbours of one recording should follow each other, as in a shard: it is then opened once.

        `UnreachableAudio` while a store does not answer: what it holds may be usable.
        """
        extracted, rejects = [], []
        with self._reader() as reader:
            for utterance in utterances:
                try:
                    extracted.append(ExtractedUtterance(utterance, self._frames(utterance, reader)))
                except UnreachableAudio:
                    raise
                except ValueError as error:
                    rejects.append(Reject(utterance.id, str(error)))
        return extracted, rejects

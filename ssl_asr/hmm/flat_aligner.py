"""Aligns utterances by the flat start's model, and checks whether their texts belong to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.chunks import Transcribed, transcribe
from ssl_asr.hmm.flat_model import Fit, FlatModel
from ssl_asr.hmm.phone_times import PhoneTimes
from ssl_asr.hmm.recordings import Alignment
from ssl_asr.hmm.text_check import DOUBTED_BELOW, TextCheck, Texts, align_and_check
from ssl_asr.hmm.text_counts import TextCounts
from ssl_asr.hmm.triphones import triphone_codes
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.recipe import WrongTexts
from ssl_asr.store import utterance
from ssl_asr.store.alignments import Confidence
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.utterance import Utterance

# An utterance of less weight is left out: alone in a batch it would count like any other.
LEAST_WEIGHT = 0.05


class FlatAligner:
    """For one shard; texts are checked once `check_texts` was called. Imported alignments are taken as they are."""

    def __init__(
        self,
        model: FlatModel,
        table: npt.NDArray[np.uint16],
        *,
        lexicon: Lexicon,
        spoken: Mapping[str, Utterance],
        wrong_texts: WrongTexts,
        imported: Mapping[str, PhoneTimes] | None = None,
    ) -> None:
        self._model, self._senones, self._lexicon = model, table.reshape(-1), lexicon
        self._spoken, self._wrong_texts = spoken, wrong_texts
        self._imported, self._taken, self._made = imported, 0, 0
        self._texts: Texts | None = None
        self._ready: dict[str, Transcribed | str] = {}
        self._fit, self._counts = Fit(), TextCounts()

    def check_texts(self, rows: Sequence[FeatureRow]) -> None:
        """Check the texts of clean `rows`, which are rivals of each other."""
        clean = [row for row in rows if row.condition == utterance.CLEAN]
        ready = [self._transcribed(row) for row in clean]
        self._texts = Texts([one for one in ready if isinstance(one, Transcribed)])

    def align(self, row: FeatureRow) -> Alignment | str:
        ready = self._transcribed(row)
        if isinstance(ready, str):
            return ready
        if self._texts is None or row.id not in self._texts:  # such as a copy without its recording
            aligned, check = self._model.align(ready), None
        else:
            aligned, check = align_and_check(self._model, ready, self._texts.rivals(ready))
        if aligned is None:
            return f"no path through its text fits its {len(row.frames)} frames of 10 ms"
        if check is not None:
            self._counts.add(self._spoken[row.id].speaker, check)
            if self._wrong_texts == "reject" and check.probability < DOUBTED_BELOW:
                return self._why_wrong(check)
        self._taken += ready.known is not None
        self._made += ready.known is None
        self._fit += Fit(aligned.log_likelihood, len(aligned.labels))
        return Alignment(
            self._senones[triphone_codes(aligned.labels, self._model.num_phones)], self._confidence(check)
        )

    def statistics(self) -> Mapping[str, Any]:
        """With imported alignments, how many recordings have theirs, and how many the model's."""
        sources = {} if self._imported is None else {"imported": self._taken, "not_imported": self._made}
        return {
            "log_likelihood": self._fit.log_likelihood,
            "fitted_frames": self._fit.frames,
            **self._counts.statistics(),
            **sources,
        }

    def _transcribed(self, row: FeatureRow) -> Transcribed | str:
        if row.id not in self._ready:
            times = None if self._imported is None else self._imported.get(row.id)
            self._ready[row.id] = transcribe(row.frames, self._spoken[row.id], self._lexicon, times)
        return self._ready[row.id]

    def _confidence(self, check: TextCheck | None) -> Confidence:
        if check is None:
            return Confidence()
        weight = 1.0
        if self._wrong_texts == "weigh":
            weight = round(check.probability, 2) if check.probability >= LEAST_WEIGHT else 0.0
        return Confidence(check.margin, check.probability, weight)

    def _why_wrong(self, check: TextCheck) -> str:
        how = f"its text does not belong to its audio (probability {check.probability:.0%})"
        if check.better is None:
            why = "other texts fit almost as well"
        else:
            where = {-1: ", the utterance before it,", 1: ", the utterance after it,"}.get(check.shift, "")
            text = self._spoken[check.better].text
            why = f"the text of {check.better}{where} fits better: '{text}'"
        return f"{how}: {why}; correct its text, or train on it with hmm.wrong_texts=keep"

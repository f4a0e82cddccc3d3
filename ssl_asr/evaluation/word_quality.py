"""How good word confidences and word times are, on the test split: `decoding/words.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.decoding.slab_words import SlabWords
from ssl_asr.decoding.word_finder import RecognisedWord
from ssl_asr.evaluation.confidence import Curve, fit_curve, normalised_cross_entropy
from ssl_asr.evaluation.reference_times import SpokenTimes
from ssl_asr.evaluation.scoring import align_words
from ssl_asr.labelling.calibration import Bin, table_of
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import words_uri
from ssl_asr.store.utterance import Utterance


@dataclass(frozen=True)
class WordQuality:
    """One system's words on test.

    `curve` made confidences of posteriors; None: too little dev speech, they are the posteriors. `nce` is the
    normalised cross-entropy of confidences, `posterior_nce` of posteriors, None where all words are right or wrong.
    `bins` are of confidences, by words. `start_difference` is the mean absolute difference in seconds between the
    starts of `timed` right words and the forced alignment's, `start_median` its median; None without one. `narrowed`
    utterances have a lattice of a smaller beam, `without_lattice` and `without_times` have none. `x_real_time`:
    seconds of audio a second of one core.
    """

    words: int
    curve: Curve | None
    nce: float | None
    posterior_nce: float | None
    bins: tuple[Bin, ...]
    start_difference: float | None
    start_median: float | None
    timed: int
    narrowed: int
    without_lattice: int
    without_times: int
    x_real_time: float


def words_by_utterance(slabs: Iterable[SlabWords]) -> dict[str, tuple[RecognisedWord, ...]]:
    return {each.id: each.words for slab in slabs for each in slab.utterances}


def learn_curve(dev: Sequence[SlabWords], utterances: Mapping[str, Utterance]) -> Curve | None:
    judged = _judged(words_by_utterance(dev), utterances)
    return fit_curve(judged.posteriors, judged.durations, judged.right)


def measure_words(
    found: Sequence[SlabWords],
    utterances: Mapping[str, Utterance],
    *,
    curve: Curve | None,
    spoken: SpokenTimes,
    seconds: float,
) -> WordQuality:
    """`seconds` of audio are in the slabs."""
    words = words_by_utterance(found)
    judged = _judged(words, utterances)
    confidences, right = (curve or Curve()).confidences(judged.posteriors, judged.durations), judged.right
    differences = np.array(list(_start_differences(words, utterances, spoken)))
    listed = [each for slab in found for each in slab.utterances]
    return WordQuality(
        words=len(right),
        curve=curve,
        nce=normalised_cross_entropy(confidences, right),
        posterior_nce=normalised_cross_entropy(judged.posteriors, right),
        bins=tuple(table_of(confidences, right, np.ones(len(right), int)).bins()),
        start_difference=round(float(differences.mean()), 4) if len(differences) else None,
        start_median=round(float(np.median(differences)), 4) if len(differences) else None,
        timed=len(differences),
        narrowed=sum(each.narrowed for each in listed),
        without_lattice=sum(bool(each.error and each.words) for each in listed),
        without_times=sum(bool(each.error and not each.words) for each in listed),
        x_real_time=round(seconds / max(sum(slab.spent for slab in found), 1e-9), 1),
    )


@dataclass(frozen=True)
class _Judged:
    """All words with a posterior in utterances with a text [words]; durations in seconds."""

    posteriors: npt.NDArray[np.float64]
    durations: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]


def _judged(words: Mapping[str, Sequence[RecognisedWord]], utterances: Mapping[str, Utterance]) -> _Judged:
    posteriors, durations, right = [], [], []
    for name, found in words.items():
        text = utterances[name].text
        if text is not None:
            pairs = [pair for pair in align_words(text.split(), [each.word for each in found]) if pair.hypothesis]
            for each, pair in zip(found, pairs, strict=True):
                if each.posterior is not None:
                    posteriors.append(each.posterior)
                    durations.append(each.duration)
                    right.append(pair.right)
    return _Judged(np.array(posteriors, np.float64), np.array(durations, np.float64), np.array(right, bool))


def _start_differences(
    words: Mapping[str, Sequence[RecognisedWord]], utterances: Mapping[str, Utterance], spoken: SpokenTimes
) -> Iterable[float]:
    """Absolute differences in seconds, of the words that are right."""
    for name, found in words.items():
        said = utterances[name]
        if said.recording not in spoken:
            continue
        times, recognised = iter(spoken[said.recording]), iter(found)
        for pair in align_words((said.text or "").split(), [each.word for each in found]):
            expected = next(times) if pair.reference else None
            word = next(recognised) if pair.hypothesis else None
            if pair.right and expected is not None and word is not None:
                yield abs(word.start - expected.start)


def write_word_quality(run: str, quality: Mapping[str, WordQuality]) -> None:
    values = {system: asdict(each) for system, each in quality.items()}
    filesystem.write_bytes(words_uri(run), json.dumps(values, indent=1).encode())


def read_word_quality(run: str) -> dict[str, WordQuality]:
    """By system; empty if no lattices were made."""
    if not filesystem.exists(words_uri(run)):
        return {}
    return {system: _quality(values) for system, values in json.loads(filesystem.read_bytes(words_uri(run))).items()}


def _quality(values: dict) -> WordQuality:
    curve = None if values["curve"] is None else Curve(**values["curve"])
    return WordQuality(**{**values, "curve": curve, "bins": tuple(Bin(**each) for each in values["bins"])})

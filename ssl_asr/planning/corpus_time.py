"""How long the corpus stage takes: lists are read, audio is opened, and long recordings are cut."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.corpus.sources import is_trusted
from ssl_asr.planning.facts import ACCENT_SENTENCES, SYNTHESIS_SPEED, Fact, Facts, is_open_speech
from ssl_asr.planning.numbers import number
from ssl_asr.planning.speech import Speech
from ssl_asr.planning.wall_time import Hardware, StageTime, on_cores
from ssl_asr.recipe import Corpus, Recipe

# Forms that say of each audio file neither how long it is nor that it is an utterance.
_OF_ANY_LENGTH = ("folder", "webdataset")


def corpus_times(recipe: Recipe, speech: Speech, facts: Facts, cluster: Hardware) -> list[StageTime]:
    """None where all speech is open, which takes seconds."""
    corpus = recipe.corpus
    if corpus.accents:
        return [_accents(facts, cluster)]
    hours = {
        split: each for split, each in speech.recorded(corpus).items() if not is_open_speech(corpus.source_of(split))
    }
    return [_own_sources(corpus, hours, speech.cut, facts, cluster)] if hours else []


@dataclass(frozen=True)
class _Unlabeled:
    """Hours whose audio is opened, hours that are cut, and what of this is assumed or was measured."""

    opened: float
    cut: float
    source: str


def _own_sources(
    corpus: Corpus, hours: dict[str, float], cut: Fact | None, facts: Facts, cluster: Hardware
) -> StageTime:
    """Of the splits in `hours`, which count each recording once. Audio of all but unlabeled speech is opened."""
    unlabeled = _unlabeled(corpus, hours.get("unlabeled", 0.0), cut, facts)
    others = sum(each for split, each in hours.items() if split != "unlabeled")
    listed, opened = others + hours.get("unlabeled", 0.0), others + unlabeled.opened
    lists, opening, cutting = facts.listing_speed, facts.opening_speed, facts.cutting_speed
    length = facts.utterance_seconds
    utterances = 1 / length.value  # in each second of speech
    work = utterances * (listed / lists.value + opened / opening.value) + unlabeled.cut / cutting.value
    each = f"h x 3,600 / {length.value:.3g} s"
    parts = [f"{number(listed)} {each} / {lists.value:,.0f} a second"]
    sources = [lists.source, length.source]
    if opened:
        parts.append(f"{number(opened)} {each} / {opening.value:,.0f} opened a second")
        sources.append(opening.source)
    if unlabeled.cut:
        parts.append(f"{number(unlabeled.cut)} h / {cutting.value:,.0f} x real time")
        sources.append(cutting.source)
    source = "; ".join([*sources, *([unlabeled.source] if "unlabeled" in hours else [])])
    return on_cores("corpus", work, facts.start_seconds, cluster, " + ".join(parts), source)


def _unlabeled(corpus: Corpus, hours: float, cut: Fact | None, facts: Facts) -> _Unlabeled:
    """What a recipe can't tell of a source is assumed, and said."""
    reader = corpus.unlabeled.partition(":")[0]
    is_believed = is_trusted(corpus, "unlabeled", reader) and reader not in _OF_ANY_LENGTH
    if cut is not None:
        # Recordings are opened where they are cut.
        opened = 0.0 if is_believed else max(hours - cut.value, 0.0)
        return _Unlabeled(opened, cut.value, f"{cut.source}: hours that were cut")
    if reader in _OF_ANY_LENGTH and corpus.segment:
        return _Unlabeled(0.0, hours, f"assumed: all recordings of {reader} are longer than corpus.max_seconds")
    longer = "longer ones are rejected"
    if corpus.segment:
        longer = f"longer ones are cut at {facts.cutting_speed.value:,.0f} x real time"
    if is_believed:
        return _Unlabeled(
            0.0, 0.0, f"assumed: entries of {reader} give lengths, none above corpus.max_seconds; {longer}"
        )
    return _Unlabeled(hours, 0.0, f"assumed: no utterance of {reader} is longer than corpus.max_seconds; {longer}")


def _accents(facts: Facts, cluster: Hardware) -> StageTime:
    """On one core; later runs find the speech in the cache."""
    sentences, speed = ACCENT_SENTENCES, SYNTHESIS_SPEED
    hours = cluster.cpus * sentences.value / speed.value / 3600
    formula = f"1 x {number(sentences.value)} sentences / {speed.value:,.0f} a second, once for a cache"
    return on_cores("corpus", hours, facts.start_seconds, cluster, formula, f"{speed.source}; {sentences.source}")

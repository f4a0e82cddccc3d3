"""How well texts that belong to other audio are found, and what looking for them takes.

`python -m jobs.bench.wrong_texts RUN [--minutes N] [--iterations N]` takes N minutes of the run's labeled speech,
gives some utterances the text of the utterance after them, trains a flat start on that, and checks all texts. It
prints by case and speaker: how many texts are wrong, how many of them are doubted (recall), which share of the
doubted is wrong (precision), and which share of the right ones is doubted. Then one JSON object as the last line.

Cases: "none" is wrong; a "tenth" is, at random; all of a "speaker"; "all". With hmm.wrong_texts=keep the model is
made from all utterances, otherwise without the doubted ones.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ssl_asr.hmm.chunks import Transcribed, manifest, transcribe
from ssl_asr.hmm.flat_start import MapChunks, flat_start
from ssl_asr.hmm.text_check import DOUBTED_BELOW, TextCheck, Texts, align_and_check
from ssl_asr.hmm.text_counts import TextCounts, warnings
from ssl_asr.hmm.trusted import trusted_model
from ssl_asr.lang.lexicon import Lexicon, read_lexicon
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import features, utterance
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance

CASES = ("none", "tenth", "speaker", "all")
CHUNK = 50  # utterances, about two minutes
LEAST_ROWS = 20  # of a speaker who has a line of their own


@dataclass(frozen=True)
class Spoken:
    """An utterance with its features; `text` is what it is said to be, `wrong` whether it is the text of another."""

    utterance: Utterance
    row: FeatureRow
    wrong: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="a run whose hmm stage is done")
    parser.add_argument("--minutes", type=float, default=20.0, help="of labeled speech (default: 20)")
    parser.add_argument("--iterations", type=int, help="of the flat start (default: the run's)")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    options = parser.parse_args()
    try:
        recipe = open_recipe(options.run)
        spoken, lexicon = _spoken(recipe, options.minutes), read_lexicon(recipe.run)
    except ValueError as error:
        sys.exit(f"wrong_texts: {error}")
    figures: dict[str, Any] = {}
    iterations = options.iterations or recipe.hmm.flat_start_iterations
    with threadpool_limits(1):
        for case in options.cases:
            figures[case] = measure(case, with_wrong_texts(case, spoken), lexicon, iterations)
    print(json.dumps(figures))


def with_wrong_texts(case: str, spoken: Sequence[Spoken]) -> list[Spoken]:
    """Some of `spoken` with the text of the utterance after them, of the same speaker for the case "speaker"."""
    names = [each.utterance.speaker for each in spoken]
    often = max(sorted(set(names)), key=lambda name: names.count(name) if name != most_frequent(names) else 0)
    drawn = np.random.default_rng(7).random(len(spoken)) < 0.1
    chosen = {
        "none": np.zeros(len(spoken), bool),
        "tenth": drawn,
        "speaker": np.array([name == often for name in names]),
        "all": np.ones(len(spoken), bool),
    }[case]
    texts = [each.utterance.text for each in spoken]
    return [
        replace(each, utterance=replace(each.utterance, text=following), wrong=following != each.utterance.text)
        if is_chosen
        else each
        for each, following, is_chosen in zip(spoken, texts[1:] + texts[:1], chosen, strict=True)
    ]


def most_frequent(names: Sequence[str]) -> str:
    return max(sorted(set(names)), key=names.count)


def measure(case: str, spoken: Sequence[Spoken], lexicon: Lexicon, iterations: int) -> dict[str, Any]:
    ready = {
        each.utterance.id: found
        for each in spoken
        if isinstance(found := transcribe(each.row.frames, each.utterance, lexicon), Transcribed)
    }
    everything = list(ready.values())
    chunks = _in_series([everything[at : at + CHUNK] for at in range(0, len(everything), CHUNK)])
    known = [each for each in spoken if each.utterance.id in ready]
    seconds = sum(len(each.cepstra) for each in everything) * features.FRAME_SECONDS
    print(
        f"{case}: {len(known)} utterances, {seconds / 60:.1f} minutes, "
        f"{sum(each.wrong for each in known)} wrong texts"
    )
    model, taken = _timed(lambda: flat_start(chunks, iterations, len(lexicon.phones))[0])
    trusted, more = _timed(lambda: trusted_model(chunks, model))
    figures: dict[str, Any] = {"flat_start_seconds": round(taken, 1), "trusted_seconds": round(more, 1)}
    for policy, used in (("keep", model), ("reject", trusted)):
        texts = Texts(everything)
        began = time.process_time()
        checks = [align_and_check(used, one, texts.rivals(one))[1] for one in everything]
        taken, began = time.process_time() - began, time.process_time()
        for one in everything:
            used.align(one)
        alone = time.process_time() - began
        figures[policy] = _told(policy, known, checks, seconds, taken - alone)
    return figures


def _told(
    policy: str, known: Sequence[Spoken], checks: Sequence[TextCheck | None], seconds: float, taken: float
) -> dict[str, float]:
    wrong = np.array([each.wrong for each in known])
    doubted = np.array([check is not None and check.probability < DOUBTED_BELOW for check in checks])
    print(f"  {policy}: the check is {seconds / taken:.0f} x real time on a core")
    print(f"    {'speaker':<20}{'texts':>7}{'wrong':>7}{'recall':>9}{'precision':>11}{'right doubted':>15}")
    names = np.array([each.utterance.speaker for each in known])
    for name in [*(one for one in sorted(set(names)) if (names == one).sum() >= LEAST_ROWS), None]:
        mine = np.ones(len(names), bool) if name is None else names == name
        print(
            f"    {name or 'everything':<20}{mine.sum():>7}{(wrong & mine).sum():>7}"
            + _shares(wrong[mine], doubted[mine])
        )
    counts = TextCounts()
    for each, check in zip(known, checks, strict=True):
        if check is not None:
            counts.add(each.utterance.speaker, check)
    for warning in warnings([counts.statistics()]):
        print(f"    warning: {warning}")
    return {
        "recall": round(_share(doubted[wrong]), 4),
        "precision": round(_share(wrong[doubted]), 4),
        "right_doubted": round(_share(doubted[~wrong]), 4),
        "x_real_time": round(seconds / taken, 1),
    }


def _shares(wrong: np.ndarray, doubted: np.ndarray) -> str:
    shares = (doubted[wrong], wrong[doubted], doubted[~wrong])
    return "".join(f"{_share(each):>{width}.3f}" for each, width in zip(shares, (9, 11, 15), strict=True))


def _share(of: np.ndarray) -> float:
    return float(of.mean()) if len(of) else float("nan")


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    before = time.process_time()
    return work(), time.process_time() - before


def _in_series(chunks: Sequence[Sequence[Transcribed]]) -> MapChunks:
    return lambda function, *arguments: [function(chunk, *arguments) for chunk in chunks]


def _spoken(recipe: Recipe, minutes: float) -> list[Spoken]:
    """Clean labeled utterances; the last shards first, since the demo's first ones are of one speaker."""
    return list(_first_minutes(_all_spoken(recipe), minutes))


def _first_minutes(spoken: Iterable[Spoken], minutes: float) -> Iterable[Spoken]:
    left = minutes * 60 / features.FRAME_SECONDS
    for each in spoken:
        left -= len(each.row.frames)
        if left < 0:
            return
        yield each


def _all_spoken(recipe: Recipe) -> Iterable[Spoken]:
    store = ShardStore(recipe.run, features.STORE)
    for shard in store.shards("labeled")[::-1]:
        said = manifest(recipe.run, shard)
        for slab in store.read_slabs(shard):
            for row in features.decode(slab, recipe.frontend.mel_bins):
                if row.condition == utterance.CLEAN:
                    yield Spoken(said[row.id], row)


if __name__ == "__main__":
    main()

"""Whether a copy at another speed may have its recording's labels, re-timed, or must be aligned itself.

`python -m jobs.bench.speed RUN [--minutes N] [--speeds F ...] [--reference FILE]` changes the speed of the run's
clean labeled speech and aligns it with the run's model. It compares this with the alignment of the recording,
re-timed as the hmm stage does it: the share of 10 ms frames with the same phone and the same senone, and the share
of 30 ms frames with the same senone. Both are also compared with pocketsphinx's alignment of the recording,
re-timed too: sound that is played at another speed is heard at exactly known times. The line of speed 1 compares
the recordings' own alignments with that reference. "grid" is the share of 30 ms frames whose label is the same if a
label is taken from the 30 ms frame of the recording, as soft targets are, and not from its 10 ms frame. Then one
JSON object as the last line. FILE keeps the reference, as in the benchmark `alignment`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jobs.bench.alignment import Codes, Pair, best_shift
from jobs.bench.alignment_reference import PhonePath, reference
from ssl_asr.corpus.augment.speed import recording_places
from ssl_asr.frontend.extract import Extractor
from ssl_asr.frontend.prior import read_prior
from ssl_asr.frontend.stacking import stack_labels, stacked_length
from ssl_asr.frontend.streams import normalise
from ssl_asr.hmm.chunks import transcribe
from ssl_asr.hmm.training import Trained, hmm_inputs, read_trained
from ssl_asr.hmm.triphones import centres, triphone_codes
from ssl_asr.lang.lexicon import Lexicon, read_lexicon
from ssl_asr.lang.phones import ENGLISH
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import utterance
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import CLEAN, Utterance

SPEEDS = (0.9, 1.1)
HEAD = ("phone", "senone", "at 30 ms", "grid", "re-timed", "aligned")


@dataclass(frozen=True)
class Copied:
    """Triphones of every 10 ms frame of a copy: by its own alignment, re-timed, and the re-timed reference's.

    `places` [frames] are the frames of the recording, and `recording` the triphones of these.
    """

    own: Codes
    recording: Codes
    places: npt.NDArray[np.int64]
    truth: Codes

    @property
    def retimed(self) -> Codes:
        return self.recording[self.places]


class Aligner:
    """Triphones of utterances by the run's model, each from features of its own."""

    def __init__(self, recipe: Recipe, trained: Trained, lexicon: Lexicon) -> None:
        self.recipe, self.trained, self.lexicon = recipe, trained, lexicon
        self._extractor, self._prior = Extractor(recipe, "labeled"), read_prior(recipe.run)

    def __call__(self, spoken: Sequence[Utterance]) -> dict[str, Codes]:
        """By id, of those that can be aligned; all of a speaker together, because of the running mean."""
        extracted, _ = self._extractor.all_frames(spoken)
        found = {}
        for each in normalise(extracted, self._prior.array(), self._prior.level, self.recipe.frontend):
            ready = transcribe(each.frames.astype("<f2"), each.utterance, self.lexicon)
            aligned = None if isinstance(ready, str) else self.trained.model.align(ready)
            if aligned is not None:
                found[each.utterance.recording] = triphone_codes(aligned.labels, self.trained.model.num_phones)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="a run whose hmm stage is done")
    parser.add_argument("--minutes", type=float, default=20.0, help="of labeled speech (default: 20)")
    parser.add_argument("--speeds", type=float, nargs="+", default=SPEEDS, help="factors (default: 0.9 1.1)")
    parser.add_argument("--reference", type=Path, help="a file that keeps the reference's alignments")
    options = parser.parse_args()
    try:
        figures = measure(open_recipe(options.run), options.minutes, options.speeds, options.reference)
    except ValueError as error:
        sys.exit(f"speed: {error}")
    print(f"{'':<14}{'re-timed and aligned agree':^36}{'same senone as the reference':>30}")
    print(f"{'speed':>14}" + "".join(f"{name:>12}" for name in HEAD))
    for name, shares in figures.items():
        print(f"{name:>14}" + "".join(f"{share:>12.3f}" for share in shares.values()))
    print(json.dumps({name: {key: round(share, 4) for key, share in each.items()} for name, each in figures.items()}))


def measure(
    recipe: Recipe, minutes: float, speeds: Sequence[float], kept: Path | None
) -> dict[str, dict[str, float]]:
    trained = read_trained(recipe.run, hmm_inputs(recipe))
    if trained is None:
        raise ValueError(f"{recipe.run} has no finished flat start; run its hmm stage first")
    lexicon, spoken = read_lexicon(recipe.run), list(_spoken(recipe, minutes))
    aligner = Aligner(recipe, trained, lexicon)
    progress = Progress("speeds", len(speeds) + 2, "alignments")
    clean = aligner(spoken)
    progress.advance()
    known = reference([each for each in spoken if each.id in clean], lexicon, kept)
    shift = best_shift([_pair(clean[name], path) for name, path in known.items()])
    truth = {name: _pair(clean[name], path).reference(shift) for name, path in known.items()}
    figures = {}
    for factor in (1.0, *speeds):
        own = clean if factor == 1 else aligner([_copy(each, factor) for each in spoken])
        copies = [
            Copied(own[name], clean[name], recording_places(len(own[name]), len(clean[name]), factor), codes)
            for name, codes in truth.items()
            if name in own
        ]
        figures[f"{factor:g}"] = _shares(copies, trained.table.reshape(-1), factor)
        progress.advance()
    return figures


def _shares(copies: Sequence[Copied], senones: npt.NDArray[np.integer], factor: float) -> dict[str, float]:
    def agreeing(pairs: Iterator[tuple[npt.NDArray, npt.NDArray]]) -> float:
        same = [one == other for one, other in pairs]
        return float(np.concatenate(same).mean())

    def thirty(each: Copied) -> npt.NDArray:
        """Senones of 30 ms frames from those of the recording, as soft targets are re-timed."""
        labels = stack_labels(senones[each.recording])
        return labels[recording_places(stacked_length(len(each.own)), len(labels), factor)]

    return {
        "phone": agreeing((_centres(each.own), _centres(each.retimed)) for each in copies),
        "senone": agreeing((senones[each.own], senones[each.retimed]) for each in copies),
        "senone_30_ms": agreeing(
            (stack_labels(senones[each.own]), stack_labels(senones[each.retimed])) for each in copies
        ),
        "grid_30_ms": agreeing((thirty(each), stack_labels(senones[each.retimed])) for each in copies),
        "retimed_right": agreeing((senones[each.retimed], senones[each.truth[each.places]]) for each in copies),
        "aligned_right": agreeing((senones[each.own], senones[each.truth[each.places]]) for each in copies),
    }


def _spoken(recipe: Recipe, minutes: float) -> Iterator[Utterance]:
    """Clean labeled utterances of whole shards, until there are enough."""
    manifest, seconds = ShardStore(recipe.run, utterance.STORE), 0.0
    for shard in manifest.shards("labeled"):
        if seconds >= 60 * minutes:
            return
        for each in utterance.decode(manifest.read(shard)):
            if each.condition == CLEAN:
                seconds += each.duration
                yield each


def _copy(spoken: Utterance, factor: float) -> Utterance:
    condition = f"speed-{factor:g}"
    return replace(spoken, id=f"{spoken.id}@{condition}", condition=condition, recording=spoken.id)


def _pair(codes: Codes, path: PhonePath) -> Pair:
    return Pair("", codes, path)


def _centres(codes: Codes) -> Codes:
    return centres(codes, len(ENGLISH)).astype(np.int32)


if __name__ == "__main__":
    main()

"""How far a run's alignments agree with those of a trained model, pocketsphinx's English one.

`python -m jobs.bench.alignment RUN [--reference FILE]` aligns the run's labeled utterances by that model with the
run's own lexicon, and maps its phone times to the run's senones. It prints by speaker: the share of 10 ms frames with
the same phone and with the same senone, the shares of silence of the run and of the reference ("its"), and the share
of phones that begin within 10, 20 and 30 ms of the reference's. Then one JSON object as the last line. FILE keeps the
reference, so that another run with the same speech and lexicon needs no minutes for it.

Where a network has realigned the speech (`hmm.realign`), a table of the flat start's alignments comes first, and the
object has their figures as "before". Both are of the utterances that both align.

The reference is not the truth. It is one opinion, from a model that has heard far more speech than the run. A
constant shift in time between two models is no error: figures are at the shift, of -1 to 3 frames, where most phones
agree; realigned speech has a shift of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import kaldialign
import numpy as np
import numpy.typing as npt

from jobs.bench.alignment_reference import PhonePath, reference
from ssl_asr.hmm.senones import SenoneSet, load_senones
from ssl_asr.hmm.triphone_graph import triphone_graph
from ssl_asr.hmm.triphones import centres
from ssl_asr.lang.lexicon import Lexicon, read_lexicon
from ssl_asr.lang.phones import ENGLISH, SILENCE_ID
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import alignments, utterance
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance

SHIFTS = range(-1, 4)  # frames
WITHIN = (1, 2, 3)  # frames
HEAD = ("phone", "senone", "silence", "its", "10 ms", "20 ms", "30 ms")

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Counts:
    """Of some utterances: 10 ms frames, those with the same phone, the same senone, silent ones of the run and of the
    reference; phones, and those of them that begin within so many frames of the reference's."""

    frames: int = 0
    phone: int = 0
    senone: int = 0
    silent: int = 0
    reference_silent: int = 0
    phones: int = 0
    within: tuple[int, ...] = (0,) * len(WITHIN)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.frames + other.frames,
            self.phone + other.phone,
            self.senone + other.senone,
            self.silent + other.silent,
            self.reference_silent + other.reference_silent,
            self.phones + other.phones,
            tuple(map(sum, zip(self.within, other.within, strict=True))),
        )

    def shares(self) -> dict[str, float]:
        figures = {
            "phone": self.phone / self.frames,
            "senone": self.senone / self.frames,
            "silence": self.silent / self.frames,
            "reference_silence": self.reference_silent / self.frames,
        }
        begun = zip(WITHIN, self.within, strict=True)
        return figures | {f"within_{10 * frames}_ms": count / max(self.phones, 1) for frames, count in begun}

    def row(self, name: str) -> str:
        return f"{name:<26}{self.frames / 6000:>8.1f}" + "".join(f"{x:>9.3f}" for x in self.shares().values())


@dataclass(frozen=True)
class Pair:
    """The triphone of each 10 ms frame of an utterance in the run, and the reference's path."""

    speaker: str
    codes: Codes
    path: PhonePath

    def reference(self, shift: int) -> Codes:
        """The reference's triphones [T], `shift` frames later than it says, cut or filled with its ends."""
        codes = np.repeat(codes_of(self.path.phones), self.path.frames)
        return codes[np.clip(np.arange(len(self.codes)) - shift, 0, len(codes) - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="a run whose hmm stage is done")
    parser.add_argument("--reference", type=Path, help="a file that keeps the reference's alignments")
    options = parser.parse_args()
    try:
        run = open_recipe(options.run).run
        senones, lexicon = load_senones(run), read_lexicon(run)
        clean = _clean(run)
        sets = {name: _aligned(run, name) for name in dict.fromkeys((senones.id, senones.alignment_set))}
        spoken = [each for each in clean if all(each.id in found for found in sets.values())]
        known = reference(spoken, lexicon, options.reference)
        spoken = [each for each in spoken if each.id in known]
        pairs = [_pairs(spoken, found, known, senones, lexicon) for found in sets.values()]
    except ValueError as error:
        sys.exit(f"alignment: {error}")
    *before, last = [_printed(name, each, senones, len(clean)) for name, each in zip(sets, pairs, strict=True)]
    print(json.dumps({**last, **({"before": before[0]} if before else {})}))


def best_shift(pairs: Sequence[Pair]) -> int:
    """Of `SHIFTS`, that of the reference where most frames have the same phone."""

    def agreeing(shift: int) -> int:
        return sum(int((_centres(pair.codes) == _centres(pair.reference(shift))).sum()) for pair in pairs)

    return max(SHIFTS, key=agreeing)


def counts(pair: Pair, table: npt.NDArray[np.integer], shift: int) -> Counts:
    """Agreement of an utterance, the reference `shift` frames late; `table` is of (left, centre, right)."""
    truth = pair.reference(shift)
    phones, true_phones = (_centres(codes) for codes in (pair.codes, truth))
    senones = table.reshape(-1)
    starts = deviations(begins(pair.codes), begins(truth))
    return Counts(
        len(truth),
        int((phones == true_phones).sum()),
        int((senones[pair.codes] == senones[truth]).sum()),
        int((phones == SILENCE_ID).sum()),
        int((true_phones == SILENCE_ID).sum()),
        len(starts),
        tuple(int((abs(starts) <= frames).sum()) for frames in WITHIN),
    )


def codes_of(phones: npt.NDArray[np.integer]) -> Codes:
    """Code of the triphone of each of `phones` [N] in their order; silence stands beyond either end."""
    padded = np.concatenate([[SILENCE_ID], phones, [SILENCE_ID]])
    return ((padded[:-2] * len(ENGLISH) + padded[1:-1]) * len(ENGLISH) + padded[2:]).astype(np.int32)


def begins(codes: Codes) -> tuple[Codes, Codes]:
    """(phone [N], first frame [N]) of what is spoken in a path of triphones [T]."""
    first = np.flatnonzero(np.concatenate([[True], np.diff(codes) != 0]))
    phones = _centres(codes[first])
    return phones[phones != SILENCE_ID], first[phones != SILENCE_ID].astype(np.int32)


def deviations(ours: tuple[Codes, Codes], reference: tuple[Codes, Codes]) -> Codes:
    """Frames by which phones begin later than in the reference, of those that an edit distance finds equal [N]."""
    place, true_place = iter(ours[1].tolist()), iter(reference[1].tolist())
    found = []
    for phone, true_phone in kaldialign.align(list(map(int, ours[0])), list(map(int, reference[0])), -1):
        start = next(place) if phone >= 0 else 0
        true_start = next(true_place) if true_phone >= 0 else 0
        if phone == true_phone:
            found.append(start - true_start)
    return np.array(found, np.int32)


def _centres(codes: Codes) -> Codes:
    return centres(codes, len(ENGLISH)).astype(np.int32)


def _clean(run: str) -> list[Utterance]:
    """The clean labeled utterances."""
    manifest = ShardStore(run, utterance.STORE)
    spoken = [each for shard in manifest.shards("labeled") for each in utterance.decode(manifest.read(shard))]
    return [each for each in spoken if each.condition == utterance.CLEAN]


def _aligned(run: str, alignment_set: str) -> dict[str, npt.NDArray[np.uint16]]:
    """The senones of the labeled utterances that this set has aligned."""
    store, found = ShardStore(run, alignments.store_name(alignment_set)), dict[str, npt.NDArray[np.uint16]]()
    for shard in store.shards("labeled"):
        found |= {name: row for name, row in alignments.decode(store.read(shard)).items() if len(row)}
    return found


def _pairs(
    spoken: Iterable[Utterance],
    found: Mapping[str, npt.NDArray[np.uint16]],
    known: Mapping[str, PhonePath],
    senones: SenoneSet,
    lexicon: Lexicon,
) -> list[Pair]:
    pairs = []
    for each in spoken:
        # The stored senones do not say their phones where a senone is shared by two; the text does.
        graph = triphone_graph(A_TO_Z.normalise(each.text or "").split(), lexicon)
        certain = np.eye(senones.size, dtype=np.float32)[found[each.id]]
        codes = graph.align(1000 * certain, senones.table)
        if codes is None:
            raise ValueError(f"the alignment of {each.id} does not follow its text; run the hmm stage again")
        pairs.append(Pair(each.speaker, codes, known[each.id]))
    return pairs


def _total(pairs: Iterable[Pair], senones: SenoneSet, shift: int) -> Counts:
    return sum((counts(pair, senones.table, shift) for pair in pairs), Counts())


def _printed(name: str, pairs: Sequence[Pair], senones: SenoneSet, utterances: int) -> dict[str, float]:
    """A table of the alignment set `name`; returns its last row as figures."""
    shift, speakers = best_shift(pairs), dict[str, list[Pair]]()
    for pair in pairs:
        speakers.setdefault(pair.speaker, []).append(pair)
    totals = {speaker: _total(own, senones, shift) for speaker, own in speakers.items()}
    everything = sum(totals.values(), Counts())
    print(f"alignments/{name}")
    print(f"{'speaker':<26}{'minutes':>8}" + "".join(f"{each:>9}" for each in HEAD))
    for speaker, total in sorted(totals.items(), key=lambda item: -item[1].frames):
        print(total.row(speaker))
    print(everything.row("everything"))
    print(f"{len(pairs):,} of {utterances:,} utterances; the reference {10 * shift} ms later than it says\n")
    figures = {each: round(share, 4) for each, share in everything.shares().items()}
    return {**figures, "shift_frames": shift, "utterances": len(pairs), "of": utterances}


if __name__ == "__main__":
    main()

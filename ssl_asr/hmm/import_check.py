"""Whether imported alignments fit the audio and the texts of the labeled speech."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssl_asr.hmm.phone_times import PhoneTimes, Unusable
from ssl_asr.hmm.transcripts import accepts
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.store import features, utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore

_SHOWN = 12  # phones in a sentence


@dataclass(frozen=True)
class CheckedShard:
    """Times that fit their utterances, and how many 10 ms frames they are in each slab; and what is not used."""

    usable: Mapping[str, PhoneTimes]
    frames: tuple[int, ...]
    unused: Mapping[str, Unusable]


def check_shard(run: str, shard: Shard, found: Mapping[str, PhoneTimes | Unusable], lexicon: Lexicon) -> CheckedShard:
    """`found` by utterance. Those that no text can align are left out: their alignment job rejects them."""
    said = ShardStore(run, utterance.STORE).read(shard, ["id", "text"])
    texts = dict(zip(said["id"].to_pylist(), said["text"].to_pylist(), strict=True))
    usable, unused, frames = dict[str, PhoneTimes](), dict[str, Unusable](), list[int]()
    for slab in ShardStore(run, features.STORE).read_slabs(shard, ["id", "num_frames"]):
        lengths = zip(slab["id"].to_pylist(), slab["num_frames"].to_pylist(), strict=True)
        before = len(usable)
        for name, num_frames in lengths:
            words = (texts[name] or "").split()
            if name not in found or not words or lexicon.unknown(words):
                continue
            checked = check(found[name], words, lexicon, num_frames)
            if isinstance(checked, Unusable):
                unused[name] = checked
            else:
                usable[name] = checked
        frames.append(sum(each.num_frames for each in list(usable.values())[before:]))
    return CheckedShard(usable, tuple(frames), unused)


def check(times: PhoneTimes | Unusable, words: list[str], lexicon: Lexicon, num_frames: int) -> PhoneTimes | Unusable:
    """The times fitted to audio of so many 10 ms frames, if their phones are those of `words`."""
    fitted = times if isinstance(times, Unusable) else times.fitted(num_frames)
    if isinstance(fitted, Unusable) or accepts(words, lexicon, fitted.phones.tobytes()):
        return fitted
    phones = _short([lexicon.phones.names[phone] for phone in fitted.phones])
    return Unusable(
        "other_phones",
        f"the phones of its imported alignment ({phones}) are not those of its text ({_short(words)}) by the run's "
        "lexicon; align this text, with pronunciations of that lexicon",
    )


def _short(words: list[str]) -> str:
    return " ".join(words[:_SHOWN]) + (" ..." if len(words) > _SHOWN else "")

"""The utterances that an extractor is trained on, in memory: a limited number of each speaker and of hours."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.talkers import may_be_several
from ssl_asr.frontend.stacking import stack
from ssl_asr.recipe import Recipe
from ssl_asr.speakers.trials import Int
from ssl_asr.store import features, utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.sources import seed_of

LEAST_FRAMES = 10  # of 30 ms: what is shorter says too little about a voice
_FRAMES_AN_HOUR = 120_000


@dataclass(frozen=True)
class PoolSettings:
    """Which splits are used, and how much of them; `group_tag` names the tag whose values are true groups.

    `speakers` are those to train on; None: all.
    """

    splits: Sequence[str] = ("labeled", "unlabeled")
    most_utterances: int = 100
    most_hours: float = 20.0
    group_tag: str | None = None
    speakers: Sequence[str] | None = None
    seed: int = 1


@dataclass(frozen=True)
class Pooled:
    """An utterance in any condition: frames float16 [30 ms frames, 3 x bins], and its group, if it has one."""

    id: str
    speaker: str
    frames: npt.NDArray[np.float16]
    group: str | None


@dataclass(frozen=True)
class Pool:
    """Utterances by speaker and id. `places` has those of each of the `speakers`, two or more.

    `groups` are the names of those that its utterances have. `single` speakers had one utterance and are left out, as
    an utterance is compared with others of its speaker. `several` may be several people each, and are left out too.
    """

    utterances: Sequence[Pooled]
    speakers: Sequence[str]
    places: Sequence[Int]
    groups: Sequence[str]
    single: int
    several: int = 0


def read_pool(recipe: Recipe, settings: PoolSettings) -> Pool:
    """The same for the same features, whatever the order of shards. ValueError where there is no such speech."""
    found: defaultdict[str, list[Pooled]] = defaultdict(list)
    several = set[str]()
    left = settings.most_hours * _FRAMES_AN_HOUR
    for shard in _mixed_shards(recipe, settings):
        for each in _mixed(_read(recipe, shard, settings), settings.seed):
            if may_be_several(recipe.corpus, shard.split, each.speaker):
                several.add(each.speaker)
            elif left > 0 and len(found[each.speaker]) < settings.most_utterances:
                # A copy, as rows are views of whole slabs.
                found[each.speaker].append(replace(each, frames=each.frames.copy()))
                left -= len(each.frames)
        if left <= 0:
            break
    if not found:
        raise ValueError(
            f"{recipe.run} has no features of {' or '.join(settings.splits)} speech{_of(settings.speakers)}; run the "
            "stage 'frontend' first"
        )
    return replace(pool_of([each for utterances in found.values() for each in utterances]), several=len(several))


@dataclass(frozen=True)
class Ungrouped:
    """Those whose group is not known, of so many `speakers` and `utterances` in all; such speakers have no group."""

    no_speakers: int
    speakers: int
    no_utterances: int
    utterances: int


def ungrouped(recipe: Recipe, settings: PoolSettings) -> Ungrouped:
    """Of all in the splits that a pool takes, were there room for all of their speech."""
    assert settings.group_tag is not None, "groups are values of a tag"
    store, known, all_of = ShardStore(recipe.run, utterance.STORE), Counter[str](), Counter[str]()
    wanted = None if settings.speakers is None else {*settings.speakers}
    for shard in (shard for split in settings.splits for shard in store.shards(split)):
        table = store.read(shard, ["speaker", "tags"])
        for speaker, tags in zip(table["speaker"].to_pylist(), table["tags"].to_pylist(), strict=True):
            is_one = not may_be_several(recipe.corpus, shard.split, speaker)
            if is_one and (wanted is None or speaker in wanted):
                all_of[speaker] += 1
                known[speaker] += bool(dict(tags).get(settings.group_tag))
    heard = [name for name, count in all_of.items() if count > 1]
    unknown = [all_of[name] - known[name] for name in heard]
    return Ungrouped(
        sum(not known[name] for name in heard), len(heard), sum(unknown), sum(all_of[name] for name in heard)
    )


def _of(speakers: Sequence[str] | None) -> str:
    return "" if speakers is None else f" of the {len(speakers)} speakers that are asked for"


def pool_of(utterances: Sequence[Pooled]) -> Pool:
    """Of all speakers with two utterances or more."""
    by_speaker: defaultdict[str, list[Pooled]] = defaultdict(list)
    for each in utterances:
        by_speaker[each.speaker].append(each)
    speakers = sorted(name for name, found in by_speaker.items() if len(found) > 1)
    kept = [each for name in speakers for each in sorted(by_speaker[name], key=lambda each: each.id)]
    ends = np.cumsum([len(by_speaker[name]) for name in speakers])
    places = [np.arange(end - len(by_speaker[name]), end) for name, end in zip(speakers, ends, strict=True)]
    groups = sorted({each.group for each in kept if each.group is not None})
    return Pool(kept, speakers, places, groups, len(by_speaker) - len(speakers))


def _mixed_shards(recipe: Recipe, settings: PoolSettings) -> list[Shard]:
    store = ShardStore(recipe.run, features.STORE)
    shards = [shard for split in settings.splits for shard in store.shards(split)]
    return sorted(shards, key=lambda shard: (seed_of(settings.seed, "pool", shard.name), shard.name))


def _mixed(utterances: Iterator[Pooled], seed: int) -> list[Pooled]:
    return sorted(utterances, key=lambda each: (seed_of(seed, "pool", each.id), each.id))


def _read(recipe: Recipe, shard: Shard, settings: PoolSettings) -> Iterator[Pooled]:
    tags = {} if settings.group_tag is None else _tags(recipe, shard, settings.group_tag)
    wanted = None if settings.speakers is None else {*settings.speakers}
    for slab in ShardStore(recipe.run, features.STORE).read_slabs(shard):
        for row in features.decode(slab, recipe.frontend.mel_bins):
            if wanted is not None and row.speaker not in wanted:
                continue
            frames = stack(row.frames)
            if len(frames) >= LEAST_FRAMES:
                yield Pooled(row.id, row.speaker, frames, tags.get(row.id))


def _tags(recipe: Recipe, shard: Shard, name: str) -> dict[str, str]:
    table = ShardStore(recipe.run, utterance.STORE).read(shard, ["id", "tags"])
    pairs = zip(table["id"].to_pylist(), table["tags"].to_pylist(), strict=True)
    return {id_: found[name] for id_, tags in pairs if (found := dict(tags)).get(name)}

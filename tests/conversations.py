"""A run of a dozen recorded utterances, without Ray: one shard of two slabs, with features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import soundfile

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.open_speech.speech import open_speech
from ssl_asr.frontend.conversations import ConversationMaker
from ssl_asr.frontend.prior import measure_prior, read_prior
from ssl_asr.frontend.shard_job import FeatureJob
from ssl_asr.recipe import Mixtures, Recipe
from ssl_asr.store import utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance
from tests.conftest import CACHE, tiny_recipe
from tests.frontend.conftest import publish_manifest

SHARD = Shard("labeled", 0)
_COUNT = 12


def recorded(folder: Path, seconds: tuple[float, float] = (1, 3)) -> list[Utterance]:
    """Of four speakers, so long each, as FLAC files at 16 kHz; u11 has no text."""
    of_speaker: dict[str, list[Utterance]] = {}
    found: list[Utterance] = []
    for each in open_speech(CACHE).utterances:
        mine = of_speaker.setdefault(each.speaker, [])
        if len(mine) == _COUNT // 4 or not seconds[0] < each.duration < seconds[1] or not each.text:
            continue
        name = f"u{len(found)}"
        file = folder / f"{name}.flac"
        soundfile.write(file, read_audio(each.audio, each.offset, each.duration, each.channel, 16000), 16000)
        duration = soundfile.info(file).duration
        found.append(Utterance(name, str(file), each.speaker, len(found), duration, text=each.text))
        mine.append(found[-1])
        if len(found) == _COUNT:
            break
    assert len(found) == _COUNT
    return [*found[:-1], replace(found[-1], text=None)]


def real_speech(folder: Path, renamed: str | None = None, seconds: tuple[float, float] = (1, 3)) -> Recipe:
    """The run; in its manifest the utterance `renamed` has another name than in the features."""
    recipe = tiny_recipe(folder / "run")
    rows = recorded(folder, seconds)
    publish_manifest(recipe, SHARD, [rows[:7], rows[7:]])
    prior = measure_prior(recipe, [SHARD])
    FeatureJob(recipe, prior)(SHARD)
    if renamed is not None:
        rows = [replace(each, id="other", recording="other") if each.id == renamed else each for each in rows]
        publish_manifest(recipe, SHARD, [rows[:7], rows[7:]])
    return recipe


def conversation_maker(recipe: Recipe, mixtures: Mixtures) -> ConversationMaker:
    return ConversationMaker(recipe, mixtures, read_prior(recipe.run))


def listed(recipe: Recipe) -> list[Utterance]:
    return utterance.decode(ShardStore(recipe.run, utterance.STORE).read(SHARD))

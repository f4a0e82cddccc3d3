"""Speaker verification on a run's test speech, from embeddings that the run holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ssl_asr.corpus.talkers import may_be_several
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.recipe import Recipe
from ssl_asr.speakers.kept import trained_speakers
from ssl_asr.speakers.trials import Spoken, TrialSettings, cosine_scores, make_trials
from ssl_asr.speakers.verification import VerificationResults, verification_results
from ssl_asr.store import filesystem, utterance
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.speaker_embeddings import SpeakerEmbeddings, all_speaker_embeddings
from ssl_asr.store.speakers_layout import verification_uri

SPLIT = "test"


@dataclass(frozen=True)
class RunVerification:
    """`tag` named the groups. `trained` test speakers were heard in training, so they are in no trial.

    Nor are the `several` others who may be several people each.
    """

    run: str
    name: str
    tag: str | None
    trained: int
    several: int
    results: VerificationResults


def verify_speakers(recipe: Recipe, name: str, tag: str | None, settings: TrialSettings) -> RunVerification:
    """Written to the run too. ValueError in one sentence where there are no trials, or the tag is not there."""
    embeddings = all_speaker_embeddings(recipe.run, name, SPLIT)
    if embeddings is None:
        raise ValueError(f"no test utterance of {recipe.run} is long enough for an embedding")
    heard = {*trained_speakers(recipe.run, name)}
    several = {each for each in embeddings.speakers if may_be_several(recipe.corpus, SPLIT, each)} - heard
    left_out = heard | several
    known = [place for place, speaker in enumerate(embeddings.speakers) if speaker not in left_out]
    spoken = [Spoken(embeddings.ids[place], embeddings.speakers[place]) for place in known]
    trained = len({*embeddings.speakers} & heard)
    try:
        trials = make_trials(spoken, settings)
    except ValueError as error:
        raise ValueError(f"{recipe.run}: {error}{_without(trained)}; give more test speech") from None
    groups = _groups(recipe, embeddings, tag, trials.speakers)
    scores = cosine_scores(embeddings.vectors[known], trials)
    draws = Draws(recipe.evaluate.bootstrap, settings.seed)
    results = verification_results(scores, trials, groups, draws)
    found = RunVerification(recipe.run, name, tag, trained, len(several), results)
    values = json.dumps(asdict(found), indent=1, allow_nan=False) + "\n"
    filesystem.write_bytes(verification_uri(recipe.run, name), values.encode())
    return found


def _without(trained: int) -> str:
    return f", not counting {trained} test speakers who were trained on" if trained else ""


def _groups(
    recipe: Recipe, embeddings: SpeakerEmbeddings, tag: str | None, speakers: Sequence[str]
) -> list[str | None]:
    """The value of most utterances of each speaker."""
    if tag is None:
        return [None] * len(speakers)
    store, values = ShardStore(recipe.run, utterance.STORE), dict[str, str]()
    for shard in store.shards(SPLIT):
        table = store.read(shard, ["id", "tags"])
        pairs = zip(table["id"].to_pylist(), map(dict, table["tags"].to_pylist()), strict=True)
        values |= {name: tags[tag] for name, tags in pairs if tags.get(tag)}
    if not values:
        raise ValueError(f"no test utterance of {recipe.run} has the tag '{tag}'; name one that it has")
    counts: dict[str, Counter[str]] = {name: Counter() for name in speakers}
    for name, speaker in zip(embeddings.ids, embeddings.speakers, strict=True):
        if speaker in counts and name in values:
            counts[speaker][values[name]] += 1
    return [min(each, key=lambda value: (-each[value], value), default=None) for each in counts.values()]

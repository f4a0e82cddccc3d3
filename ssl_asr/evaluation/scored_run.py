"""The errors of a finished run's system, utterance by utterance, from the hypotheses that it keeps."""

from __future__ import annotations

from ssl_asr.evaluation.cells import is_of_other_channel, set_of
from ssl_asr.evaluation.inputs import describe_conversations, references, split_slabs
from ssl_asr.evaluation.scoring import ScoredUtterance, count_edits
from ssl_asr.evaluation.transcripts import read_transcripts
from ssl_asr.evaluation.turns.errors import scored_conversation
from ssl_asr.evaluation.turns.slabs import read_conversations
from ssl_asr.hmm.senones import load_senones
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import hypotheses_folder, hypotheses_uri
from ssl_asr.store.utterance import Utterance


def scored_test(recipe: Recipe, system: str) -> list[tuple[Utterance, ScoredUtterance]]:
    """All of the test split that has a text; ValueError where the run has no hypotheses of the system.

    An utterance that could not be decoded has no words: all of its reference is deleted, as in the run's results.
    """
    if not filesystem.exists(hypotheses_uri(recipe.run, system)):
        known = [
            uri.rpartition("/")[2].removesuffix(".jsonl")
            for uri in filesystem.list_files(hypotheses_folder(recipe.run), ".jsonl")
        ]
        fix = f"it has those of {', '.join(known)}" if known else f"run `ssl-asr evaluate {recipe.run}` first"
        raise ValueError(f"{recipe.run} has no hypotheses of '{system}'; {fix}")
    said = references(recipe, "test")
    found = []
    for each in read_transcripts(recipe.run, system):
        if each.id not in said:
            raise ValueError(
                f"{recipe.run}: the hypotheses of '{system}' are of another test split; "
                f"run `ssl-asr evaluate {recipe.run}` again"
            )
        spoken = said[each.id]
        if spoken.text is not None:
            found.append((spoken, scored_as(spoken, each.hypothesis)))
    return found


def scored_system(recipe: Recipe, system: str) -> list[ScoredUtterance]:
    """Of any system on test; of a transducer of conversations by ORC-WER, conversation by conversation.

    ValueError where the run has not recognised the test speech with it.
    """
    if system not in recipe.conversation_transducers:
        return [scored for _, scored in scored_test(recipe, system)]
    described = describe_conversations(recipe, system)
    slabs = split_slabs(recipe, "test", load_senones(recipe.run))
    found = [conversations for slab in slabs if (conversations := read_conversations(described, slab)) is not None]
    if len(found) < len(slabs):
        raise ValueError(
            f"{recipe.run} has not recognised all conversations of test with '{system}'; "
            f"run `ssl-asr evaluate {recipe.run}` first"
        )
    return [scored_conversation(each) for slab in found for each in slab.conversations]


def scored_as(said: Utterance, hypothesis: str) -> ScoredUtterance:
    """Where this was recognised for an utterance with a text."""
    edits = count_edits((said.text or "").split(), hypothesis.split())
    place = (said.id, said.recording, set_of(said), said.condition)
    return ScoredUtterance(*place, edits, said.speaker, is_of_other_channel(said))

"""Transducers of conversations on test: what is recognised, kept and scored, and what the results show of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from ssl_asr.corpus.mixtures.targets import marked_texts
from ssl_asr.corpus.mixtures.turns import Turn, by_channel
from ssl_asr.decoding.slabs import Slab
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.conversations import recognise_slabs_of_conversations, score_conversations
from ssl_asr.evaluation.inputs import describe_conversations, result_inputs, split_slabs
from ssl_asr.evaluation.results_file import read_results, write_results
from ssl_asr.evaluation.scored_run import scored_system
from ssl_asr.evaluation.summary import word_error_rate
from ssl_asr.evaluation.transducer_tables import format_transducers
from ssl_asr.evaluation.turns.emissions import Emission, RecognisedConversation
from ssl_asr.evaluation.turns.errors import conversation_errors
from ssl_asr.evaluation.turns.slabs import read_conversations, recognise_conversations
from ssl_asr.evaluation.turns.table import conversation_rows
from ssl_asr.frontend.conversations import Conversation, ConversationMaker
from ssl_asr.frontend.prior import read_prior
from ssl_asr.frontend.stacking import stack
from ssl_asr.hmm.senones import load_senones
from ssl_asr.recipe import Recipe
from ssl_asr.report.evidence import gather
from ssl_asr.report.page import render
from ssl_asr.store import filesystem, utterance
from ssl_asr.store.results_layout import results_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.job import build_model
from ssl_asr.training.transducer.plan import transducer_job, transducer_plan
from ssl_asr.training.transducer.word_pieces import ensure_word_pieces
from ssl_asr.transducer.model_files import load_transducer, save_transducer
from ssl_asr.transducer.recognise import recognise_channels
from tests.conversation_run import with_conversations
from tests.in_process import placed_here

RATE, DRAWS = 8000, Draws(50, 1)


@pytest.fixture
def recipe(conversation_recipe: Recipe) -> Recipe:
    """With random weights in place of trained ones, of which blank is less probable than it begins."""
    settings = conversation_recipe.transducers["sts"]
    pieces = ensure_word_pieces(conversation_recipe, settings)
    model = build_model(transducer_job(conversation_recipe, transducer_plan(conversation_recipe, "sts"), pieces))
    with torch.no_grad():
        for name, each in model.joiner.named_parameters():
            each.copy_(3 * torch.randn(each.shape, generator=torch.Generator().manual_seed(len(name))))
    save_transducer(model_uri(conversation_recipe.run, "sts"), model, pieces, {})
    return conversation_recipe


def slabs_of(recipe: Recipe) -> list[Slab]:
    return split_slabs(recipe, "test", load_senones(recipe.run))


def test_what_is_kept_is_what_the_search_finds_on_each_channel(recipe: Recipe) -> None:
    system = describe_conversations(recipe, "sts")
    maker = ConversationMaker(recipe, recipe.evaluate.conversations, read_prior(recipe.run))
    model, pieces, _ = load_transducer(model_uri(recipe.run, "sts"))
    emitted = 0
    for slab in slabs_of(recipe):
        assert read_conversations(system, slab) is None
        recognise_conversations(system, slab)
        found = read_conversations(system, slab)
        assert found is not None
        made = maker.of_slab(slab.shard, slab.number, None)
        assert [each.id for each in found.conversations] == [each.id for each in made]
        for each, conversation in zip(found.conversations, made, strict=True):
            assert each.turns == conversation.turns
            frames = torch.from_numpy(stack(conversation.frames)).float()
            (channels,) = recognise_channels(model, [frames], recipe.transducers["sts"].search)
            assert len(channels) == len(each.channels) == 2
            for best, tokens, words in zip(channels, each.channels, each.words, strict=True):
                assert [pieces.pieces[label] for label in best.labels] == [token.token for token in tokens]
                assert [token.seconds for token in tokens] == [round(0.03 * (at + 1), 2) for at in best.frames]
                assert " ".join(words) == pieces.decode(best.labels)
                emitted += len(tokens)
    assert emitted


def test_channels_of_a_batch_are_those_of_each_conversation(recipe: Recipe) -> None:
    model, _, _ = load_transducer(model_uri(recipe.run, "sts"))
    frames = [torch.randn(length, 192, generator=torch.Generator().manual_seed(length)) for length in (23, 31, 9)]
    for beam in (1, 3):
        search = recipe.transducers["sts"].search.model_copy(update={"beam": beam})
        together = recognise_channels(model, frames, search)
        alone = [recognise_channels(model, [each], search)[0] for each in frames]
        assert [[best.labels for best in each] for each in together] == [[b.labels for b in each] for each in alone]
    assert any(first.labels != second.labels for first, second in together)


def test_other_conversations_and_another_manifest_are_recognised_anew(recipe: Recipe) -> None:
    senones, (slab, *_) = load_senones(recipe.run), slabs_of(recipe)
    system, before = describe_conversations(recipe, "sts"), result_inputs(recipe, senones, [], [])
    values = recipe.model_dump(mode="json")
    overlapping = with_conversations(
        Recipe.model_validate(values | {"evaluate": values["evaluate"] | {"conversations": {"overlap_share": 1.0}}})
    )
    assert describe_conversations(overlapping, "sts").key != system.key
    after = result_inputs(overlapping, senones, [], [])
    assert {name for name in after if after[name] != before.get(name)} == {"conversations sts"}
    recognise_conversations(system, slab)
    store = ShardStore(recipe.run, utterance.STORE)
    tables = [
        utterance.encode([replace(each, text="two cats sat") for each in utterance.decode(rows)])
        for rows in store.read_slabs(slab.shard)
    ]
    counts = [len(table) for table in tables]
    store.publish(slab.shard, utterance.SCHEMA, tables, counts, seconds=1.0, parents={}, metadata={})
    assert read_conversations(system, slab) is None
    again = result_inputs(recipe, senones, [], [])
    assert {name for name in again if again[name] != before.get(name)} == {"test manifest"}


def test_the_stage_s_results_have_them(recipe: Recipe) -> None:
    with placed_here():
        found, pieces = recognise_slabs_of_conversations(recipe, slabs_of(recipe))
        again, kept = recognise_slabs_of_conversations(recipe, slabs_of(recipe))
    assert (pieces.kept, kept.kept) == (0, kept.total)
    assert again == found
    (errors,) = score_conversations(recipe, found)
    assert errors.row.system == "sts"
    turns = [turn for slab in found["sts"] for each in slab.conversations for turn in each.turns]
    assert errors.row.words == sum(len(turn.text.split()) for turn in turns) > 0
    heard = [max(turn.end for turn in each.turns) for slab in found["sts"] for each in slab.conversations]
    seconds = sum(heard) / recipe.frontend.sample_rate
    spent = sum(slab.spent for slab in found["sts"])
    assert errors.real_time_factor == round(spent / seconds, 5) > 0
    write_results(recipe.run, replace(read_results(recipe.run), conversations=[errors]))
    results = read_results(recipe.run)
    assert list(results.conversations) == [errors]
    assert "ORC-WER %" in format_transducers(results)
    assert '<h3 class="spaced">Conversations</h3>' in render(gather(recipe))


def test_the_audio_of_a_slab_is_that_which_is_heard(recipe: Recipe) -> None:
    """The time of recognising it is divided by this."""
    system = describe_conversations(recipe, "sts")
    for slab in slabs_of(recipe):
        recognise_conversations(system, slab)
        found = read_conversations(system, slab)
        assert found is not None
        frames = sum(len(each.frames) for each in made(recipe, slab))
        seconds = found.samples / recipe.frontend.sample_rate
        assert seconds == pytest.approx(0.01 * frames, abs=0.006 * len(found.conversations))  # frames are rounded


def test_time_is_told_where_it_was_measured(recipe: Recipe) -> None:
    errors = conversation_errors("sts", [perfect(spoken("a b", "c"))], sample_rate=RATE, draws=DRAWS)
    assert errors.real_time_factor is None
    timed = replace(errors, real_time_factor=0.01234)
    rows = conversation_rows([timed, replace(timed, real_time_factor=None)])
    assert [row[rows[0].index("real-time factor")] for row in rows[1:]] == ["0.0123", "-"]
    write_results(recipe.run, replace(read_results(recipe.run), conversations=[timed]))
    values = json.loads(filesystem.read_bytes(results_uri(recipe.run)))
    assert values["conversations"][0].pop("real_time_factor") == 0.01234
    filesystem.write_bytes(results_uri(recipe.run), json.dumps(values).encode())  # as a version before wrote it
    assert [each.real_time_factor for each in read_results(recipe.run).conversations] == [None]


def test_the_errors_of_each_conversation_are_there_for_studies(recipe: Recipe) -> None:
    with pytest.raises(
        ValueError, match=r"not recognised all conversations of test with 'sts'; run `ssl-asr evaluate"
    ):
        scored_system(recipe, "sts")
    with placed_here():
        found, _ = recognise_slabs_of_conversations(recipe, slabs_of(recipe))
    (errors,) = score_conversations(recipe, found)
    scored = scored_system(recipe, "sts")
    assert [each.id for each in scored] == [each.id for slab in found["sts"] for each in slab.conversations]
    assert len({each.recording for each in scored}) == len(scored) == errors.row.utterances
    assert word_error_rate(scored) == errors.row.wer
    other = recipe.model_copy(update={"seed": 2})
    assert not {each.id for slab in slabs_of(other) for each in made(other, slab)} & {each.id for each in scored}


def made(recipe: Recipe, slab: Slab) -> list[Conversation]:
    maker = ConversationMaker(recipe, recipe.evaluate.conversations, read_prior(recipe.run))
    return maker.of_slab(slab.shard, slab.number, None)


def spoken(*texts: str, overlap: int = 2000) -> tuple[Turn, ...]:
    """A second each, of two talkers in turn."""
    step = RATE - overlap
    return tuple(
        Turn(f"u{place}", f"s{place % 2}", text, place * step, place * step + RATE)
        for place, text in enumerate(texts)
    )


def perfect(turns: tuple[Turn, ...], late: float = 0.0) -> RecognisedConversation:
    """Every channel says its targets, each label `late` seconds after the end of its turn."""
    channels, words = [], []
    for mine, text in zip(by_channel(turns), marked_texts(by_channel(turns)), strict=True):
        emitted, place = [], 0
        for token in text.split():
            emitted.append(Emission(token, mine[place].end / RATE + late))
            place += token == "<eot>"
        channels.append(tuple(emitted))
        words.append(tuple(each.token for each in emitted if not each.token.startswith("<")))
    return RecognisedConversation("-".join(turn.text for turn in turns), turns, tuple(channels), tuple(words))


def test_who_says_all_on_its_channel_makes_no_error() -> None:
    two, three = perfect(spoken("a b", "c")), perfect(spoken("a b", "c", "d e f"), late=0.5)
    found = conversation_errors("sts", [two, three], sample_rate=RATE, draws=DRAWS)
    row = found.row
    assert (row.wer, row.low, row.high, row.words, row.utterances) == (0, 0, 0, 9, 2)
    assert (found.counts.groups, found.counts.right, found.counts.groups_of_more) == (2, 2, 1)
    # Of three turns the ends of the first two, and the starts of the last two, of a second each.
    late = found.latencies
    for each, seconds in (
        (late.end_point, 0.5),
        (late.last_subword, 0.5),
        (late.start_point, 1.5),
        (late.first_subword, 1.5),
    ):
        assert each is not None
        assert (each.count, each.p50, each.p90) == (2, pytest.approx(seconds), pytest.approx(seconds))


def test_words_on_either_channel_count_and_lost_turns_do_too() -> None:
    turns = spoken("a b", "c")
    right = perfect(turns)
    swapped = replace(right, id="swapped", channels=right.channels[::-1], words=right.words[::-1])
    lost = replace(right, id="lost", channels=(right.channels[0], ()), words=(right.words[0], ()))
    found = conversation_errors("sts", [right, swapped, lost], sample_rate=RATE, draws=DRAWS)
    assert (found.row.deletions, found.row.insertions, found.row.substitutions) == (1, 0, 0)
    assert found.row.wer == pytest.approx(1 / 9)
    assert found.counts.right == 2
    with pytest.raises(ValueError, match=r"makes no conversation to score sts on; give evaluate.conversations fewer"):
        conversation_errors("sts", [], sample_rate=RATE, draws=DRAWS)

"""A transducer of conversations: what its sections must be, and by what a recipe that can't be meant is refused."""

from __future__ import annotations

import pytest

from ssl_asr.recipe import Conversations, SeparatorNetwork, load_recipe

GIVEN = ("transducers.sts.network.kind=separator", "transducers.sts.unlabeled_passes=0")


def test_it_is_given_by_keys_of_the_command_line() -> None:
    recipe = load_recipe("demo", [*GIVEN, "transducers.sts.conversations.turns=[2, 3]"])
    settings = recipe.transducers["sts"]
    assert settings.network == SeparatorNetwork()
    assert settings.conversations == Conversations(turns=(2, 3))
    assert (recipe.conversation_transducers, recipe.utterance_transducers) == (["sts"], [])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], r"network.kind=separator is for conversations; give them"),
        (
            ["conversations.turn=[1, 2]"],
            r"unknown recipe key 'transducers.sts.conversations.turn'; did you mean 'turns'",
        ),
        (["conversations.turns=[1, 2]", "network.kind=lstm"], r"set network.kind=separator"),
        (["conversations.turns=[1, 2]", "network.channels=1"], r"network.channels=1 can't hold turns that overlap"),
        (["conversations.turns=[1, 2]", "unlabeled_passes=1"], r"labeled speech alone.* set unlabeled_passes=0"),
        (["conversations.turns=[1, 2]", "encoder_from=student"], r"leave out encoder_from"),
        (
            ["conversations.turns=[1, 2]", "start_from=other"],
            r"start_from=other: name a transducer that stands above",
        ),
        (["conversations.turns=[1, 2]", "versions=one"], r"made of clean speech; leave out versions"),
        (["conversations.turns=[1, 2]", "search.lm_weight=0.3"], r"lm_weight is for single utterances"),
        (["conversations.one_talker_passes=10"], r"one_talker_passes=10 leaves no pass with two talkers"),
        (["conversations.end_penalty=1", "fast_emit=0.005"], r"end_penalty and fast_emit together are"),
        (["conversations.end_penalty=1", "conversations.marks=change"], r"marks=change has not; use start-end"),
    ],
)
def test_what_does_not_fit_is_refused(overrides: list[str], said: str) -> None:
    mine = [f"transducers.sts.{each}" for each in overrides]
    teacher = ["hypotheses.teacher=student"] if "unlabeled_passes=1" in overrides else []
    with pytest.raises(ValueError, match=said) as refused:
        load_recipe("demo", [*GIVEN, *mine, *teacher])
    assert "\n" not in str(refused.value)


def test_texts_are_not_judged() -> None:
    with pytest.raises(ValueError, match=r"transducers.sts.conversations takes all texts as they are; set hmm.wrong"):
        load_recipe("demo", [*GIVEN, "transducers.sts.conversations.marks=none", "hmm.wrong_texts=weigh"])


@pytest.mark.parametrize(
    "override", ["student.network.kind=separator", "teacher.objective.kind=separated-transducer"]
)
def test_no_network_of_senones_is_one(override: str) -> None:
    with pytest.raises(ValueError, match=r"is of a network with word pieces; give it under transducers"):
        load_recipe("demo", [override])

"""Examples of simulated conversations: the stacked frames, and turns that begin where the frames do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ssl_asr.recipe import Mixtures
from ssl_asr.training.data.conversations import ConversationReader
from ssl_asr.training.data.sources import SlabRef
from tests.conversations import SHARD, conversation_maker, real_speech


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> ConversationReader:
    folder: Path = tmp_path_factory.mktemp("conversations")
    return ConversationReader(conversation_maker(real_speech(folder), Mixtures(turns=(2, 3))))


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_frames_and_turns_at_each_offset(reader: ConversationReader, offset: int) -> None:
    examples = reader.read("labeled", SlabRef(SHARD, 0, 0, sweep=1), offset)
    made = reader.maker.of_slab(SHARD, 0, 1)
    assert [each.id for each in examples] == [each.id for each in made]
    assert examples
    skipped = offset * reader.maker.recipe.frontend.sample_rate // 100
    for example, conversation in zip(examples, made, strict=True):
        assert example.condition == "conversation"
        assert example.frames.shape == ((len(conversation.frames) - offset) // 3, 192)
        np.testing.assert_array_equal(example.frames[0, :64], conversation.frames[offset])
        assert example.targets.senones.shape == (len(example.frames), 0)
        for turn, spoken in zip(example.turns, conversation.turns, strict=True):
            assert (turn.id, turn.speaker, turn.text) == (spoken.id, spoken.speaker, spoken.text)
            assert (turn.start, turn.end) == (spoken.start - skipped, spoken.end - skipped)


def test_a_pass_is_part_of_the_reference(reader: ConversationReader) -> None:
    def ids(sweep: int | None) -> list[str]:
        return [each.id for each in reader.read("labeled", SlabRef(SHARD, 1, 0, sweep=sweep), 0)]

    assert ids(0) == ids(0)
    assert not set(ids(0)) & set(ids(1))
    assert ids(None) == ids(None)
    assert not set(ids(None)) & set(ids(0))

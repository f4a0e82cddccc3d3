"""What the reader of a run's slabs knows of each utterance; text and tags come from the manifest where asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ssl_asr.hmm.senones import load_senones
from ssl_asr.store import utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.batches import collate, cut
from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.data.sources import SlabRef
from tests.toy_run import ODD, TEST

SHARD = Shard("test", 1)


def read(run: str, **settings: bool) -> list[Example]:
    """The second slab's examples come last; it holds odd utterances, one of them without a frame."""
    reader = SlabReader(run, 64, load_senones(run).id, **settings)
    return [example for slab in (0, 1) for example in reader.read("labeled", SlabRef(SHARD, slab, 0), 0)]


def test_examples_say_who_speaks_and_under_which_condition(unevaluated: Path) -> None:
    examples = read(str(unevaluated))
    spoken = [each for each in [*TEST[12:], *ODD] if each.phones]
    assert [each.id for each in examples] == [each.id for each in spoken]
    assert [each.condition for each in examples] == [each.condition for each in spoken]
    assert {each.speaker for each in examples} == {"toy"}
    assert {each.weight for each in examples} == {1.0}
    assert all(each.text is None and not each.tags for each in examples)


def test_text_and_tags_are_joined_where_they_are_asked_for(unevaluated: Path) -> None:
    examples = read(str(unevaluated), with_text=True)
    spoken = {each.id: each for each in [*TEST[12:], *ODD]}
    assert [each.text for each in examples] == [spoken[each.id].text for each in examples]
    assert [each.tags for each in examples] == [{"set": each.id[:3]} for each in examples]
    batch = collate(cut(examples[:3], None), 2)
    assert batch.texts == [each.text for each in examples[:3]]
    assert batch.ids == [each.id for each in examples[:3]]
    assert batch.conditions == [each.condition for each in examples[:3]]
    assert batch.tags == [each.tags for each in examples[:3]]
    assert batch.speakers == ["toy"] * 3


def test_a_manifest_that_lacks_an_utterance_is_named(unevaluated: Path, tmp_path: Path) -> None:
    shutil.copytree(unevaluated, tmp_path / "run")
    run = str(tmp_path / "run")
    store = ShardStore(run, utterance.STORE)
    slabs = [utterance.decode(store.read_slab(SHARD, slab)) for slab in (0, 1)]
    gone = slabs[0].pop(2)
    tables = [utterance.encode(each) for each in slabs]
    counts = [len(each) for each in slabs]
    store.publish(SHARD, utterance.SCHEMA, tables, counts, seconds=1.0, parents={}, metadata={})
    read(run)
    with pytest.raises(ValueError, match=rf"manifest/.* does not list the utterance {gone.id}, which has features"):
        read(run, with_text=True)

"""Which versions a pass hears: every recording once, clean or degraded, with any workers and after any resume."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.store import alignments, features
from ssl_asr.store.copies import recording_of
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import CLEAN
from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.run_sources import versions_of_pass
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.data.sources import Source, SourceName, source_of
from ssl_asr.training.data.versions import OneVersion
from ssl_asr.training.phases import baseline_schedule, student_schedule
from ssl_asr.training.schedule import Cursor, Phase, assign, next_block
from tests.labelling.conftest import copy_run

SENONES = "none"
SPLITS: tuple[SourceName, ...] = ("labeled", "unlabeled")


def recordings(count: int, copies: int) -> list[str]:
    return [f"u{number // (1 + copies)}" for number in range(count * (1 + copies))]


def test_one_row_of_each_recording_by_seed_source_pass_and_recording_alone() -> None:
    rows = recordings(50, copies=2)
    draws = {
        (seed, source, sweep): OneVersion(seed).places(rows, source, sweep)
        for seed in (1, 2)
        for source in SPLITS
        for sweep in (0, 1, 7)
    }
    for places in draws.values():
        assert [rows[place] for place in places] == [f"u{number}" for number in range(50)]
    assert len(set(map(tuple, draws.values()))) == len(draws)
    # A part of the rows, as in another slab, and other recordings between them change nothing.
    part = OneVersion(1).places(rows[30:60], "labeled", 7)
    assert [place + 30 for place in part] == [place for place in draws[1, "labeled", 7] if 30 <= place < 60]
    apart = OneVersion(1).places(["other", *rows[::-1]], "labeled", 0)
    assert len(apart) == 51


def test_over_the_passes_all_versions_are_heard_alike() -> None:
    rows = recordings(200, copies=2)
    heard = Counter(place % 3 for sweep in range(30) for place in OneVersion(5).places(rows, "labeled", sweep))
    assert sum(heard.values()) == 200 * 30
    for version in range(3):
        assert heard[version] == pytest.approx(2000, abs=150)
    first = Counter(place % 3 for place in OneVersion(5).places(rows, "labeled", 3))
    assert all(first[version] > 40 for version in range(3)), "clean and degraded speech in every pass"


@pytest.fixture(scope="module")
def run(parallel_run: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The run with labels of its labeled speech: any will do."""
    place = tmp_path_factory.mktemp("versions") / "run"
    recipe = copy_run(parallel_run, place, "manifest", "features", "targets", "ledger", "models")
    heard, store = ShardStore(recipe.run, features.STORE), ShardStore(recipe.run, alignments.store_name(SENONES))
    for entry in heard.entries("labeled"):
        rows = [features.decode(table, 64) for table in heard.read_slabs(entry.shard)]
        ones = [
            alignments.encode([row.id for row in slab], [np.ones(len(row.frames), np.uint16) for row in slab])
            for slab in rows
        ]
        store.publish(
            entry.shard, alignments.SCHEMA, ones, entry.slabs, seconds=entry.seconds, parents={}, metadata={}
        )
    return recipe


def sources(recipe: Recipe) -> dict[str, Source]:
    store = ShardStore(recipe.run, features.STORE)
    return {
        split: source_of(split, split, store.index(split), recipe.seed, versions_of_pass(recipe.corpus, split, "one"))
        for split in SPLITS
    }


def reader_of(recipe: Recipe, seed: int = 1) -> SlabReader:
    return SlabReader(recipe.run, 64, SENONES, target_set_id(recipe), one_version=OneVersion(seed))


def pass_over(recipe: Recipe, source: Source, sweep: int) -> list[Example]:
    reader, begin = reader_of(recipe), sweep * len(source)
    positions = range(begin, begin + len(source))
    return [each for position in positions for each in reader.read(source.name, source.at(position), 0)]


@pytest.mark.parametrize("split", SPLITS)
def test_a_pass_hears_every_recording_once_and_is_as_long_as_its_source_says(run: Recipe, split: str) -> None:
    source = sources(run)[split]
    whole = SlabReader(run.run, 64, SENONES, target_set_id(run))
    everything = [each for ref in source for each in whole.read(split, ref, 0)]
    assert source.frames == round(sum(ref.frames for ref in source) / {"labeled": 2, "unlabeled": 3}[split])
    heard = [pass_over(run, source, sweep) for sweep in (0, 1, 2)]
    for examples in heard:
        names = [recording_of(each.id, each.condition) for each in examples]
        assert len(names) == len(set(names))
        assert set(names) == {recording_of(each.id, each.condition) for each in everything}
        # Stacking drops up to two frames of 10 ms of an utterance. A version at another speed is a tenth longer or
        # shorter than its recording, so a draw strays from the mean over all draws; of these few recordings by 2 %.
        assert sum(len(each.frames) for each in examples) + len(examples) / 3 == pytest.approx(
            source.frames / 3, rel=0.04
        )
        clean = sum(each.condition == CLEAN for each in examples)
        assert 0 < clean < len(examples)
    assert len({tuple(each.id for each in sorted(examples, key=lambda each: each.id)) for examples in heard}) == 3


def test_outside_of_passes_all_versions_are_heard(run: Recipe) -> None:
    source = sources(run)["labeled"]
    examples = [each for ref in source for each in reader_of(run).read("labeled", ref, 0)]
    assert len(examples) == 2 * len({recording_of(each.id, each.condition) for each in examples})


def schedules(recipe: Recipe, sub_epochs: int, passes: float) -> tuple[list[Phase], list[Phase]]:
    """Of student and baseline."""
    settings = [
        f"student.sub_epochs={sub_epochs}",
        f"student.unlabeled_passes={passes}",
        "student.whole_sub_epochs=1",
    ]
    student, found = load_recipe("demo", [*settings, "student.versions=one"]).student, sources(recipe)
    phases = student_schedule(student, found["labeled"], found["unlabeled"])
    return phases, baseline_schedule(phases, found["labeled"], found["unlabeled"])


def test_student_and_baseline_hear_as_many_frames(run: Recipe) -> None:
    found, reader = sources(run), reader_of(run)
    totals = []
    for phases in schedules(run, sub_epochs=3, passes=4.3):
        heard = Counter[float]()
        for phase in phases:
            for position in range(phase.first, phase.first + phase.count):
                examples = reader.read(phase.source, found[phase.source].at(position), 0)
                heard[phase.learning_rate] += sum(len(each.frames) for each in examples)
        totals.append(heard)
    of_student, of_baseline = totals
    slab = found["labeled"].frames / 3 / len(found["labeled"])
    # Slabs differ in length, so a few of them stray, as they do with all versions; and so do draws of some speeds.
    assert sum(of_baseline.values()) == pytest.approx(sum(of_student.values()), abs=2 * slab)


def test_what_a_position_hears_depends_on_no_worker_and_no_resume(run: Recipe) -> None:
    found = sources(run)
    phases, _ = schedules(run, sub_epochs=2, passes=1.4)

    def walked(workers: int, begin: Cursor) -> dict[tuple[int, int], list[str]]:
        cursor, heard = begin, {}
        while cursor.phase < len(phases):
            phase, index = phases[cursor.phase], cursor.phase
            positions, cursor = next_block(phases, cursor, 2 * workers)
            for mine in assign(positions, workers):
                reader = reader_of(run)  # a process of its own
                for position in mine:
                    examples = reader.read(phase.source, found[phase.source].at(position), phase.offset)
                    heard[index, position] = [each.id for each in examples]
        return heard

    alone = walked(1, Cursor())
    assert walked(3, Cursor()) == alone
    resumed = walked(2, Cursor(1, 1))
    assert resumed == {place: ids for place, ids in alone.items() if place in resumed}
    assert len(resumed) < len(alone)

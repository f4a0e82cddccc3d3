"""Words of unlabeled speech are verified and repaired as other shards are."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from ssl_asr.hypotheses.sets import hypothesis_set
from ssl_asr.hypotheses.stage import run_hypotheses
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.store import features, hypotheses
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.verifying.repair import repair
from ssl_asr.verifying.run import shards_of, verify
from tests.in_process import placed_here

FIRST = Shard("unlabeled", 0)


@pytest.fixture
def run(finished_run: Recipe) -> Recipe:
    """With the words of an untrained student."""
    asked = finished_run.hypotheses.model_copy(update={"teacher": "student", "max_active": 200})
    recipe = finished_run.model_copy(update={"hypotheses": asked})
    save_recipe(recipe)
    with placed_here():
        run_hypotheses(recipe)
    return recipe


def found_in(recipe: Recipe) -> list[str]:
    return [each.sentence for each in verify(recipe).findings if each.store.startswith("pseudo-labels/")]


def test_a_bad_shard_is_made_anew_as_it_was(run: Recipe) -> None:
    store = hypothesis_set(run).store
    file, entry = Path(store.uri(FIRST)), Path(store.ledger_uri(FIRST))
    whole = file.read_bytes(), entry.read_bytes()
    assert found_in(run) == []
    file.write_bytes(whole[0][:-9])
    verdict = verify(run)
    assert found_in(run)[0].startswith(f"{file} is not a whole Parquet file")
    with placed_here():
        reports = list(repair(run, shards_of(verdict)))
    assert [report.stage for report in reports] == ["hypotheses"]
    assert (file.read_bytes(), entry.read_bytes()) == whole
    assert found_in(run) == []


def test_a_shard_without_a_trace_is_missed(run: Recipe) -> None:
    store = hypothesis_set(run).store
    for uri in (store.uri(FIRST), store.ledger_uri(FIRST)):
        Path(uri).unlink()
    (sentence,) = found_in(run)
    assert "is missing with its ledger entry, though hypotheses has finished; `ssl-asr verify" in sentence


def test_words_that_contradict_each_other_or_their_features_are_damage(run: Recipe) -> None:
    made = hypothesis_set(run)
    (parents,) = {tuple(entry.parents.items()) for entry in made.store.entries("unlabeled") if entry.shard == FIRST}
    tables = list(made.store.read_slabs(FIRST))
    rows = tables[0].to_pylist()

    def publish(first: dict[str, object]) -> None:
        changed = [pa.Table.from_pylist([first, *rows[1:]], schema=hypotheses.SCHEMA), *tables[1:]]
        counts = [int(table["num_frames"].to_numpy().sum()) for table in changed]
        made.store.publish(FIRST, hypotheses.SCHEMA, changed, counts, seconds=1, parents=dict(parents), metadata={})

    publish({**rows[0], "text": "something else"})
    assert f"the text of '{rows[0]['id']}' is not that of its words" in found_in(run)[0]
    publish({**rows[0], "num_frames": rows[0]["num_frames"] + 1})
    assert "has other 30 ms frames in slab 0 than its features make" in found_in(run)[0]
    publish({**rows[0], "id": "other"})
    assert len(found_in(run)) == 1


def test_without_its_file_another_recogniser_s_words_are_not_deleted(run: Recipe, tmp_path: Path) -> None:
    """What can't be made again is told, and stays."""
    written = tmp_path / "words.jsonl"
    name = ShardStore(run.run, features.STORE).read(FIRST, ["id"])["id"][0].as_py()
    written.write_text(f'{{"id": "{name}", "hypothesis": "two cats"}}')
    outside = run.hypotheses.model_copy(update={"teacher": f"jsonl:{written}"})
    recipe = run.model_copy(update={"hypotheses": outside})
    run_hypotheses(recipe)
    file = Path(hypothesis_set(recipe).store.uri(FIRST))
    file.write_bytes(file.read_bytes()[:-9])
    assert "--repair` makes it anew" in found_in(recipe)[0]
    written.unlink()
    (sentence,) = found_in(recipe)
    assert f"run `ssl-asr hypotheses {run.run}` again with the teacher and recipe of these pseudo-labels" in sentence

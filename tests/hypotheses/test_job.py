"""What an actor makes of a shard: words row for row with the features, and nothing that depends on other shards."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.decoding.graph_files import make_graph
from ssl_asr.hypotheses.job import HypothesisJob
from ssl_asr.hypotheses.sets import graph_request, hypothesis_set
from ssl_asr.recipe import Recipe
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore
from tests.hypotheses.conftest import ALONE, CLEAN, COPIES, ODD, SPLIT, asking, contents, rows_of, sources, texts


def job_of(recipe: Recipe) -> HypothesisJob:
    wanted = graph_request(recipe)
    make_graph(recipe.run, recipe.hypotheses.lm_order, wanted.inputs, wanted.sentences)
    return HypothesisJob(recipe, hypothesis_set(recipe))


def test_rows_are_those_of_the_features_and_say_what_was_said(recognised: Recipe) -> None:
    rows, heard = rows_of(recognised), ShardStore(recognised.run, features.STORE)
    assert [row.id for row in rows] == [
        name for shard in sources(recognised) for name in heard.read(shard, ["id"])["id"].to_pylist()
    ]
    said = texts(rows)
    assert [said[each.id] for each in (*CLEAN, ALONE)] == [each.text for each in (*CLEAN, ALONE)]
    for row in rows:
        if row.words:
            times = [(word.start, word.end) for word in row.words]
            assert times == sorted(times)
            assert all(0 <= start < end <= row.num_frames for start, end in times)
            assert all(0 < word.posterior <= 1 for word in row.words)


def test_confidence_is_the_mean_posterior_over_time(recognised: Recipe) -> None:
    judged = [row for row in rows_of(recognised) if row.words]
    assert len(judged) == len(CLEAN) + 1
    for row in judged:
        by_frame = [word.posterior for word in row.words for _ in range(word.start, word.end)]
        assert row.confidence == pytest.approx(sum(by_frame) / len(by_frame), abs=1e-4)


def test_copies_beside_their_recording_have_no_words_of_their_own(recognised: Recipe) -> None:
    rows = {row.id: row for row in rows_of(recognised)}
    copies = [rows[each.id] for each in COPIES[:3]]
    assert {(row.num_frames, row.text, row.confidence) for row in copies} == {(0, "", None)}
    assert rows[ALONE.id].num_frames > 0


def test_one_bad_utterance_stops_nobody(recognised: Recipe) -> None:
    nan, no_frame, silence = (next(row for row in rows_of(recognised) if row.id == each.id) for each in ODD)
    assert (nan.text, no_frame.text, silence.text) == ("", "", "")
    assert (no_frame.num_frames, silence.num_frames) == (0, 9)
    (reject,) = hypothesis_set(recognised).store.rejects(SPLIT)
    assert reject.id == nan.id
    assert reject.reason == (
        "it can't be recognised: scores are not finite: the model or its features hold NaN or infinite values"
    )


def test_the_ledger_says_what_was_made_from_what(recognised: Recipe) -> None:
    made = hypothesis_set(recognised)
    heard = {entry.shard: entry for entry in ShardStore(recognised.run, features.STORE).entries(SPLIT)}
    first, second = made.store.entries(SPLIT)
    for entry in (first, second):
        assert entry.parents["features"] == heard[entry.shard].checksum
        assert entry.parents["teacher"] == made.id.partition("-")[0]
        assert {"version", "graph", "priors"} <= entry.parents.keys()
    words = sum(len(each.text.split()) for each in CLEAN)
    assert (first.statistics["words"], first.statistics["empty"], first.statistics["utterances"]) == (words, 0, 6)
    assert (second.statistics["empty"], second.statistics["utterances"]) == (3, 4)
    assert first.seconds == pytest.approx(0.03 * first.frames)


def test_shards_backwards_by_one_job_have_the_same_bytes(own: Recipe, recognised: Recipe) -> None:
    job = job_of(own)
    for shard in reversed(sources(own)):
        job(shard)
    assert contents(own) == contents(recognised)


def test_what_is_there_is_left_alone(own: Recipe) -> None:
    job, shard = job_of(own), sources(own)[1]
    job(shard)
    file = Path(hypothesis_set(own).store.uri(shard))
    before = file.stat().st_mtime_ns
    job(shard)
    assert file.stat().st_mtime_ns == before


def test_words_without_an_alignment_or_a_lattice_are_kept_and_not_judged(
    own: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(own)
    finder = job.recogniser._finder
    with monkeypatch.context() as patched:
        patched.setattr(finder, "times", lambda *_: None)
        job(sources(own)[1])
    monkeypatch.setattr(finder, "_lattice", lambda *_: (None, False, "no path"))
    job(sources(own)[0])
    rows = {row.id: row for row in rows_of(own)}
    assert (rows[ALONE.id].text, rows[ALONE.id].confidence) == (ALONE.text, None)
    assert {(word.start, word.end, word.posterior) for word in rows[ALONE.id].words} == {(None, None, None)}
    first = rows[CLEAN[0].id]
    assert (first.text, first.confidence) == (CLEAN[0].text, None)
    assert all(word.start < word.end and word.posterior is None for word in first.words)
    assert [entry.statistics["judged_frames"] for entry in hypothesis_set(own).store.entries(SPLIT)] == [0, 0]


@pytest.mark.parametrize(
    "value", ["teacher", "lm_order", "kappa", "prior_scale", "beam", "max_active", "lattice_beam"]
)
def test_every_value_makes_another_set(own: Recipe, value: str) -> None:
    values = {"teacher": "baseline", "lm_order": 1, "prior_scale": 0.5}
    other = asking(own, **{value: values.get(value, 2)})
    assert hypothesis_set(other).id != hypothesis_set(own).id

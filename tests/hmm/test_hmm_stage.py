from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from ssl_asr.frontend.stacking import stack_labels
from ssl_asr.hmm.chunks import Transcribed, load_chunk, manifest, transcribe
from ssl_asr.hmm.flat_start import flat_start
from ssl_asr.hmm.lexicon_stage import ensure_lexicon
from ssl_asr.hmm.senones import SenoneSet, load_senones
from ssl_asr.hmm.stage import run_hmm
from ssl_asr.hmm.training import Trained
from ssl_asr.lang.lexicon import Lexicon, read_lexicon
from ssl_asr.lang.ngram import vocabulary_of
from ssl_asr.lang.phones import ENGLISH
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.stage_report import read_report
from ssl_asr.store import alignments, features, utterance
from ssl_asr.store.corpus_layout import lm_text_uri
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance
from tests.hmm.conftest import in_series, sources_of

SPLITS = ("labeled", "dev", "test")


@pytest.fixture(scope="module")
def senones(aligned_run: Recipe) -> SenoneSet:
    return load_senones(aligned_run.run)


def rows_of(recipe: Recipe, senones: SenoneSet, split: str) -> Iterator[tuple[Utterance, FeatureRow, np.ndarray]]:
    """(utterance, features, senones) of a split, read slab beside slab."""
    store, aligned = (ShardStore(recipe.run, name) for name in (features.STORE, alignments.store_name(senones.id)))
    for entry in store.entries(split):
        spoken = manifest(recipe.run, entry.shard)
        assert len(aligned.entry(entry.shard).slabs) == len(entry.slabs)
        for slab in range(len(entry.slabs)):
            rows = features.decode(store.read_slab(entry.shard, slab), recipe.frontend.mel_bins)
            labels = alignments.decode(aligned.read_slab(entry.shard, slab))
            assert list(labels) == [row.id for row in rows]
            yield from ((spoken[row.id], row, labels[row.id]) for row in rows)


@pytest.mark.parametrize("split", SPLITS)
def test_alignments_lie_beside_features_frame_for_frame(aligned_run, senones, split):
    rows = list(rows_of(aligned_run, senones, split))
    assert len(rows) > 10
    for _, row, labels in rows:
        assert len(labels) == len(row.frames)
        assert labels.max() < senones.size


@pytest.mark.parametrize("split", ["labeled", "test"])
def test_copies_share_the_alignment_of_their_recording(aligned_run, senones, split):
    rows = list(rows_of(aligned_run, senones, split))
    clean = {spoken.id: labels for spoken, _, labels in rows if spoken.condition == utterance.CLEAN}
    copies = [(spoken, labels) for spoken, _, labels in rows if spoken.condition != utterance.CLEAN]
    assert len(copies) > 5
    for spoken, labels in copies:
        np.testing.assert_array_equal(labels, clean[spoken.recording])


def test_counts_are_the_30_ms_frames_of_the_labeled_split(aligned_run, senones):
    counts = sum(
        np.bincount(stack_labels(labels), minlength=senones.size)
        for _, _, labels in rows_of(aligned_run, senones, "labeled")
    )
    np.testing.assert_array_equal(senones.counts, counts)
    assert (counts > 0).mean() > 0.9


def test_the_report_has_the_figures(aligned_run, senones):
    report = read_report(aligned_run, "hmm")
    assert report is not None
    assert report.figures["senones"] == senones.size == aligned_run.hmm.senones
    assert 0.02 < report.figures["silence_share"] < 0.5
    assert report.figures["failures_share"] < 0.02
    assert report.figures["frames_aligned"] == sum(
        len(labels) for split in SPLITS for _, _, labels in rows_of(aligned_run, senones, split)
    )


def test_labels_run_through_the_phones_of_the_text(aligned_run, senones, trained: Trained):
    source = sources_of(aligned_run)[0]
    stored = {spoken.id: labels for spoken, _, labels in rows_of(aligned_run, senones, "labeled")}
    chunk = load_chunk(source)
    lexicon = read_lexicon(aligned_run.run)
    for one in chunk:
        path = trained.model.align(one).labels // 3
        spoken = path[np.concatenate([[True], np.diff(path) != 0])]
        words = manifest(aligned_run.run, source.shard)[one.id].text.split()
        least = sum(min(map(len, lexicon.pronunciations[word])) for word in words)
        assert len(stored[one.id]) == len(path)
        # Neighbours of the same phone count once here, hence the slack.
        assert (spoken > 0).sum() >= 0.8 * least
        np.testing.assert_array_equal(stored[one.id] == 0, path == 0)


def test_the_likelihood_rises_before_and_after_lda(trained: Trained):
    curve = np.array(trained.curve)
    jump = int(np.diff(curve).argmax()) + 1
    assert (np.diff(curve[:jump]) > 0).all()
    assert curve[-1] > curve[jump] + 0.5


def test_the_true_text_beats_others_of_its_length(aligned_run, trained: Trained):
    """Of held-out speech: chance would find the true one of three texts in a third of the cases."""
    lexicon = read_lexicon(aligned_run.run)
    rows = [(spoken, row.frames) for spoken, row, _ in rows_of(aligned_run, load_senones(aligned_run.run), "test")]
    clean = [(spoken, frames) for spoken, frames in rows if spoken.condition == utterance.CLEAN][:40]
    pool = sorted({spoken.text for spoken, _ in rows})

    def likelihood(spoken: Utterance, frames: np.ndarray, text: str, lexicon: Lexicon) -> float:
        ready = transcribe(frames, replace(spoken, text=text), lexicon)
        found = trained.model.align(ready) if isinstance(ready, Transcribed) else None
        return found.log_likelihood if found is not None else -np.inf

    won = 0
    for spoken, frames in clean:
        others = sorted(
            (text for text in pool if text != spoken.text), key=lambda text: abs(len(text) - len(spoken.text))
        )
        wrong = random.Random(spoken.id).sample(others[:6], 2)
        scores = [likelihood(spoken, frames, text, lexicon) for text in (spoken.text, *wrong)]
        won += scores[0] == max(scores)
    assert won / len(clean) > 0.7


def test_the_flat_start_does_not_depend_on_who_computes_it(aligned_run, trained: Trained):
    with threadpool_limits(1):
        model, curve = flat_start(
            in_series(sources_of(aligned_run)), aligned_run.hmm.flat_start_iterations, len(ENGLISH)
        )
    assert curve == list(trained.curve)
    for name in ("weights", "means", "variances"):
        np.testing.assert_array_equal(getattr(model.mixtures, name), getattr(trained.model.mixtures, name))
    np.testing.assert_array_equal(model.transform, trained.model.transform)


def checksums(run: str) -> dict[str, bytes]:
    below = [path for name in ("hmm", "alignments", "ledger/alignments") for path in (Path(run) / name).rglob("*")]
    return {str(path): path.read_bytes() for path in below if path.is_file()}


def test_what_is_done_is_kept_and_what_is_lost_is_made_again_alike(aligned_run, senones):
    before = checksums(aligned_run.run)
    again = run_hmm(aligned_run)
    assert again.skipped == again.pieces
    assert checksums(aligned_run.run) == before
    lost = ShardStore(aligned_run.run, alignments.store_name(senones.id))
    shard = lost.entries("test")[0].shard
    Path(lost.ledger_uri(shard)).unlink()
    (Path(aligned_run.run) / "hmm" / "tree.npz").unlink()
    resumed = run_hmm(aligned_run)
    assert resumed.skipped == resumed.pieces - 1
    assert checksums(aligned_run.run) == before


def test_test_words_outside_the_language_model_are_aligned_but_never_decoded(aligned_run):
    ensure_lexicon(aligned_run)
    lexicon = read_lexicon(aligned_run.run)
    text = Path(lm_text_uri(aligned_run.run)).read_text()
    known, said = set(text.split()), {}
    for split in SPLITS:
        shards = ShardStore(aligned_run.run, utterance.STORE).shards(split)
        texts = [spoken.text for shard in shards for spoken in manifest(aligned_run.run, shard).values()]
        said[split] = set(" ".join(texts).split())
    assert set(lexicon.words) <= known.union(*said.values())
    assert (said["test"] - known) & set(lexicon.words)
    decoded = set(vocabulary_of(text.splitlines(), lexicon.pronunciations).words)
    assert decoded
    assert decoded <= known


def test_a_run_without_features_is_told_what_to_do(aligned_run, tmp_path):
    with pytest.raises(ValueError, match="run the frontend stage first"):
        run_hmm(aligned_run.model_copy(update={"run": str(tmp_path)}))

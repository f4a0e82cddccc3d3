"""The players' audio: what the recogniser heard, bounded, and told where it can't be had."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.frontend.extract import Extractor
from ssl_asr.report.errors.clips import SECONDS, choose, encode, write_clips
from ssl_asr.store import filesystem, utterance
from ssl_asr.store.results_layout import clip_uri, clips_folder
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance
from tests.s3_server import S3Server


def played(uri: str) -> np.ndarray:
    samples, rate = soundfile.read(io.BytesIO(filesystem.read_bytes(uri)))
    assert rate == 8000
    return samples


@pytest.fixture
def listed(finished_run) -> list[Utterance]:
    store = ShardStore(finished_run.run, utterance.STORE)
    return [
        each for shard in store.shards("test") for slab in store.read_slabs(shard) for each in utterance.decode(slab)
    ]


def test_a_clip_is_the_audio_that_features_are_made_from(finished_run, listed):
    clips = write_clips(finished_run, listed)
    assert {each.condition for each in listed} == {"clean", "room"}
    for each in listed:
        heard = Extractor(finished_run, "test").waveform(each)
        np.testing.assert_allclose(played(clip_uri(finished_run.run, clips.files[each.id])), heard, atol=2**-15)
    assert clips.missing == ()


def test_missing_audio_is_told_and_clips_of_before_are_deleted(finished_run, listed):
    before = write_clips(finished_run, listed)
    lost = replace(listed[0], audio="/nowhere.wav")
    clips = write_clips(finished_run, [lost, listed[1]])
    assert [reject.id for reject in clips.missing] == [lost.id]
    assert "/nowhere.wav" in clips.missing[0].reason
    assert filesystem.list_files(clips_folder(finished_run.run)) == [
        clip_uri(finished_run.run, clips.files[listed[1].id])
    ]
    assert len(before.files) == len(listed) > 2


def test_clips_of_a_run_in_a_bucket(finished_run, listed, s3: S3Server):
    local = write_clips(finished_run, listed[:1])
    remote = finished_run.model_copy(update={"run": f"{s3.create_bucket('runs')}/mine"})
    clips = write_clips(remote, listed[:1])
    write_clips(remote, listed[:1])
    (uri,) = filesystem.list_files(clips_folder(remote.run))
    assert clips == local
    assert filesystem.read_bytes(uri) == Path(clip_uri(finished_run.run, clips.files[listed[0].id])).read_bytes()


def test_audio_above_full_scale_is_turned_down_and_keeps_its_shape():
    wave = 3 * np.sin(np.arange(8000) / 20).astype(np.float32)
    samples, _ = soundfile.read(io.BytesIO(encode(wave, 8000)))
    np.testing.assert_allclose(samples, wave / np.abs(wave).max(), atol=2**-14)


def test_all_clips_together_are_bounded_and_the_first_come_first():
    long = [Utterance(f"u{n}", "a.wav", "s", 0, SECONDS / 3) for n in range(5)]
    short = Utterance("short", "a.wav", "s", 0, 1.0)
    assert [each.id for each in choose([long[0], long[0], long[1], short, long[2]])] == ["u0", "u1", "short"]

"""Recorded speech to transcripts by a bundle: the words, what changes them, and what is said of bad audio."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.segment.cutting import Cutting
from ssl_asr.evaluation.hypothesis_files import read_hypotheses
from ssl_asr.serving.adapting import with_hotwords, with_language_model
from ssl_asr.serving.transcribing.inputs import AudioInput
from ssl_asr.serving.transcribing.transcriber import Transcriber
from ssl_asr.serving.transcribing.transcript import TranscriptSegment
from tests.corpus.conftest import rows_of
from tests.serving.conftest import Spoken

RATE = 8000  # of the demo and so of the bundle


@pytest.fixture(scope="module")
def clips(spoken: Spoken) -> list[np.ndarray]:
    """Six utterances of 2 to 4 s that the network has learned."""
    rows = [row for row in rows_of(spoken.recipe, "labeled") if row.condition == "clean" and 2 < row.duration < 4]
    return [read_audio(row.audio, row.offset, row.duration, row.channel, RATE) for row in rows[:6]]


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory, clips: list[np.ndarray]) -> Path:
    """Half a minute of clips with pauses of 1.2 s."""
    pause = 1e-4 * np.random.default_rng(0).standard_normal(int(1.2 * RATE))
    parts = [part for clip in [*clips, *clips] for part in (clip, pause)]
    file = tmp_path_factory.mktemp("talk") / "talk.flac"
    soundfile.write(file, np.concatenate(parts), RATE)
    return file


@pytest.fixture
def clip_file(tmp_path: Path, clips: list[np.ndarray]) -> Path:
    file = tmp_path / "clip.wav"
    soundfile.write(file, clips[0], RATE, subtype="FLOAT")
    return file


def test_a_short_recording_is_recognised_whole(spoken: Spoken, clips: list[np.ndarray], clip_file: Path) -> None:
    heard: list[TranscriptSegment] = []
    found = Transcriber(spoken.engine).transcribe(AudioInput("clip", str(clip_file)), heard.append)
    (final,) = spoken.engine.recognise(clips[0])
    (segment,) = found.segments
    assert heard == [segment]
    # A last frame that is half full does not reach beyond the audio.
    assert segment.words == tuple(replace(word, end=min(word.end, segment.end)) for word in final.words)
    assert (segment.start, segment.end) == (0, found.source.seconds)
    assert found.source.seconds == pytest.approx(len(clips[0]) / RATE, abs=0.001)
    known = spoken.engine.new_speaker()
    again = [Transcriber(spoken.engine).transcribe(AudioInput("clip", str(clip_file)), speaker=known) for _ in "ab"]
    assert again[0] == found
    assert again[1].segments[0].words != segment.words  # it goes on with what it has heard
    part = Transcriber(spoken.engine).transcribe(AudioInput("part", str(clip_file), 0.5, 1.0))
    assert (part.source.offset, part.source.seconds) == (0.5, 1.0)


def test_a_long_recording_is_recognised_segment_by_segment(spoken: Spoken, talk: Path) -> None:
    cutting = Cutting(max_seconds=8)
    heard: list[TranscriptSegment] = []
    transcript = Transcriber(spoken.engine, cutting=cutting).transcribe(AudioInput("talk", str(talk)), heard.append)
    assert tuple(heard) == transcript.segments
    assert len(heard) >= 6
    assert all(before.end <= after.start for before, after in pairwise(heard))
    samples, _ = soundfile.read(talk, dtype="float32")
    speaker = None
    for segment in heard:
        stream = spoken.engine.stream(endpoints=None, speaker=speaker)
        stream.accept(samples[round(segment.start * RATE) : round(segment.end * RATE)])
        (final,) = stream.finish()
        speaker = stream.speaker
        assert [word.word for word in final.words] == [word.word for word in segment.words]
        for one, other in zip(final.words, segment.words, strict=True):
            assert other.start == pytest.approx(one.start + segment.start, abs=0.001)
            assert other.end <= segment.end
    assert len(transcript.words) > 5


def test_alternatives_are_different_sentences(spoken: Spoken, talk: Path) -> None:
    cutting = Cutting(max_seconds=8)
    plain = Transcriber(spoken.engine, cutting=cutting).transcribe(AudioInput("talk", str(talk)))
    several = Transcriber(spoken.engine, cutting=cutting, alternatives=10).transcribe(AudioInput("talk", str(talk)))
    assert [replace(segment, alternatives=()) for segment in several.segments] == list(plain.segments)
    for segment in several.segments:
        texts = [each.text for each in segment.alternatives]
        assert len(set(texts)) == len(texts) <= 10
        chances = [each.log_probability for each in segment.alternatives]
        assert chances == sorted(chances, reverse=True)
    found = [
        segment.text in [each.text for each in segment.alternatives]
        for segment in several.segments
        if segment.alternatives
    ]
    assert len(found) > 2
    assert np.mean(found) > 0.5


def test_hotwords_are_heard_more_often(spoken: Spoken, talk: Path) -> None:
    before = Transcriber(spoken.engine).transcribe(AudioInput("talk", str(talk))).text.split()
    absent = next(word for word in spoken.engine.graph.words if word not in before and len(word) > 3)
    boosted = with_hotwords(spoken.engine, {(absent,): 40.0})
    assert absent in Transcriber(boosted).transcribe(AudioInput("talk", str(talk))).text.split()
    same = with_hotwords(spoken.engine, {(absent, "zzz"): 40.0})
    assert Transcriber(same).transcribe(AudioInput("talk", str(talk))).text.split() == before


ARPA = "\\data\\\nngram 1=5\n\n\\1-grams:\n-1\t<s>\n-1\t</s>\n-0.5\t{}\n-0.5\t{}\n-2\tzzzz\n\n\\end\\\n"


def test_another_language_model(spoken: Spoken, talk: Path) -> None:
    one, two = spoken.engine.graph.words[3], spoken.engine.graph.words[-3]
    engine, unknown = with_language_model(spoken.engine, ARPA.format(one, two), "small.arpa")
    assert unknown == 1
    words = Transcriber(engine).transcribe(AudioInput("talk", str(talk))).words
    assert words
    assert {word.word for word in words} <= {one, two}


def test_a_language_model_from_another_system(
    spoken: Spoken, clip_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arpa, file = ARPA.format(*spoken.engine.graph.words[3:5]), tmp_path / "lm.arpa"
    printed = []
    for written in (arpa, arpa.replace("\n", "\r\n")):
        file.write_bytes(written.encode())
        assert main(["transcribe", str(spoken.folder), str(clip_file), "--lm", str(file)]) == OK
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    file.write_text(arpa.replace("-1\t</s>\n", "").replace("1=5", "1=4"))
    assert main(["transcribe", str(spoken.folder), str(clip_file), "--lm", str(file)]) == FAILED
    assert "lm.arpa makes a graph that can't be searched (the n-gram allows no sentence" in capsys.readouterr().err


def test_bad_audio_is_told_and_the_rest_is_transcribed(
    spoken: Spoken, talk: Path, clip_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    (folder / "empty").mkdir(parents=True)
    (folder / "paper.wav").write_bytes(b"%PDF-1.7\n" + bytes(3000))
    (folder / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    soundfile.write(folder / "click.wav", np.zeros(80), RATE)
    clip, _ = soundfile.read(clip_file)
    eight = np.stack([np.repeat(clip, 12)] + [np.zeros(12 * len(clip))] * 7, axis=1)
    soundfile.write(folder / "eight.wav", eight, 96000)
    soundfile.write(folder / "silence.flac", np.zeros(30 * RATE), RATE)
    words = ["transcribe", str(spoken.folder), str(folder), str(folder / "empty"), str(talk), "--format", "json"]
    assert main([*words, "-o", str(tmp_path / "out")]) == FAILED
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    for name, reason in (
        ("paper.wav", "libsndfile can't read this audio"),
        ("gone.wav", "which is not there"),
        ("click.wav", "it lasts 0.010 s, which is less than a frame"),
        ("empty", "the folder is empty"),
        ("eight.wav", "it has 8 channels, and the first was transcribed"),
    ):
        assert [reason in line for line in lines if f"/{name}:" in line] == [True], name
    assert lines[-1].startswith("ssl-asr: 3 transcribed (")
    assert lines[-1].endswith("4 rejected")
    assert len(lines) == 6
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["eight.json", "silence.json", "talk.json"]
    assert json.loads((tmp_path / "out" / "silence.json").read_text())["segments"] == []
    assert json.loads((tmp_path / "out" / "talk.json").read_text())["text"]


def test_several_channels_are_told_once_a_file(
    spoken: Spoken, clip_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, _ = soundfile.read(clip_file)
    file = tmp_path / "two.wav"
    soundfile.write(file, np.stack([clip, clip], 1), RATE)
    manifest = tmp_path / "list.jsonl"
    rows = [{"audio_filepath": str(file), "offset": offset, "duration": 0.5} for offset in (0.0, 0.5, 1.0)]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["transcribe", str(spoken.folder), f"nemo:{manifest}", str(file)]) == OK
    assert capsys.readouterr().err.count("it has 2 channels, and the first was transcribed") == 1
    assert main(["transcribe", str(spoken.folder), str(file), "--channel", "0"]) == OK
    assert "channels" not in capsys.readouterr().err


def test_audio_that_is_far_too_loud_is_named(spoken: Spoken, tmp_path: Path) -> None:
    file = tmp_path / "loud.wav"
    soundfile.write(file, np.full(RATE, 20_000.0), RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"loud\.wav: the audio is not in \[-1, 1\]"):
        Transcriber(spoken.engine).transcribe(AudioInput("loud", str(file)))


def test_one_file_is_printed_and_nothing_large_is_imported(spoken: Spoken, clip_file: Path) -> None:
    script = (
        "import sys; from ssl_asr.cli.main import main; code = main(sys.argv[1:]); "
        "assert not {'torch', 'ray', 'sklearn', 'lhotse'} & set(sys.modules), sorted(sys.modules); sys.exit(code)"
    )
    command = [sys.executable, "-c", script, "transcribe", str(spoken.folder), str(clip_file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (OK, "")
    samples, _ = soundfile.read(clip_file, dtype="float32")
    assert done.stdout.split() == spoken.engine.recognise(samples)[0].text.split()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "doc"], "invalid choice: 'doc'"),
        (["--nbest", "3"], "--nbest can't be written as txt; add --format json"),
        (["--nbest", "11"], "11 is not a whole number from 1 to 10"),
        (["--channel", "-1"], "-1 is not a whole number from 0 to 1023"),
        (["--hotwords", "none.txt"], "there is no file none.txt"),
        (["--lm", "none.arpa"], "there is no file none.arpa"),
        (["OTHER", "--format", "srt"], "srt holds the captions of one recording; write a file for each with -o DIR"),
        (["OTHER", "--format", "vtt"], "vtt holds the captions of one recording"),
        (["-o", "OTHER"], "other.wav is a file; name a folder"),
        (["-o", "OTHER/below"], "below can't be made (Not a directory); name another one"),
    ],
)
def test_bad_options_are_refused(spoken: Spoken, clip_file: Path, capsys, words: list[str], said: str) -> None:
    other = shutil.copy(clip_file, clip_file.with_name("other.wav"))
    words = [word.replace("OTHER", str(other)) for word in words]
    assert main(["transcribe", str(spoken.folder), str(clip_file), *words]) != OK
    out, told = capsys.readouterr()
    assert out == ""
    assert said in told
    assert told.count("\n") == 1 or "invalid choice" in told


def test_what_is_printed_of_several_files_tells_them_apart_and_is_read_again(
    spoken: Spoken, clip_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flac = clip_file.with_suffix(".flac")
    soundfile.write(flac, *soundfile.read(clip_file))
    files = [str(clip_file), str(flac)]
    assert main(["transcribe", str(spoken.folder), *files]) == OK
    assert [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()] == files
    hypotheses = clip_file.with_name("hyp.json")
    assert main(["transcribe", str(spoken.folder), *files, "--format", "json"]) == OK
    hypotheses.write_text(capsys.readouterr().out)
    assert [*read_hypotheses(str(hypotheses)).texts] == files


def test_what_is_wrong_with_an_input_is_told_once(
    spoken: Spoken, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = tmp_path / "list.jsonl"
    manifest.write_text('{"audio_filepath": "/none/such.wav"}\n{"duration": 3}\n')
    assert main(["transcribe", str(spoken.folder), f"nemo:{manifest}", "nemo:none.jsonl", str(manifest)]) == FAILED
    assert capsys.readouterr().err.splitlines() == [
        f"ssl-asr: {manifest} line 2 is not a NeMo entry (it lacks audio_filepath); fix it",
        "ssl-asr: /none/such.wav: the audio file is missing or unreadable; correct its path in the source",
        "ssl-asr: nemo:none.jsonl: there is no none.jsonl; fix the path",
        f"ssl-asr: {manifest}: it is no audio file; if it lists or holds audio, name its reader: nemo:{manifest}",
        "ssl-asr: 0 transcribed (0 s), 4 rejected",
    ]


def test_digital_silence_has_no_words(spoken: Spoken, tmp_path: Path) -> None:
    file = tmp_path / "silence.wav"
    soundfile.write(file, np.full((3 * 44100, 2), 8 / 32768), 44100, subtype="FLOAT")
    hearing = with_hotwords(spoken.engine, {(spoken.engine.graph.words[-1],): 60.0})
    transcript = Transcriber(hearing, alternatives=3).transcribe(AudioInput("silence", str(file)))
    assert (transcript.words, transcript.segments[0].alternatives) == ((), ())
    assert transcript.source.seconds == 3


def test_a_folder_that_is_neither_a_bundle_nor_a_run(clip_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", str(clip_file.parent), str(clip_file)]) == FAILED
    assert "is no bundle, bundle.json is missing; make one with `ssl-asr export`" in capsys.readouterr().err

"""`ssl-asr evaluate BUNDLE --test`: a bundle scored on recorded speech, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest

from ssl_asr.cli.main import FAILED, OK, REFUSED, main
from ssl_asr.decoding.decoder import Decoder
from ssl_asr.decoding.scores import Scales
from ssl_asr.evaluation.transcribed_set import read_transcribed_set
from ssl_asr.frontend.stacking import stack
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.serving.exporting.measure import scores_of
from ssl_asr.serving.transcribing.set_recogniser import recognise_set
from ssl_asr.store import features, utterance
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance
from tests.corpus.conftest import rows_of
from tests.serving.conftest import Spoken


@pytest.fixture(scope="module")
def clean(spoken: Spoken) -> list[Utterance]:
    """The run's labeled speech without copies: the network has learned it, so it has some words right."""
    return [row for row in rows_of(spoken.recipe, "labeled") if row.condition == "clean"]


def entry(row: Utterance, **others: object) -> dict[str, object]:
    values = {"id": row.id, "audio_filepath": row.audio, "offset": row.offset, "duration": row.duration}
    return {**values, "text": row.text, "speaker": row.speaker, "tags": dict(row.tags), **others}


@pytest.fixture(scope="module")
def manifest(clean: list[Utterance], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 utterances, one without a text and one whose audio is missing."""
    file = tmp_path_factory.mktemp("set") / "test.jsonl"
    rows = [entry(row) for row in clean[:24]]
    rows += [entry(clean[24], text=""), entry(clean[25], audio_filepath="/none/such.wav")]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_words_are_those_of_the_runs_own_features(spoken: Spoken) -> None:
    recipe, engine = spoken.recipe, spoken.engine
    described = engine.bundle.description
    decoder = Decoder(engine.graph, described.search.beam, described.search.max_active)
    scales = Scales(described.scoring.acoustic_scale, described.scoring.prior_scale)
    manifest, heard = (ShardStore(recipe.run, store) for store in (utterance.STORE, features.STORE))
    equal: list[bool] = []
    for shard in heard.shards("labeled"):  # a speaker begins anew in each
        said = [row for slab in manifest.read_slabs(shard) for row in utterance.decode(slab)]
        clean = [row for row in said if row.condition == "clean"]
        found = recognise_set(engine, clean, "bundle")
        assert found.rejects == ()
        for slab in heard.read_slabs(shard):
            for row in features.decode(slab, recipe.frontend.mel_bins):
                if row.id in found.words:
                    frames = stack(row.frames).astype("float32")
                    scores = scores_of(engine.network, frames, engine.senones.log_priors, scales)
                    equal.append(decoder.decode(scores) == list(found.words[row.id]))
    assert len(equal) > 100
    # The front end resamples whole utterances, a recogniser audio as it comes: some features are rounded otherwise.
    assert equal.count(False) <= len(equal) // 30


def test_a_bundle_is_scored_and_compared(
    spoken: Spoken, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["evaluate", str(spoken.folder), "--test", f"nemo:{manifest}"]
    assert main([*words, "-o", str(out)]) == OK
    said = capsys.readouterr()
    assert said.out.startswith("bundle ")
    assert "2 of 26 utterances were not scored" in said.err
    assert "the text is empty" in said.err
    assert "more; -o" not in said.err
    results = json.loads((out / "results.json").read_text())
    (row,) = results["rows"]
    assert (row["utterances"], results["unscored"]) == (24, 2)
    assert 0 < row["wer"] < 1
    assert row["low"] <= row["wer"] <= row["high"]
    assert len((out / "rejects.jsonl").read_text().splitlines()) == 2
    assert not (out / "compare.html").exists()

    assert main([*words, "--int8", "--against", str(out / "hypotheses" / "bundle.jsonl"), "-o", str(out)]) == OK
    said = capsys.readouterr()
    assert "WERR of" in said.out
    compared = json.loads((out / "results.json").read_text())
    assert compared["systems"] == ["bundle.jsonl", "bundle"]
    assert compared["rows"][0]["wer"] == row["wer"]
    assert abs(compared["werr"]["werr"]) < 0.2
    assert compared["significance"]["speakers"] == row["by_speaker"]["speakers"]
    assert "bundle.jsonl" in (out / "compare.html").read_text()


def test_rejects_that_are_not_told_are_counted(
    spoken: Spoken, clean: list[Utterance], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [entry(clean[0]), *(entry(row, text="") for row in clean[1:6])]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["evaluate", str(spoken.folder), "--test", f"nemo:{tmp_path}/test.jsonl"]
    assert main(words) == OK
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ssl-asr: ")]
    assert len(lines) == 4
    assert lines[-1] == "ssl-asr: 5 of 6 utterances were not scored: these and 2 more; -o DIR writes all reasons"
    assert main([*words, "-o", str(tmp_path / "test.jsonl")]) == FAILED
    assert "test.jsonl is a file; name a folder" in capsys.readouterr().err


def test_another_bundle_and_its_own_transcripts_compare_equal(
    spoken: Spoken, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(spoken.folder, tmp_path / "other")
    words = ["evaluate", str(spoken.folder), "--test", f"nemo:{manifest}", "--against", str(other)]
    assert main([*words, "-o", str(tmp_path / "out")]) == OK
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["systems"] == ["other", "bundle"]
    assert (results["werr"]["werr"], results["significance"]["p"]) == (0, 1)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["BUNDLE"], REFUSED, "is a bundle; say on which speech to score it: --test READER:PATH"),
        (["BUNDLE", "--test", "nemo:/none.jsonl"], FAILED, "nemo:/none.jsonl: there is no /none.jsonl"),
        (["BUNDLE", "--test", "open-speech"], FAILED, "'open-speech' names no transcribed speech; give one of kaldi"),
        (["BUNDLE", "--test", "open-speech"], FAILED, "common-voice, mls, nemo, lhotse, webdataset"),  # no folder
        (["BUNDLE", "--test", "nemo:SET", "student.epochs=3"], REFUSED, "'student.epochs=3' belongs to the stage"),
        (["RUN", "--test", "nemo:SET"], REFUSED, "is no bundle; --test scores what `ssl-asr export RUN -o BUNDLE`"),
        (["RUN", "--against", "BUNDLE"], REFUSED, "--against belongs to evaluating a bundle; add --test READER:PATH"),
        (["BUNDLE", "--test", "nemo:SET", "--against", "OTHER"], FAILED, "is of another set: 1 of its 1 utterances"),
        (
            ["BUNDLE", "--test", "nemo:NOTEXT"],
            FAILED,
            "has no utterance that can be scored; the first of 1: the text",
        ),
        (["--test", "nemo:SET"], REFUSED, "the bundle is missing"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    spoken: Spoken, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words, code, said
) -> None:
    (tmp_path / "other.txt").write_text("someone hello\n")
    row = json.loads(manifest.read_text().splitlines()[-2])
    (tmp_path / "notext.jsonl").write_text(json.dumps(row) + "\n")
    places = {"BUNDLE": spoken.folder, "RUN": spoken.recipe.run, "SET": manifest, "OTHER": tmp_path / "other.txt"}
    for name, place in {**places, "NOTEXT": tmp_path / "notext.jsonl"}.items():
        words = [word.replace(name, str(place)) for word in words]
    assert main(["evaluate", *words]) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ssl-asr: ")]
    assert len(lines) == 1
    assert said in lines[0]


def test_a_set_that_a_reader_lists_is_checked_as_a_test_split_is(manifest: Path) -> None:
    found = read_transcribed_set(f"nemo:{manifest}", A_TO_Z)
    assert len(found.utterances) == 24
    assert {reject.reason.split(";")[0][:17] for reject in found.rejects} == {
        "the text is empty",
        "/none/such.wav: t",
    }

from pathlib import Path

import pytest

from jobs.bench.corpus_lists import FORMS, write_audio
from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.readers.registry import read_listed
from ssl_asr.recipe import Corpus


@pytest.mark.parametrize("name", FORMS)
def test_each_form_lists_the_same_speech(tmp_path: Path, name: str) -> None:
    form = FORMS[name]
    form.write(tmp_path / "lists", 600, 3)
    reader, _, path = form.source(str(tmp_path / "lists")).partition(":")
    found = read_listed(reader, path, texts=False)
    assert found.rejects == ()
    assert len({each.id for each in found.utterances}) == 600
    assert {each.speaker for each in found.utterances} == {"s0000000", "s0000001", "s0000002"}
    assert all(4 <= each.duration <= 16 for each in found.utterances)
    assert form.read_alone(tmp_path / "lists") > 0


def test_every_file_that_is_opened_can_be_used(tmp_path: Path) -> None:
    listed = read_listed("nemo", str(write_audio(tmp_path / "audio", 5)), texts=False)
    found = checked(listed, "unlabeled", Corpus())
    assert [each.duration for each in found.utterances] == [4.0] * 5

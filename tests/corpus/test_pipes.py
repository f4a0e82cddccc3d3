from __future__ import annotations

import time

import pytest

from ssl_asr.corpus.pipes import as_pipe, files_named, is_pipe, output_of


def test_a_command_runs_in_its_folder(tmp_path) -> None:
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    (folder / "x").write_bytes(b"\x00\xff")
    audio = as_pipe("cat x | cat", str(folder))
    assert is_pipe(audio)
    assert output_of(audio) == b"\x00\xff"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo one >&2; echo two >&2; exit 3", r"status 3 \(two\)"),
        ("exit 1", r"status 1 \(it said nothing\)"),
        ("cat /dev/zero", "wrote over 100 bytes"),
        ("cat /dev/zero >/dev/null", "took over 0.5 s"),
        ("exec >&-; sleep 60", "took over 0.5 s"),
        ("sleep 60 | cat", "took over 0.5 s"),
    ],
)
def test_a_command_that_fails_or_does_not_end(command: str, said: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ValueError, match=said):
        output_of(f"pipe:{command}", most_bytes=100, most_seconds=0.5)
    assert time.monotonic() - begun < 30


def test_a_command_gets_no_input() -> None:
    assert output_of("pipe:cat; echo end") == b"end\n"


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("sph2pipe -f wav -p /data/a.sph | sox - -t wav - remix 1", ["/data/a.sph"]),
        ("cat 'an a.wav'|cat", ["/it's/an a.wav"]),
        ("ffmpeg -i b.mp3 -f wav - <c.txt", ["/it's/b.mp3", "/it's/c.txt"]),
        ("cat 'a", []),
        ("cat '' a.wav |", ["/it's/a.wav"]),
    ],
)
def test_files_that_a_command_may_read_are_among_its_words(command: str, files: list[str]) -> None:
    named = files_named(as_pipe(command, "/it's"))
    assert [file for file in named if "." in file] == files

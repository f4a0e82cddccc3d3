"""Files of words are cut at any line, and are read as if they were whole."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssl_asr.corpus.pieces import Piece
from ssl_asr.hypotheses.outside import reading
from ssl_asr.hypotheses.outside.reading import read_piece
from ssl_asr.store.patterns import FoundFile
from tests.hypotheses.outside.written import read_outside

PLAIN = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.lists(st.text("abäz%/世 ", min_size=1, max_size=6).filter(str.strip), unique=True, min_size=1, max_size=12)
TEXTS = st.lists(st.sampled_from(["a", "cat", "Zwölf", '"{', "[x", "cats\u2028sat"]), max_size=5)


@PLAIN
@given(NAMES, st.data())
def test_json_objects_are_cut_between_each_other(tmp_path: Path, names: list[str], data: st.DataObject) -> None:
    """On a line each, or on many."""
    said = {name: " ".join(data.draw(TEXTS)) for name in names}
    indents = [data.draw(st.sampled_from([None, 1, 4])) for _ in said]
    ends = data.draw(st.sampled_from(["\n", "\n\n", "\r\n"]))
    entries = [{"name": name, "text": text, "segments": [{"words": []}]} for name, text in said.items()]
    file = tmp_path / "words.jsonl"
    texts = [json.dumps(each, indent=i, ensure_ascii=False) for each, i in zip(entries, indents, strict=True)]
    file.write_bytes("".join(text + ends for text in texts).encode())
    found = read_outside(f"jsonl:{file}", size=data.draw(st.integers(2, 200)))
    assert {name: [each.word for each in words] for name, words in found.items()} == {
        name: text.split() for name, text in said.items()
    }
    assert list(found) == list(said)


@PLAIN
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 30)), max_size=40), st.integers(8, 300))
def test_lines_of_an_utterance_may_lie_in_several_pieces(
    tmp_path: Path, lines: list[tuple[str, int]], size: int
) -> None:
    """In the order of their starts, and of the lines where starts are equal."""
    file = tmp_path / "words.ctm"
    told = [f"{name} 1 {start / 10} 0.1 w{place} 0.5\n" for place, (name, start) in enumerate(lines)]
    file.write_text(";; made up\n" + "".join(told))
    wanted = {
        name: [f"w{place}" for _, place in sorted((s, place) for place, (n, s) in enumerate(lines) if n == name)]
        for name, _ in lines
    }
    found = read_outside(f"ctm:{file}", size=size)
    assert {name: [each.word for each in words] for name, words in found.items()} == wanted
    assert found == read_outside(f"ctm:{file}")


def test_a_list_and_gzip_are_read_whole(tmp_path: Path) -> None:
    entries = [{"id": f"u{n}", "hypothesis": "a cat"} for n in range(9)]
    lines, listed = "".join(json.dumps(each) + "\n" for each in entries), json.dumps(entries, indent=0)
    whole = tmp_path / "whole.jsonl"
    whole.write_text(lines)
    (tmp_path / "listed.json").write_text(listed)
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    read = [read_outside(f"jsonl:{tmp_path}/{name}", size=50) for name in ("listed.json", "packed.jsonl.gz")]
    assert read == 2 * [read_outside(f"jsonl:{whole}")]


def test_a_list_that_is_too_large_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "listed.json").write_text(json.dumps([{"id": "a", "hypothesis": "b"}]))
    monkeypatch.setattr(reading, "_MOST_WHOLE", 20)
    with pytest.raises(ValueError, match=r"is a JSON list of .* one object a line: jq -c '\.\[\]' .*listed\.json"):
        read_outside(f"jsonl:{tmp_path}/listed.json", size=10)


@pytest.mark.parametrize(
    ("kind", "broken", "says"),
    [
        ("jsonl", '{"id": "b", "hypothesis": ', r"words after byte \d+, line 1 is neither JSON nor lines of JSON"),
        ("jsonl", '{"id": "b"}', r"words after byte \d+, line 1: an entry lacks `id`"),
        ("ctm", "b 1 x 0.1 a", r"words after byte \d+, line 1: 'b 1 x 0\.1 a' is not `id channel start"),
        ("ctm", "b 1 0.1 0.1 a 7", r"words after byte \d+, line 1: 'b 1 0\.1 0\.1 a 7' has a time or a confidence"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, kind: str, broken: str, says: str) -> None:
    good = {"jsonl": '{"id": "a", "hypothesis": "a cat"}', "ctm": "a 1 0.1 0.1 cat"}[kind]
    (tmp_path / "words").write_text(f"{good}\n{broken}\n{good}")
    with pytest.raises(ValueError, match=says):
        read_outside(f"{kind}:{tmp_path}/words", size=len(good) - 2)


def test_utterances_of_two_files_are_told(tmp_path: Path) -> None:
    """Lines of a CTM belong together only within a file."""
    for kind, line in (("ctm", "rec 1 0.1 0.1 a\n"), ("jsonl", '{"id": "rec", "hypothesis": "a"}\n')):
        for name in ("one", "two"):
            (tmp_path / f"{name}.{kind}").write_text(line)
        with pytest.raises(ValueError, match=rf"two\.{kind} has 'rec', which is in .*one\.{kind} too; keep one"):
            read_outside(f"{kind}:{tmp_path}/*.{kind}")
    (tmp_path / "one.ctm").write_text("rec 1 0.1 0.1 a\nrec 2 0.1 0.1 a\n")
    with pytest.raises(ValueError, match=r"one\.ctm has two channels of 'rec'; give each an id of its own"):
        read_outside(f"ctm:{tmp_path}/one.ctm")


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.ctm").write_bytes("rec 1 0.1 0.1 für\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.ctm line 1 is not UTF-8"):
        read_outside(f"ctm:{tmp_path}/latin.ctm")
    (tmp_path / "half.jsonl").write_text('{"id": "a", "hypothesis": "\\ud800"}')
    with pytest.raises(ValueError, match=r"half\.jsonl has half of a surrogate pair"):
        read_outside(f"jsonl:{tmp_path}/half.jsonl")
    gone = FoundFile(f"{tmp_path}/gone", 9, 0)
    with pytest.raises(ValueError, match=r"gone can't be read .*; see whether it is there"):
        read_piece("ctm", Piece(gone.uri, 0, 9, gone.stamp), is_whole=True)

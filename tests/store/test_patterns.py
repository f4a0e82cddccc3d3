from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.store import filesystem
from ssl_asr.store.braces import MOST_NAMES, in_full
from ssl_asr.store.patterns import (
    FoundFile,
    escaped,
    is_hidden,
    is_pattern,
    matching,
    matching_files,
    matching_paths,
    root_of,
)


def test_patterns(tmp_path):
    for name in ("one/part-1.jsonl", "one/part-2.jsonl", "one/two/part-3.jsonl", "one/part.txt", "[x].jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    for root in (str(tmp_path), f"file://{tmp_path}"):
        for pattern, wanted in (
            ("one/part-*.jsonl", ["part-1.jsonl", "part-2.jsonl"]),
            ("one/**/part-?.jsonl", ["part-1.jsonl", "part-2.jsonl", "part-3.jsonl"]),
            ("one/part-[2-9].jsonl", ["part-2.jsonl"]),
            ("one/part-[!2].jsonl", ["part-1.jsonl"]),
            ("*.jsonl", ["[x].jsonl"]),
            ("**/p*-?.*", ["part-1.jsonl", "part-2.jsonl", "part-3.jsonl"]),
        ):
            assert [Path(file.uri).name for file in matching_files(f"{root}/{pattern}")] == wanted
        assert matching_files(f"{root}/none-*") == []
    assert [file.size for file in matching_files(str(tmp_path / "[x].jsonl"))] == [2]


def test_braces_stand_for_numbers_and_words(tmp_path):
    assert in_full("part-{008..011}.tar") == [f"part-{each}.tar" for each in ("008", "009", "010", "011")]
    assert in_full("{2..0}") == ["2", "1", "0"]
    assert in_full("{9..10}") == ["9", "10"]
    assert in_full("{a,b}/{1..2}") == ["a/1", "a/2", "b/1", "b/2"]
    for plain in ("part-{}.tar", "{a}", "{1..x}", "s3://bucket/{"):
        assert in_full(plain) == [plain]
    for name in ("part-00.tar", "part-01.tar", "part-{0..1}.txt", "b/part-00.tar", "b/part-01.tar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    for root in (str(tmp_path), f"file://{tmp_path}"):

        def names(pattern: str, root: str = root) -> list[str]:
            return [file.uri.removeprefix(f"{root}/") for file in matching_files(f"{root}/{pattern}")]

        assert names("part-{00..01}.tar") == ["part-00.tar", "part-01.tar"]
        assert names("part-{0..1}.txt") == ["part-{0..1}.txt"]  # a file that is there is no pattern
        assert names("{b/,}part-*{0,1}.tar") == [
            "b/part-00.tar",
            "b/part-01.tar",
            "part-00.tar",
            "part-01.tar",
        ]
        assert names("none-{0..9}.tar") == []
        with pytest.raises(ValueError, match=r"2 of its 4 files are not there, the first of them is .*/part-02\.tar"):
            names("part-{00..03}.tar")


def test_braces_that_stand_for_too_many_names_are_refused():
    assert len(in_full("{1..9999}")) == 9999 < MOST_NAMES
    for many in ("{0..999999999}", "{0..9999}-{0..9999}", f"{{1{'0' * 400}..2{'0' * 400}}}", "{0..999999}{a,b}"):
        with pytest.raises(ValueError, match=r"its braces stand for more than 1,000,000 names; write \* in"):
            in_full(f"part-{many}.tar")


def test_folders_by_braces_and_the_folder_above_the_signs(tmp_path):
    for name in ("2023", "2024", "x{a,b}", ".2025"):
        (tmp_path / name).mkdir()
    assert matching_paths(f"{tmp_path}/{{2023,2024}}") == [f"{tmp_path}/2023", f"{tmp_path}/2024"]
    assert matching_paths(f"{tmp_path}/x{{a,b}}") == [f"{tmp_path}/x{{a,b}}"]
    assert matching_paths(f"{tmp_path}/202{{3..4}}") == matching_paths(f"{tmp_path}/*[34]")
    with pytest.raises(ValueError, match=r"1 of its 3 files are not there, the first of them is .*/2025;"):
        matching_paths(f"{tmp_path}/{{2023..2025}}")
    assert [
        root_of(each) for each in ("s3://b/{1,2}/*.wav", "/d/a{0..1}.wav", "/*/a", "/a/b?/c", "/d/{x}/a.wav")
    ] == [*("s3://b", "/d", "", "/a", "/d/{x}")]


@pytest.mark.parametrize("name", ["v[12]", "v{1,2}", "v{0..1}", "v*", "v?", "v[{]1,2}"])
def test_a_name_with_signs_can_be_written_as_a_pattern(tmp_path, name):
    for folder in ("v1", "v2", "v0", "v", name):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.tar").touch()
    for root in (str(tmp_path), f"file://{tmp_path}"):
        assert not is_pattern(f"{root}/{name}")
        found = matching_files(f"{escaped(f'{root}/{name}')}/*.tar")
        assert [file.uri for file in found] == [f"{root}/{name}/a.tar"]
    assert is_pattern(f"{tmp_path}/w*")
    assert not is_pattern(f"{tmp_path}/w")


def test_signs_stand_for_no_name_that_begins_with_a_dot(tmp_path):
    for name in ("a.tar", "._a.tar", ".x/b.tar", "y/c.tar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for root in (str(tmp_path), f"file://{tmp_path}"):

        def names(pattern: str, root: str = root) -> list[str]:
            return [file.uri.removeprefix(f"{root}/") for file in matching_files(f"{root}/{pattern}")]

        assert names("*.tar") == ["a.tar"]
        assert names("**/*.tar") == ["a.tar", "y/c.tar"]
        assert names("._*.tar") == ["._a.tar"]
        assert names(".x/*.tar") == [".x/b.tar"]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("", ["."]),
        ("a.wav", ["a.wav"]),
        ("x", ["x"]),
        ("*", ["[y]", "a.wav", "x"]),
        ("[y]", ["[y]"]),
        ("[xz]", ["x"]),
        ("*/*", ["[y]/d.wav", "x/b.wav", "x/z"]),
        ("*/*.wav", ["[y]/d.wav", "x/b.wav"]),
        ("**/*.wav", ["[y]/d.wav", "a.wav", "x/b.wav", "x/z/c.wav"]),
        ("x/**", ["x/b.wav", "x/z/c.wav"]),
        ("{a.wav,x}", ["a.wav", "x"]),
        ("{x,[[]y]}/?.wav", ["[y]/d.wav", "x/b.wav"]),
        (".h/*", [".h/e.wav"]),
        ("nothing", []),
        ("nothing*", []),
    ],
)
def test_a_pattern_means_the_same_in_a_bucket(tmp_path, s3, pattern, wanted):
    bucket = s3.create_bucket("same")
    for name in ("a.wav", "x/b.wav", "x/z/c.wav", "x/z/._c.wav", "[y]/d.wav", ".h/e.wav", "x/.i/f.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"RIFF")
        filesystem.write_bytes(f"{bucket}/d/{name}", b"RIFF")
    for root in (str(tmp_path), f"{bucket}/d"):
        found = matching(f"{root}/{pattern}".rstrip("/"))
        assert [each.uri.removeprefix(root)[1:] or "." for each in found] == wanted
        assert [isinstance(each, FoundFile) for each in found] == [name.endswith(".wav") for name in wanted]
        if all(isinstance(each, FoundFile) for each in found):
            assert matching_files(f"{root}/{pattern}") == found


def test_what_is_hidden():
    assert [is_hidden(each) for each in ("a/b", ".a", "a/.b/c", "._a", "../a", "./a", "a/..", "a.b")] == [
        *(False, True, True, True, False, False, False, False)
    ]

"""Sizes and times of audio files, as they are and as they were."""

import os
from collections.abc import Iterable
from pathlib import Path

from ssl_asr.corpus.audio_versions import (
    AudioVersion,
    Versions,
    changed,
    read_versions,
    version_of,
    versions_of,
    write_versions,
)


def _touch(file: Path, size: int, time: int) -> str:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(bytes(size))
    os.utime(file, ns=(time, time))
    return str(file)


def _version(files: Iterable[str], versions: Versions) -> str:
    return version_of(files, [versions[file].version for file in files])


def test_a_file_of_another_size_or_time_is_another_version(tmp_path: Path) -> None:
    files = [_touch(tmp_path / folder / name, 10, 1000) for folder in "ab" for name in ("1.wav", "2.wav")]
    _touch(tmp_path / "a" / "none of ours", 10, 1000)
    absent = str(tmp_path / "c" / "absent.wav")
    (tmp_path / "link.wav").symlink_to(files[0])
    linked = str(tmp_path / "link.wav")
    first = versions_of([*files, absent, linked], {})
    assert first == {**dict.fromkeys([*files, linked], AudioVersion(10, 1000)), absent: AudioVersion(-1, -1)}
    assert changed(first, {}) == {}
    assert _version(first, first) == ""
    _touch(Path(files[1]), 11, 1000)
    _touch(Path(files[2]), 10, 1001)
    _touch(Path(absent), 5, 1000)
    Path(files[3]).unlink()
    second = versions_of(first, first)
    new = changed(second, first)
    assert new.keys() == {files[1], files[2], absent}
    assert len({*new.values()}) == 3
    assert second[files[3]] == first[files[3]]
    assert versions_of(second, second) == second
    assert _version([files[0]], second) == ""
    assert _version(files, second) != _version(files[:2], second) != ""


def test_a_linked_file_is_as_old_as_the_one_that_it_leads_to(tmp_path: Path) -> None:
    target = _touch(tmp_path / "there" / "1.wav", 10, 1000)
    (tmp_path / "1.wav").symlink_to(target)
    before = versions_of([str(tmp_path / "1.wav")], {})
    _touch(Path(target), 10, 2000)
    assert changed(versions_of(before, before), before).keys() == before.keys()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    versions = {"s3://b/é 1.wav": AudioVersion(1, 2, "abc"), "/a/2.wav": AudioVersion(-1, -1)}
    write_versions(str(tmp_path), "dev", "piece", versions)
    assert read_versions(str(tmp_path), "dev", "piece") == versions
    assert read_versions(str(tmp_path), "dev", "other") == {}

"""Tars as they are made, and damaged in every way: what is good is found, and what is lost is told."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.corpus.readers.tars import MOST_HEADER_BYTES, MOST_TEXT_BYTES, NO_END, NO_FILES, TarContent, read_tar

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
CONTENT = {"a.flac": b"A" * 700, "a.txt": b"text of a", "b/c.flac": b"C" * 40_000, "b/c.txt": b""}


def tar_of(content: Mapping[str, bytes], form: str = "gnu") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=FORMATS[form]) as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def read(file: Path, data: bytes) -> TarContent:
    file.write_bytes(data)
    return read_tar(str(file), lambda name: name.endswith(".txt"))


def found(content: TarContent, data: bytes) -> dict[str, bytes]:
    for member in content.members:
        assert (member.text is not None) == member.name.endswith(".txt")
        assert member.text in (None, data[member.begin : member.begin + member.size])
    return {member.name: data[member.begin : member.begin + member.size] for member in content.members}


@pytest.mark.parametrize("form", FORMATS)
def test_members_are_where_their_headers_say(tmp_path: Path, form: str) -> None:
    names = ["./plain.wav", "папка/ключ 1.flac", f"{'d' * 60}/{'n' * 80}.flac", "with: colon+1.txt"]
    content = {name: name.encode() * (30 * place + 1) for place, name in enumerate(names)}
    data = tar_of(content, form)
    tar = read(tmp_path / "a.tar", data)
    assert found(tar, data) == {name.removeprefix("./"): each for name, each in content.items()}
    assert (tar.rejects, tar.counts) == ((), {})


def test_what_the_tar_program_makes(tmp_path: Path) -> None:
    (tmp_path / "in" / "below").mkdir(parents=True)
    (tmp_path / "in" / "below" / "a.flac").write_bytes(b"A" * 9000)
    (tmp_path / "in" / "link.flac").symlink_to("below/a.flac")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "in", arcname=".")
    content = read_tar(str(tmp_path / "a.tar"))
    assert [member.name for member in content.members] == ["below/a.flac"]
    assert content.counts == {NO_FILES: 1}


def test_names_that_are_not_utf_8_and_texts_that_are_too_large_are_rejected(tmp_path: Path) -> None:
    content = {"caf\udce9.flac": b"abc", "long.txt": b"a" * (MOST_TEXT_BYTES + 1), "good.txt": b"yes"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    tar = read(tmp_path / "a.tar", buffer.getvalue())
    assert found(tar, buffer.getvalue()) == {"good.txt": b"yes"}
    assert [each.id for each in tar.rejects] == ["caf\\udce9.flac", "long.txt"]
    assert "its name is not UTF-8; rename it" in tar.rejects[0].reason
    assert "long.txt: it has over 1,048,576 bytes" in tar.rejects[1].reason


def test_an_empty_tar_has_nothing_and_an_empty_file_is_told(tmp_path: Path) -> None:
    assert read(tmp_path / "a.tar", tar_of({})) == TarContent((), (), {})
    (reject,) = read(tmp_path / "a.tar", b"").rejects
    assert (reject.id, reject.reason.partition("a.tar: ")[2]) == (
        "a.tar",
        "it is empty; what follows is not read, so fetch or make it again",
    )


def test_what_is_no_tar_is_refused_with_a_sentence(tmp_path: Path) -> None:
    for data, why in (
        (gzip.compress(tar_of(CONTENT)), r"a\.tar is compressed, .* decompress it: gunzip"),
        (b"<!DOCTYPE html>" * 100, r"a\.tar is not a tar file \(.*\); fetch it again or leave it out"),
        (b"short", r"a\.tar is not a tar file"),
    ):
        with pytest.raises(ValueError, match=why):
            read(tmp_path / "a.tar", data)
    with pytest.raises(ValueError, match=r"b\.tar: there is no such tar"):
        read_tar(str(tmp_path / "b.tar"))


def test_joined_tars_and_a_damaged_header_are_told(tmp_path: Path) -> None:
    one, two = tar_of({"a.flac": b"A"}), tar_of({"b.flac": b"B"})
    tar = read(tmp_path / "a.tar", one + two)
    assert list(found(tar, one)) == ["a.flac"]
    assert "other data follow its end at byte 1024, as where tars were joined" in tar.rejects[0].reason
    data = bytearray(tar_of(CONTENT))
    data[1536 + 3] ^= 1  # in the name of a.txt
    tar = read(tmp_path / "a.tar", bytes(data))
    assert list(found(tar, bytes(data))) == ["a.flac"]
    assert "the header at byte 1536 is damaged; what follows is not read" in tar.rejects[0].reason


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([*FORMATS]), st.integers(1, 1 << 16))
def test_a_tar_that_was_cut_has_its_first_members_and_the_loss_is_told(tmp_path_factory, form: str, cut: int) -> None:
    data = tar_of(CONTENT, form)
    data = data[: max(512, cut % len(data))]
    tar = read(tmp_path_factory.getbasetemp() / "cut.tar", data)
    members = found(tar, data)
    assert members == dict(list(CONTENT.items())[: len(members)])
    assert len(members) == len(CONTENT) or tar.rejects or NO_END in tar.counts
    if any(each.reason for each in tar.rejects):
        assert tar.rejects[0].id == "cut.tar"


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([*FORMATS]),
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 511), st.integers(1, 255)), max_size=6),
    st.booleans(),
)
def test_whatever_is_damaged_members_lie_in_the_file_and_nothing_else_is_raised(
    tmp_path_factory, form: str, damages: list[tuple[int, int, int]], is_sealed: bool
) -> None:
    content = {**CONTENT, "ü" * (40 if form == "ustar" else 120) + ".txt": b"long"}
    data = bytearray(tar_of(content, form))
    headers = [at for at in range(0, len(data), 512) if b"ustar" in data[at : at + 512]]
    for number, place, flip in damages:
        at = headers[number % len(headers)]
        data[at + place] ^= flip
        if is_sealed:  # with the checksum of what it holds now
            data[at + 148 : at + 156] = b"%06o\0 " % tarfile.calc_chksums(bytes(data[at : at + 512]))[0]
    tar, said = None, ""
    try:
        tar = read(tmp_path_factory.getbasetemp() / "damaged.tar", bytes(data))
    except ValueError as error:
        said = str(error)
    if tar is None:
        assert "is not a tar file" in said or "is compressed" in said
        return
    assert all(0 <= each.begin <= each.begin + each.size <= len(data) for each in tar.members)
    found(tar, bytes(data))


def long_name(size: int) -> bytes:
    """A header that says that the next member's name has so many bytes."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, size
    return member.tobuf(tarfile.GNU_FORMAT)


def test_headers_without_an_end_are_told(tmp_path: Path) -> None:
    good = tar_of({"a.flac": b"A"})[:1024]
    many = (long_name(5) + b"name\0".ljust(512, b"\0")) * 1000
    huge = long_name(MOST_HEADER_BYTES + 1) + bytes(2 * MOST_HEADER_BYTES)
    pax = tarfile.TarInfo("pax")
    pax.type, pax.size = tarfile.XHDTYPE, 8 << 30
    for first in (b"", good):
        for headers, said in (
            (many, f"a.tar: too many headers follow each other after byte {len(first)}, without a file"),
            (huge, f"a.tar: it is damaged after byte {len(first)} (a header of it claims 1,049,088 bytes)"),
            (pax.tobuf(tarfile.GNU_FORMAT), "(a header of it claims 8,589,934,592 bytes)"),
        ):
            tar = read(tmp_path / "a.tar", first + headers + bytes(1024))
            assert [member.name for member in tar.members] == ["a.flac"][: len(first)]
            (reject,) = tar.rejects
            assert said in reject.reason

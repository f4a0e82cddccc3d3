"""What a pipe holds that is neither WAV nor raw samples, by its first bytes; as raw samples it would become words."""

from __future__ import annotations

from ssl_asr.corpus.mp3 import begins_with_frames

HEAD_BYTES = 16
_AUDIO = {
    **{b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b".snd": "AU", b"FORM": "AIFF", b"RIFX": "big-endian WAV"},
    **{b"caff": "CAF", b"\x1aE\xdf\xa3": "Matroska", b"riff": "Wave64", b"NIST_1A": "NIST SPHERE"},
    **{b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "WMA", b"FLV\x01": "FLV", b"#!AMR": "AMR", b"wvpk": "WavPack"},
    **{b"MAC ": "Monkey's Audio", b"Creative Voice": "VOC"},
}
_NO_AUDIO = {
    **{b"%PDF": "PDF", b"PK\x03\x04": "a ZIP file", b"\x1f\x8b\x08": "gzipped", b"BZh": "compressed by bzip2"},
    **{
        b"\xfd7zXZ\0": "compressed by xz",
        b"\x28\xb5\x2f\xfd": "compressed by zstd",
        b"7z\xbc\xaf\x27\x1c": "a 7z file",
    },
    **{b"\x89PNG": "a PNG picture", b"\xff\xd8\xff": "a JPEG picture", b"GIF8": "a GIF picture", b"PAR1": "Parquet"},
    **{b"\x7fELF": "a program", b"<!DOCTYPE": "HTML", b"<!doctype": "HTML", b"<html": "HTML", b"<?xml": "XML"},
}
_MP4_BOXES = (b"ftyp", b"moov", b"mdat")


def other_format(head: bytes) -> str | None:
    """What is wrong with input that begins so, as part of a sentence; None if it may be WAV or raw samples.

    `head` has at least `HEAD_BYTES`, or all; of MP3 without tags it must hold two frames (`mp3.TWO_FRAMES_BYTES`).
    """
    audio = next((name for mark, name in _AUDIO.items() if head.startswith(mark)), None)
    if head[4:8] in _MP4_BOXES:
        audio = "MP4"
    elif begins_with_frames(head):
        audio = "MP3"
    elif head.startswith(b"RIFF") and head[8:12] in (b"AVI ", b"WEBP", b"RMID"):
        audio = f"RIFF of the kind {head[8:12].decode().strip()}"
    if audio is not None:
        return f"{audio}; only WAV and raw samples are read there; use `ffmpeg -i - -f wav -`"
    found = next((name for mark, name in _NO_AUDIO.items() if head.startswith(mark)), None)
    return None if found is None else f"{found}, and no audio; give WAV or raw samples"

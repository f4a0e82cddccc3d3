"""The commands are those of Kaldi's own recipes (egs/*/local)."""

from __future__ import annotations

import pytest

from ssl_asr.corpus.readers.kaldi_pipes import PlainPipe, plain_pipe


@pytest.mark.parametrize(
    ("command", "file", "channel"),
    [
        ("flac -c -d -s /data/84-121123-0000.flac ", "/data/84-121123-0000.flac", None),
        ("flac -cds x.flac", "x.flac", None),
        ("/usr/bin/flac --decode --stdout x.flac", "x.flac", None),
        ("cat x.wav", "x.wav", None),
        ("sox x.mp3 -t wav -", "x.mp3", None),
        ("sox -t wav x.wav -b 16 -e signed-integer -t wav -", "x.wav", None),
        ("sox 'a file.flac' -t wav - remix 2", "a file.flac", 1),
        ("ffmpeg -i x.m4a -f wav -", "x.m4a", None),
        ("ffmpeg -nostdin -loglevel warning -i x.mp3 -acodec pcm_s16le -f wav pipe:1", "x.mp3", None),
        ("sph2pipe -f wav -p -c 2 /data/sw02001.sph ", "/data/sw02001.sph", 1),
        ("/kaldi/tools/sph2pipe_v2.5/sph2pipe -f wav x.wv1", "x.wv1", None),
    ],
)
def test_commands_that_decode_one_file(command: str, file: str, channel: int | None) -> None:
    plain = plain_pipe(command)
    assert plain == PlainPipe(command.split()[0].rpartition("/")[2], file, channel)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "flac x.flac",
        "flac -c -d --skip=0:10 x.flac",
        "flac -c -d x.flac y.flac",
        "flac -c x.wav",
        "cat a.wav b.wav",
        "cat -v a.wav",
        "cat a.wav | sox - -t wav -",
        "cat a.wav; rm b.wav",
        "cat $HOME/a.wav",
        "cat 'a.wav",
        "LC_ALL=C cat a.wav",
        "sox x.wav -r 16000 -t wav -",
        "sox x.wav -c 1 -t wav -",
        "sox x.wav -b 8 -t wav -",
        "sox -t raw x.raw -t wav -",
        "sox -v 0.9 x.wav -t wav -",
        "sox x.wav -t flac -",
        "sox x.wav -",
        "sox x.wav -t wav - speed 1.1",
        "sox x.wav -t wav - remix 1,2",
        "sox x.wav -t wav - remix -",
        "sox x.wav -t wav - remix 1 gain -3",
        "sox x.wav -t wav - trim 0 1",
        "sox x.wav y.wav -t wav -",
        "ffmpeg -i x.mp3 -f wav -ar 16000 -",
        "ffmpeg -i x.mp3 -f wav -ac 1 -",
        "ffmpeg -ss 3 -i x.mp3 -f wav -",
        "ffmpeg -i x.mp3 -af volume=2 -f wav -",
        "ffmpeg -i x.mp3 -i y.mp3 -f wav -",
        "ffmpeg -i http://x/y.mp3 -f wav -",
        "ffmpeg -f wav -i x.wav -",
        "ffmpeg -i x.mp3 -f wav",
        "sph2pipe x.sph",
        "sph2pipe -f wav -t 0:10 x.sph",
        "sph2pipe -f raw x.sph",
        "sph2pipe -f wav -c 3 x.sph",
        "sph2pipe -f wav",
        "wav-reverberate --impulse-response=rir.wav x.wav -",
    ],
)
def test_commands_that_do_anything_else(command: str) -> None:
    assert plain_pipe(command) is None

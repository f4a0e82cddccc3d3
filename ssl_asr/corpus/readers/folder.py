"""Reads audio that has no transcripts and no list: a folder, also of a bucket, or a pattern.

    folder:/data/talks                  every audio file below it, through links to folders too
    folder:/data/*/audio/*.mp3          files by a pattern; ** stands for any folders
    folder:s3://bucket/talks            every audio file of this folder of a bucket, not those of talks-2

A file is audio by its ending, upper or lower case. Files and folders whose names begin with a dot are left out.
"""

from __future__ import annotations

import math

from ssl_asr.corpus.folders import split_ending
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.trees import check_name, files_of
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance


def read_folder(piece: Piece, channel: int = 0) -> Reading:
    """Every file is an utterance, called by its path below the folder, without its ending.

    Below the folder that is named, or that part of a pattern which has no signs. Of two files with one such name, as
    talk.wav and talk.mp3, the second is rejected later. Who speaks is not known, so each file counts as a speaker.
    """
    utterances, rejects = list[Utterance](), list[Reject]()
    for name, uri in files_of(piece):
        try:
            check_name(uri)
        except ValueError as error:
            rejects.append(Reject(ascii(name), str(error)))
            continue
        called = split_ending(name)[0]
        utterances.append(Utterance(called, uri, called, order=0, duration=math.inf, channel=channel))
    return Reading(tuple(utterances), tuple(rejects))

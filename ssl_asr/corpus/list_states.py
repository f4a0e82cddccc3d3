"""What shows that a file that lists a corpus is another."""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.store import filesystem
from ssl_asr.store.ledger import checksum
from ssl_asr.store.patterns import FoundFile

# Lists of up to so many bytes are compared by content, larger ones by size and time of the last write.
MOST_COMPARED = 64 << 20


def states_of(files: Sequence[FoundFile]) -> list[str]:
    """Of the files of one corpus: of each its checksum, or its stamp where together they are large."""
    if sum(file.size for file in files) > MOST_COMPARED:
        return [file.stamp for file in files]
    return [checksum(filesystem.read_bytes(file.uri)) for file in files]

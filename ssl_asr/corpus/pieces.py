"""A corpus's lists cut into pieces: what one task reads. Cut by files and bytes, never by the number of workers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ssl_asr.corpus.listed_files import ListedFiles
from ssl_asr.recipe.identity import digest
from ssl_asr.store import filesystem
from ssl_asr.store.patterns import FoundFile

# A piece of a list of 200 bytes a line has 160,000 utterances: seconds of work, and a few hundred megabytes.
PIECE_BYTES = 32 << 20
# A gzipped list is one piece: of about eight times as many bytes, and of 10 GB as utterances in memory.
MOST_PACKED_BYTES = 128 << 20
PACKED_RATIO = 8
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Piece:
    """The lines of a file that begin in its bytes [begin, end); `state` is another where the file is.

    Of a file that holds audio too, so many bytes as `bytes_a_listed_byte` count as one of a list. `files` are those
    that were found for the piece, where its reader would have to look for them.
    """

    uri: str
    begin: int
    end: int
    state: str
    bytes_a_listed_byte: float = 1
    files: ListedFiles | None = None

    @property
    def listed_bytes(self) -> int:
        """About the size of a list of what the piece holds, unpacked."""
        listed = math.ceil((self.end - self.begin) / self.bytes_a_listed_byte)
        return PACKED_RATIO * listed if self.uri.endswith(".gz") else listed

    @property
    def name(self) -> str:
        """The same whatever other pieces there are."""
        return digest([self.uri, str(self.begin)])

    def inputs(self) -> dict[str, str]:
        return {"file": self.uri, "bytes": f"{self.begin}-{self.end}", "state": self.state}


def pieces(
    files: Iterable[FoundFile],
    *,
    by_lines: bool,
    state: Callable[[FoundFile], str] = lambda file: file.stamp,
    size: int = PIECE_BYTES,
) -> list[Piece]:
    """`files` in their order, each in pieces of about `size` bytes; gzipped files and those not `by_lines` whole.

    ValueError naming a gzipped file that is too large to be read as a whole.
    """
    found = []
    for file in files:
        step = size if by_lines and not is_packed(file, size) else max(file.size, 1)
        found += [Piece(file.uri, begin, end, state(file)) for begin, end in parts_of(file.size, step)]
    return found


def parts_of(size: int, step: int) -> list[tuple[int, int]]:
    """The bytes of a file in parts of about `step`: where each begins and ends.

    A file that grows keeps the edges that it has. The last part takes what is less than half a step.
    """
    return [*itertools.pairwise([*range(0, max(size - step // 2, 1), step), size])]


def is_packed(file: FoundFile, size: int) -> bool:
    """Whether a file above `size` is gzipped; ValueError where it is too large for that.

    A smaller file is one piece in any case, so nothing is asked.
    """
    if file.size <= size or filesystem.read_bytes(file.uri, 2) != _GZIP:
        return False
    if file.size > MOST_PACKED_BYTES:
        raise ValueError(
            f"{file.uri} is one gzip file of {file.size / 1e6:,.0f} MB, which can't be read in parts; unpack it, or "
            f"split it into files of at most {MOST_PACKED_BYTES / 1e6:.0f} MB and give them as a pattern"
        )
    return True

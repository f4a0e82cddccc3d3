import io

import numpy as np
import pytest

from ssl_asr.corpus.paged_file import PAGE_BYTES, PagedFile


class Counted(io.BytesIO):
    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        return super().read(size)


def test_reads_like_the_file_itself() -> None:
    rng = np.random.default_rng(0)
    data = rng.bytes(3 * PAGE_BYTES + 12345)
    paged, plain = PagedFile(io.BytesIO(data), len(data)), io.BytesIO(data)
    for _ in range(300):
        whence = int(rng.integers(3))
        offset = int(rng.integers(len(data))) * (-1 if whence == io.SEEK_END else 1) // (3 if whence == 1 else 1)
        assert paged.seek(offset, whence) == plain.seek(offset, whence)
        size = int(rng.integers(2 * PAGE_BYTES)) if rng.random() < 0.2 else int(rng.integers(5000))
        buffer = bytearray(size)
        count = paged.readinto(buffer)
        assert buffer[:count] == plain.read(size)
        assert paged.tell() == plain.tell()
        assert paged.read(size) == plain.read(size)


def test_a_small_file_is_one_request_and_the_first_page_is_kept() -> None:
    small = Counted(bytes(PAGE_BYTES))
    file = PagedFile(small, PAGE_BYTES)
    for place in (0, PAGE_BYTES - 128, 10, PAGE_BYTES // 2):
        file.seek(place)
        file.read(128)
    assert small.reads == 1
    large = Counted(bytes(4 * PAGE_BYTES))
    file = PagedFile(large, 4 * PAGE_BYTES)
    for place in (0, 4 * PAGE_BYTES - 128, 0):  # a header, a tag at the end, the samples
        file.seek(place)
        file.read(100)
    assert large.reads == 2


@pytest.mark.parametrize("begin", range(6))
@pytest.mark.parametrize("size", range(1, 8))
def test_mended_bytes_are_read_in_whatever_pieces(begin: int, size: int) -> None:
    file = PagedFile(io.BytesIO(b"0123456789"), 10)
    file.mend((3, b"abc"))
    file.seek(begin)
    assert file.read(size) == b"012abc6789"[begin : begin + size]

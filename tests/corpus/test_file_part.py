from __future__ import annotations

import io
from pathlib import Path

import pyarrow.fs as pafs
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.corpus.file_part import FilePart


@settings(deadline=None)
@given(
    st.binary(max_size=300),
    st.integers(0, 300),
    st.integers(0, 300),
    st.lists(
        st.tuples(st.integers(0, 350), st.sampled_from([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END]), st.integers(0, 99))
    ),
)
def test_a_part_reads_as_a_file_of_its_bytes(tmp_path_factory, data: bytes, begin: int, size: int, steps) -> None:
    file: Path = tmp_path_factory.getbasetemp() / "part.bin"
    file.write_bytes(data)
    begin = min(begin, len(data))
    size = min(size, len(data) - begin)
    same = io.BytesIO(data[begin : begin + size])
    stream = pafs.LocalFileSystem().open_input_file(str(file))
    with FilePart(stream, begin, size) as part:
        assert part.size() == size
        for offset, whence, count in steps:
            assert part.seek(offset, whence) == same.seek(offset, whence)
            assert part.read(count) == same.read(count)
    assert stream.closed

"""Alignments, columns and weights: what is written comes back, and damage is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from ssl_asr.store import alignments
from ssl_asr.store.alignments import Confidence
from ssl_asr.store.arrays import from_column, to_column
from ssl_asr.store.weights import read_weights, write_weights


def test_alignments_keep_rows_that_failed() -> None:
    senones = [np.array([0, 65535, 3], np.int64), np.zeros(0, np.int64)]
    decoded = alignments.decode(alignments.encode(["a", "b"], senones))
    assert decoded["a"].tolist() == [0, 65535, 3]
    assert decoded["b"].tolist() == []


def test_confidences_come_back_row_by_row() -> None:
    said = [Confidence(1.5, 0.75, 0.5), Confidence(), Confidence(-2.0, 0.0, 0.0)]
    table = alignments.encode(["a", "b", "c"], [np.zeros(3, np.int64)] * 3, said)
    assert alignments.decode_confidences(table) == said
    assert alignments.decode_confidences(alignments.encode(["a"], [np.zeros(3, np.int64)])) == [Confidence()]


def test_columns_in_several_chunks_and_slices_decode_alike() -> None:
    arrays = [np.arange(6, dtype=np.float16).reshape(3, 2) * index for index in range(5)]
    column = pa.chunked_array([to_column(arrays[:2]), to_column(arrays[2:])]).slice(1, 3)
    for decoded, array in zip(from_column(column, np.float16, 2), arrays[1:4], strict=True):
        np.testing.assert_array_equal(decoded, array)


def test_an_empty_column_decodes_to_nothing() -> None:
    assert from_column(to_column([]), np.float16, 64) == []
    assert from_column(pa.chunked_array([], pa.large_binary()), np.float16, 64) == []


def test_weights_come_back_with_their_description(tmp_path: Path) -> None:
    uri = str(tmp_path / "model.safetensors")
    tensors = {"w": torch.arange(6.0).reshape(2, 3).t(), "n": torch.tensor(3)}
    first = write_weights(uri, tensors, {"spec": {"layers": 2}})
    back, about = read_weights(uri)
    assert about == {"spec": {"layers": 2}}
    assert torch.equal(back["w"], tensors["w"])
    assert write_weights(uri, tensors, {"spec": {"layers": 2}}) == first


@pytest.mark.parametrize("size", [0, 4, 20, 100])
def test_damaged_weights_are_refused_by_name(tmp_path: Path, size: int) -> None:
    path = tmp_path / "model.safetensors"
    write_weights(str(path), {"w": torch.zeros(100)}, {})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"model\.safetensors is not a whole weights file"):
        read_weights(str(path))


def test_weights_of_others_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "theirs.safetensors"
    save_file({"w": torch.zeros(2)}, str(path))
    with pytest.raises(ValueError, match="not a whole weights file of ssl_asr"):
        read_weights(str(path))

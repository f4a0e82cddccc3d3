"""Features at 2 bits: a bounded error at every level, the same bytes and values everywhere, damage refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.recipe import load_recipe
from ssl_asr.store import cosine_codec, features
from ssl_asr.store.cosine_transform import BLOCK_FRAMES, MAX_BINS, MAX_VALUE
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore

Frames = npt.NDArray[np.floating]
GENERATOR = np.random.default_rng(0)


def table_of(utterances: list[Frames], step: float = cosine_codec.STEP) -> pa.Table:
    rows = [FeatureRow(str(place), "s", "clean", frames) for place, frames in enumerate(utterances)]
    return features.encode(rows, 2, step)


def through(utterances: list[Frames], bins: int, step: float = cosine_codec.STEP) -> list[Frames]:
    return [row.frames for row in features.decode(table_of(utterances, step), bins)]


def assert_bounded(frames: Frames, back: Frames, step: float) -> None:
    """What docs/formats.md promises of each block: its root mean square error, and the bound that follows from it."""
    assert back.shape == frames.shape
    assert back.dtype == np.float16
    gaps = back.astype(np.float64) - frames
    size = BLOCK_FRAMES * frames.shape[1]
    for begin in range(0, len(frames), BLOCK_FRAMES):
        largest = np.abs(frames[begin : begin + BLOCK_FRAMES]).max()
        bound = 0.6 * step + 0.002 * largest  # 2^-11 by half precision, the rest by the rounded bases
        assert np.square(gaps[begin : begin + BLOCK_FRAMES]).sum() <= bound**2 * size


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=5),
    bins=st.sampled_from([1, 3, 40, 64, 80]),
    deviation=st.sampled_from([0.0, 0.01, 1.0, 8.0]),
    level=st.integers(-60, 60),
    step=st.sampled_from([0.25, 1.0, 3.0]),
    seed=st.integers(0, 9),
)
def test_the_error_is_bounded_at_any_length_and_level(
    lengths: list[int], bins: int, deviation: float, level: int, step: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    utterances = [generator.normal(level, deviation, (length, bins)).astype(np.float16) for length in lengths]
    for frames, back in zip(utterances, through(utterances, bins, step), strict=True):
        assert_bounded(frames, back, step)


@pytest.mark.parametrize("bins", [1, 64, MAX_BINS])
def test_the_largest_values_come_back(bins: int) -> None:
    """Codes beyond a byte: constants, checkerboards and steps between the limits."""
    constant = np.full((20, bins), MAX_VALUE, np.float16)
    checks = constant * (-1) ** np.add.outer(np.arange(20), np.arange(bins))
    falls = np.where(np.arange(20)[:, None] < 11, constant, -constant)
    utterances = [constant, -constant, checks, falls]
    table = table_of(utterances)
    assert len(b"".join(table["huge"].to_pylist()))
    for frames, row in zip(utterances, features.decode(table, bins), strict=True):
        assert_bounded(frames, row.frames, cosine_codec.STEP)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, MAX_VALUE + 1.0])
def test_what_is_no_log_energy_is_refused(value: float) -> None:
    frames = np.zeros((9, 64), np.float16)
    frames[8, 3] = value
    with pytest.raises(ValueError, match="not finite or beyond 128 nats"):
        table_of([frames])


def test_a_step_that_codes_cannot_count_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a step of 0\.01 is too small"):
        table_of([np.full((8, 64), 100.0)], 0.01)


def test_more_bins_than_sums_can_hold_are_refused() -> None:
    wide = MAX_BINS + 1
    with pytest.raises(ValueError, match="only up to 256 bins"):
        table_of([np.zeros((8, wide))])
    with pytest.raises(ValueError, match=r"up to 256 frontend\.mel_bins"):
        load_recipe("demo", ["frontend.feature_bits=2", f"frontend.mel_bins={wide}"])
    assert load_recipe("demo", ["frontend.feature_bits=2", f"frontend.mel_bins={MAX_BINS}"])


def test_these_bytes_are_these_values() -> None:
    """They must be so in all versions to come: values are read with whatever version and machine there is."""
    frames = np.array([[0, 1, -2], [3, 4, -25], [100, -100, 5], [6, 7, 8], [9, 9, 9.5]], np.float16)
    table = table_of([frames, frames[:0], frames[:1] / 2], 1.0)
    stored = {name: [data.hex() for data in table[name].to_pylist()] for name in cosine_codec.BYTES}
    assert {name: data for name, data in stored.items() if any(data)} == GOLDEN_BYTES
    assert table["step"].to_pylist() == [1.0] * 3
    back = [row.frames for row in features.decode(table, 3)]
    assert [values.astype(">f2").tobytes().hex() for values in back] == GOLDEN_VALUES


GOLDEN_BYTES = {
    "codes_0": ["ff", "", "c2"],
    "codes_4": ["ff", "", "00"],
    "codes_5": ["ff", "", "0c"],
    "codes_6": ["ffffff", "", "000000"],
    "large_0": ["18e9f81e", "", "02"],
    "large_4": ["031c07f8", "", ""],
    "large_5": ["0527de04", "", "fe"],
    "large_6": ["1ce102e5fdc416d817123f37", "", ""],
}
GOLDEN_VALUES = ["ad053c54bee941c644abce51563ad63a44ea460146e647ba486e488548cc", "", "1f5f35f9bbf1"]


def test_the_documented_reader_hears_the_same(tmp_path: Path) -> None:
    """The code in docs/formats.md, which knows nothing of the package."""
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "codes_{group}" in block)
    for bins, level in ((64, 30), (40, 0), (3, -100)):
        table = table_of([GENERATOR.normal(level, 3, (45, bins)).astype(np.float16)])
        file = tmp_path / f"{bins}.parquet"
        pq.write_table(table.replace_schema_metadata({"mel_bins": str(bins)}), file)
        names: dict[str, object] = {}
        exec(re.sub(r'"runs/.*?parquet"', repr(str(file)), code), names)
        np.testing.assert_array_equal(names["frames"], features.decode(table, bins)[0].frames)


def test_an_utterance_has_the_same_bytes_and_values_alone_and_among_others() -> None:
    utterances = [GENERATOR.normal(0, 3, (length, 64)).astype(np.float16) for length in (30, 0, 7, 2100, 8)]
    together = table_of(utterances)
    alone = [table_of([frames]) for frames in utterances]
    for name in cosine_codec.BYTES:
        assert together[name].to_pylist() == [data for table in alone for data in table[name].to_pylist()]
    heard = [row.frames for row in features.decode(together, 64)]
    # Rows of several slabs, and some of a slab's, are tables of chunks and with offsets.
    several = [row.frames for row in features.decode(pa.concat_tables(alone), 64)]
    part = [row.frames for row in features.decode(together.slice(2, 2), 64)]
    for expected, found in zip(heard + heard[2:4], several + part, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert features.decode(together.slice(0, 0), 64) == []
    assert features.encode([], 2).num_rows == 0


def test_frames_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        through([np.zeros((8, 64))], 64)[0][0, 0] = 1


def replaced(table: pa.Table, name: str, row: int, value: object) -> pa.Table:
    values = table[name].to_pylist()
    values[row] = value
    return table.set_column(table.column_names.index(name), name, pa.array(values, table.schema.field(name).type))


@pytest.mark.parametrize("name", ["num_frames", "step", *cosine_codec.BYTES])
def test_damage_is_refused_in_one_sentence(name: str) -> None:
    frames = GENERATOR.normal(0, 3, (30, 64)) + 20  # levels above a byte's
    table = table_of([frames, frames])
    if name in cosine_codec.BYTES:
        data = table[name].to_pylist()[1]
        wrong: list[object] = [data[:-1], data + b"\0", b""]
    else:
        wrong = [-1, 17, 2**31 - 1] if name == "num_frames" else [0.0, -1.0, float("nan"), float("inf")]
    for value in wrong:
        with pytest.raises(ValueError, match="columns of features do not fit together"):
            features.decode(replaced(table, name, 1, value), 64)
    with pytest.raises(ValueError, match="columns of features do not fit together"):
        features.decode(table, 63)


def test_bytes_that_moved_to_the_next_row_are_found() -> None:
    frames = GENERATOR.normal(0, 3, (30, 64))
    table = table_of([frames, frames])
    first, second = table["large_2"].to_pylist()
    moved = replaced(replaced(table, "large_2", 0, first[:-1]), "large_2", 1, first[-1:] + second)
    with pytest.raises(ValueError, match="columns of features do not fit together"):
        features.decode(moved, 64)


def test_a_shard_holds_it_without_bounds_of_its_bytes(tmp_path: Path) -> None:
    store, shard = ShardStore(str(tmp_path), features.STORE), Shard("labeled", 0)
    rows = [FeatureRow("a", "s", "clean", GENERATOR.normal(0, 3, (50, 64)).astype(np.float16))]
    table, encoding = features.encode(rows, 2), features.COLUMN_ENCODING[2]
    told = {"seconds": 0.5, "parents": {}, "metadata": {}, "column_encoding": encoding, "unbounded": encoding}
    store.publish(shard, features.SCHEMAS[2], [table], [50], **told)
    (back,) = features.decode(store.read_slab(shard, 0), 64)
    np.testing.assert_array_equal(back.frames, features.decode(table, 64)[0].frames)
    group = store.open(shard).metadata.row_group(0)
    columns = {column.path_in_schema: column for column in map(group.column, range(group.num_columns))}
    assert {name for name, column in columns.items() if column.is_stats_set} == {*columns} - {*encoding}
    assert "DELTA_LENGTH_BYTE_ARRAY" in columns["codes_6"].encodings

"""Features at about two bits a value: blocks of 8 frames, transformed, quantised and packed.

A spectrogram is a picture, and this is what JPEG does with pictures: neighbouring values are alike, so most
coefficients of their cosine transform are small, and most codes are 0. All codes have the same step: the error is
white, and it does not depend on the level of a recording. Codes of coefficients of like size lie together, which is
what the general compression of Parquet needs to come near their entropy. docs/formats.md has the format.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ssl_asr.store.arrays import ragged_bytes, ragged_column
from ssl_asr.store.cosine_transform import BLOCK_FRAMES, MAX_BINS, MAX_CODE, MAX_VALUE, forward, inverse

GROUPS = 7
STEP = 1.0  # nats, of a coefficient; the root mean square error of a value is about 0.29 of it
_ROUND = 0.4  # below a half: a code that costs bits must be worth them
# The codes 0, 1 and -1 have two bits. The others stand in the group's bytes, and those beyond a byte in words.
_HUGE = -128
_ELSEWHERE = 2
_SMALL = np.array([0, 1, -1, _ELSEWHERE], np.int8)
# The four codes of a byte, the first of them in the lowest bits.
_UNPACKED = _SMALL[np.arange(256)[:, None] >> np.arange(0, 8, 2) & 3].view("<i4")[:, 0]

CODES = tuple(f"codes_{group}" for group in range(GROUPS))
LARGE = tuple(f"large_{group}" for group in range(GROUPS))
FIELDS = [
    ("step", pa.float32()),
    *((name, pa.large_binary()) for pair in zip(CODES, LARGE, strict=True) for name in pair),
    ("huge", pa.large_binary()),
]
BYTES = (*CODES, *LARGE, "huge")
Frames = npt.NDArray[np.floating]
Blocks = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """`order` lists the coefficients as they are stored, by frequency; `places` says where each of them is.

    The groups lie between `edges`.
    """

    order: npt.NDArray[np.intp]
    places: npt.NDArray[np.intp]
    edges: tuple[int, ...]


@lru_cache
def layout(bins: int) -> Layout:
    """Each group is as large as all before it together; the last holds the higher half of the coefficients.

    ValueError if there are too many bins.
    """
    if bins > MAX_BINS:
        raise ValueError(
            f"features of {bins} bins cannot be stored at 2 bits a value, only up to {MAX_BINS} bins can"
        )
    over_time, over_bins = np.divmod(np.arange(BLOCK_FRAMES * bins), bins)
    order = np.argsort(over_time * bins + over_bins * BLOCK_FRAMES, kind="stable")
    halves = [-(-BLOCK_FRAMES * bins // (4 << halved)) * 4 for halved in range(GROUPS)]  # whole bytes
    return Layout(order, np.argsort(order), (0, *reversed(halves)))


def encode(utterances: Sequence[Frames], step: float = STEP) -> dict[str, pa.Array]:
    """The columns of `FIELDS` for `utterances`, each [frames, bins]; the same bytes on every machine.

    ValueError as `quantise`.
    """
    ends = np.cumsum(_block_counts(np.array([len(frames) for frames in utterances], np.int64)))
    columns: dict[str, pa.Array] = {"step": pa.array(np.full(len(utterances), step, np.float32))}
    codes = quantise(utterances, step)
    for group, (begin, end) in enumerate(itertools.pairwise(layout(_bins(utterances)).edges)):
        part = np.ascontiguousarray(codes[:, begin:end])
        places = np.flatnonzero(np.abs(part) > 1)
        two_bits = (part & 3).astype(np.uint8)  # of -1: 3
        two_bits[part == -1] = 2
        two_bits.reshape(-1)[places] = 3
        fours = two_bits.reshape(-1, 4).T
        packed = fours[0] | fours[1] << 2 | fours[2] << 4 | fours[3] << 6
        columns[CODES[group]] = ragged_column(packed, ends * ((end - begin) // 4))
        large = part.reshape(-1)[places]
        stored = np.where(np.abs(large) < -_HUGE, large, _HUGE).astype(np.int8)
        columns[LARGE[group]] = ragged_column(stored, _before(places, ends, end - begin))
    places = np.flatnonzero(np.abs(codes) >= -_HUGE)
    huge = codes.reshape(-1)[places].astype("<i2")
    columns["huge"] = ragged_column(huge, 2 * _before(places, ends, codes.shape[1]))
    return columns


def quantise(utterances: Sequence[Frames], step: float) -> npt.NDArray[np.int16]:
    """[blocks of all `utterances`, coefficients in the order of storage]: an error is at most 0.6 of a step.

    ValueError if a value is not finite or beyond 128 nats, or if there are more than 256 bins.
    """
    bins = _bins(utterances)
    order = layout(bins).order
    scaled = forward(_in_blocks(utterances, bins))[:, order] / float(np.float32(step))
    whole = np.floor(np.abs(scaled) + _ROUND)
    if whole.max(initial=0) > MAX_CODE:
        raise ValueError(f"a step of {step:g} is too small for these features")
    return np.copysign(whole, scaled).astype(np.int16)


def decode(table: pa.Table, bins: int) -> list[npt.NDArray[np.float16]]:
    """Frames [frames, bins] of each row, views of one array; ValueError if the columns do not fit together."""
    frames = table["num_frames"].to_numpy().astype(np.int64)
    steps = table["step"].to_numpy()
    _check((frames >= 0).all() and (steps > 0).all() and np.isfinite(steps).all())
    blocks = _block_counts(frames)
    codes = _codes(table, bins, np.cumsum(blocks))
    values = inverse(np.take(codes, layout(bins).places, axis=1), np.repeat(steps, blocks), bins)
    values.flags.writeable = False
    begins = BLOCK_FRAMES * (np.cumsum(blocks) - blocks)
    return [values[begin : begin + count] for begin, count in zip(begins.tolist(), frames.tolist(), strict=True)]


def _codes(table: pa.Table, bins: int, ends: Blocks) -> npt.NDArray[np.int16]:
    """[blocks, coefficients in the order of storage]; rows end at the blocks `ends`."""
    parts, blocks = [], int(ends[-1]) if len(ends) else 0
    for group, (begin, end) in enumerate(itertools.pairwise(layout(bins).edges)):
        row_ends, packed = ragged_bytes(table[CODES[group]])
        _check(np.array_equal(row_ends, ends * ((end - begin) // 4)))
        part = np.take(_UNPACKED, packed).view(np.int8)
        places = np.flatnonzero(part == _ELSEWHERE)
        row_ends, large = ragged_bytes(table[LARGE[group]])
        _check(np.array_equal(row_ends, _before(places, ends, end - begin)))
        part[places] = large.view(np.int8)
        parts.append(part.reshape(blocks, end - begin))
    codes = np.concatenate(parts, axis=1, dtype=np.int16)
    places = np.flatnonzero(codes == _HUGE)
    row_ends, huge = ragged_bytes(table["huge"])
    _check(np.array_equal(row_ends, 2 * _before(places, ends, codes.shape[1])))
    codes.reshape(-1)[places] = huge.view("<i2")
    return codes


def _in_blocks(utterances: Sequence[Frames], bins: int) -> Frames:
    """[blocks, 8, bins]: the last frame of an utterance is repeated to the end of its last block."""
    whole = [np.concatenate([each, np.repeat(each[-1:], -len(each) % BLOCK_FRAMES, axis=0)]) for each in utterances]
    values = np.concatenate([np.zeros((0, bins), np.float32), *whole]).astype(np.float32)
    if not (np.abs(values) <= MAX_VALUE).all():  # False for what is no number, too
        raise ValueError(f"features hold a value that is not finite or beyond {MAX_VALUE} nats, so no log energy")
    return values.reshape(-1, BLOCK_FRAMES, bins)


def _bins(utterances: Sequence[Frames]) -> int:
    return utterances[0].shape[1] if utterances else 1


def _block_counts(frames: Blocks) -> Blocks:
    return -(-frames // BLOCK_FRAMES)


def _before(places: npt.NDArray[np.intp], ends: Blocks, width: int) -> Blocks:
    """How many of the sorted `places` in [blocks, width] are before the end of each row, at the blocks `ends`."""
    return np.searchsorted(places, ends * width)


def _check(fits: bool | np.bool_) -> None:
    if not fits:
        raise ValueError("columns of features do not fit together; `ssl-asr verify` finds the damaged shard")

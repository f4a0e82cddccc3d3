import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ssl_asr.sequence.batches import concatenate
from ssl_asr.sequence.forward_backward import forward_backward
from ssl_asr.sequence.lattice_shards import COLUMN_ENCODING, SCHEMA, decode, encode
from tests.sequence.random_lattices import random_lattice

LATTICES = [random_lattice(0), None, random_lattice(1, frames=1), random_lattice(2, frames=9, width=1, arcs=1)]
IDS = ["a", "b", "c", "d"]


def _through_a_file(table: pa.Table) -> pa.Table:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False, column_encoding=COLUMN_ENCODING)
    return pq.read_table(io.BytesIO(buffer.getvalue()))


def test_lattices_come_back_as_they_were_but_for_their_words():
    table = _through_a_file(encode(IDS, LATTICES))
    assert table.schema.equals(SCHEMA)
    found = decode(table)
    assert [*found] == IDS
    assert found["b"] is None
    for name, before in zip(IDS, LATTICES, strict=True):
        if before is None:
            continue
        after = found[name]
        for field in ("first_nodes", "first_arcs", "final_costs"):
            np.testing.assert_array_equal(getattr(after, field), getattr(before, field))
        for field in ("sources", "targets", "senones", "costs"):
            values = getattr(after.arcs, field)
            np.testing.assert_array_equal(values, getattr(before.arcs, field))
            assert values.dtype == getattr(before.arcs, field).dtype
        assert after.arcs.words.shape == (len(before.arcs), 0)


def test_what_comes_back_can_be_trained_on():
    found = [each for each in decode(encode(IDS, LATTICES)).values() if each is not None]
    batches = [concatenate([each for each in some if each is not None]) for some in (LATTICES, found)]
    scores = np.random.default_rng(0).normal(size=len(batches[0].rows))
    before, after = (forward_backward(batch, scores) for batch in batches)
    np.testing.assert_array_equal(before.occupancies, after.occupancies)


@pytest.mark.parametrize(
    ("column", "damage"),
    [
        ("nodes", lambda values: values[:-1]),
        ("leaving", lambda values: [values[0] + 1, *values[1:]]),
        ("targets", lambda values: [*values[:-1], 10_000]),
        ("targets", lambda values: [-1, *values[1:]]),
        ("costs", lambda values: values[1:]),
        ("final_costs", lambda values: [*values, 0.0]),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(column, damage):
    rows = encode(["a"], [random_lattice(0)]).to_pylist()
    rows[0][column] = damage(rows[0][column])
    with pytest.raises(ValueError, match="the lattice of a "):
        decode(pa.Table.from_pylist(rows, SCHEMA))

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.hmm.flat_model import kept_inputs
from ssl_asr.hmm.senones import SenoneSet, load_senones, save_senones
from ssl_asr.hmm.tree import TriphoneTotals, grow_table, merge, read_table, write_table
from ssl_asr.hmm.triphones import triphones_of
from ssl_asr.lang.phones import ENGLISH
from ssl_asr.lang.questions import ENGLISH_QUESTIONS

P = len(ENGLISH)


def grown(of: TriphoneTotals, senones: int, least_frames: int) -> np.ndarray:
    return grow_table(of, senones, least_frames, phones=ENGLISH, questions=ENGLISH_QUESTIONS.values())


def totals(seed: int = 0, seen: int = 3000) -> TriphoneTotals:
    """Triphones whose mean depends on the centre and on whether the left neighbour is a nasal."""
    random = np.random.default_rng(seed)
    codes = np.sort(random.choice(P**3, seen, replace=False)).astype(np.int32)
    left, centre, _ = triphones_of(codes, P).T
    nasal = np.isin(left, [ENGLISH.ids[phone] for phone in ENGLISH_QUESTIONS["nasal"]])
    means = np.stack([np.eye(P)[centre] @ np.arange(P) * 10, nasal * 3.0], axis=1)
    count = random.integers(1, 60, seen).astype(np.float64)
    return TriphoneTotals(codes, count, means * count[:, None])


def test_every_triphone_has_a_senone_and_only_silence_has_the_first():
    table = grown(totals(), 150, 15)
    assert table.shape == (P, P, P)
    assert table.dtype == np.uint16
    assert (table[:, 0] == 0).all()
    assert (table[:, 1:] > 0).all()
    assert set(np.unique(table)) == set(range(table.max() + 1))
    assert table.max() + 1 <= 150


def test_the_tree_asks_what_matters():
    table = grown(totals(), 2 * (P - 1) + 1, 1)
    m, t, s, iy = (ENGLISH.ids[phone] for phone in ("M", "T", "S", "IY"))
    assert table[m, s, iy] != table[t, s, iy]
    assert (table[m, s] == table[m, s, 0]).all()
    owners = [set(np.argwhere(table == senone)[:, 1]) for senone in range(1, table.max() + 1)]
    assert all(len(owner) == 1 for owner in owners)


def test_senones_have_enough_frames():
    found = totals()
    table = grown(found, 5000, 200)
    frames = np.bincount(table.reshape(-1)[found.codes], found.count, table.max() + 1)
    assert frames[1:].min() >= 200
    assert table.max() < found.count.sum() / 200


def test_totals_of_chunks_merge():
    first, second = totals(0, 500), totals(1, 500)
    merged = merge([first, second])
    assert merged.count.sum() == first.count.sum() + second.count.sum()
    code = np.intersect1d(first.codes, second.codes)[0]
    expected = first.total[first.codes == code] + second.total[second.codes == code]
    np.testing.assert_allclose(merged.total[merged.codes == code], expected)


def test_a_table_is_found_by_what_it_was_made_from(tmp_path):
    uri, inputs = str(tmp_path / "tree.npz"), {"flat start": "a", "hmm.senones": "60"}
    table = grown(totals(), 60, 15)
    assert read_table(uri, inputs) is None
    assert kept_inputs(uri) is None
    write_table(uri, table, inputs)
    np.testing.assert_array_equal(read_table(uri, dict(reversed(inputs.items()))), table)
    assert kept_inputs(uri) == inputs
    for other in ({**inputs, "flat start": "b"}, {"flat start": "a"}, {**inputs, "version": "1"}, {}):
        assert read_table(uri, other) is None


@pytest.fixture
def senones() -> SenoneSet:
    table = grown(totals(), 60, 15)
    return SenoneSet(ENGLISH, table, np.arange(table.max() + 1, dtype=np.float64) * 100)


def test_a_senone_set_round_trips(tmp_path, senones):
    save_senones(str(tmp_path), senones)
    found = load_senones(str(tmp_path))
    assert (found.id, found.size, found.phones) == (senones.id, senones.size, ENGLISH)
    np.testing.assert_array_equal(found.table, senones.table)
    np.testing.assert_array_equal(found.counts, senones.counts)


def test_the_id_depends_on_phones_and_table_alone(senones):
    assert SenoneSet(ENGLISH, senones.table, senones.counts + 1).id == senones.id
    other = senones.table.copy()
    other[1, 1, 1] = other[1, 1, 1] % senones.table.max() + 1
    assert SenoneSet(ENGLISH, other, senones.counts).id != senones.id


def test_priors_sum_to_one_and_have_a_floor(senones):
    priors = np.exp(senones.log_priors())
    assert priors.dtype == np.float32
    assert priors.sum() == pytest.approx(1, abs=1e-5)
    assert priors[0] == pytest.approx(1 / senones.counts.sum(), rel=0.01)  # never seen: as if seen once
    assert priors[20] / priors[10] == pytest.approx(2, rel=1e-4)


def test_a_table_that_gives_silence_away_is_refused(senones):
    table = senones.table.copy()
    table[3, 4, 5] = 0
    with pytest.raises(ValueError, match="senone 0 stands for silence"):
        SenoneSet(ENGLISH, table, senones.counts)


def test_a_damaged_senone_set_is_named(tmp_path, senones):
    save_senones(str(tmp_path), senones)
    path = tmp_path / "hmm" / "senones.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"senones\.npz is not a whole senone set"):
        load_senones(str(tmp_path))

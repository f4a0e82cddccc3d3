"""A listing that is killed goes on as if it had not been."""

from __future__ import annotations

import contextlib
import itertools
import json

import pytest

from ssl_asr.store import filesystem
from tests.corpus.split_listing.listed import contents, listed, shards, speech, write


@pytest.mark.parametrize("killed_after", [0, 1, 3, 7, 15, 40, 80, 100, 121, 150])
def test_a_killed_listing_goes_on(recipe, tmp_path, small_buckets, killed_after, monkeypatch):
    write(tmp_path / "source", speech(40))
    other = recipe.model_copy(update={"run": f"{recipe.run}-unbroken"})
    listed(other, tmp_path / "source")
    writes = itertools.count()
    whole = filesystem.write_bytes

    def killed(uri, data):
        if next(writes) == killed_after:
            raise KeyboardInterrupt
        whole(uri, data)

    with monkeypatch.context() as patch:
        patch.setattr(filesystem, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            listed(recipe, tmp_path / "source")
    listed(recipe, tmp_path / "source")
    assert contents(recipe) == contents(other)
    before = shards(recipe)
    listed(recipe, tmp_path / "source")
    assert shards(recipe) == before


@pytest.mark.parametrize("killed_after", [0, 4, 8, 9, 11, 13, 16])
def test_a_growth_that_was_killed_goes_on_as_if_it_had_not_been(recipe, tmp_path, killed_after, monkeypatch):
    """Long speakers are cut by how much speech there is in all, so what is left must not be cut by itself."""
    write(tmp_path / "source", speech(21))
    other = recipe.model_copy(update={"run": f"{recipe.run}-unbroken"})
    for each in (recipe, other):
        listed(each, tmp_path / "source")
    added = [
        row
        for place, each in enumerate((145, 3, 31, 90, 9, 40, 117, 27, 5, 36))
        for row in speech(1, each, 100 + place)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in added)
    (tmp_path / "source" / "part-9.jsonl").write_text(lines)
    first = next((tmp_path / "source").glob("part-0.jsonl"))
    first.write_text("".join(first.read_text().splitlines(keepends=True)[5:]))
    listed(other, tmp_path / "source")
    writes, whole = itertools.count(), filesystem.write_bytes

    def killed(uri, data):
        if "manifest" in uri and next(writes) == killed_after:
            raise KeyboardInterrupt
        whole(uri, data)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(filesystem, "write_bytes", killed)
        listed(recipe, tmp_path / "source")
    listed(recipe, tmp_path / "source")
    assert contents(recipe) == contents(other)

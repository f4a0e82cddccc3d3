"""An adversary that is to see groups needs two of them in the labeled speech."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.store import utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance
from ssl_asr.training.data.groups import check_groups


def test_two_values_of_the_tag_are_wanted_in_whatever_shard(tmp_path: Path) -> None:
    store = ShardStore(str(tmp_path), utterance.STORE)
    for number, tags in enumerate(({"region": "north", "language": "en"}, {"region": "south", "language": "en"}, {})):
        said = [
            Utterance(f"{number}-{part}", "none.wav", f"speaker {number}", part, 1.0, tags=tags) for part in (0, 1)
        ]
        store.publish(
            Shard("labeled", number),
            utterance.SCHEMA,
            [utterance.encode(said)],
            [200],
            seconds=2.0,
            parents={},
            metadata={},
        )
    check_groups(str(tmp_path), "region")
    for tag, found in (("language", "one group"), ("gender", "no group")):
        with pytest.raises(ValueError, match=f"groups={tag}: {found} of .* name another tag") as refused:
            check_groups(str(tmp_path), tag)
        assert "\n" not in str(refused.value)

"""The groups of training speech, by the values of a tag."""

from __future__ import annotations

from ssl_asr.store import utterance
from ssl_asr.store.shards import ShardStore


def check_groups(run: str, tag: str) -> None:
    """ValueError where the labeled speech has not two values of the tag; reads no further than to the second."""
    store, found = ShardStore(run, utterance.STORE), set[str]()
    for entry in store.entries("labeled"):
        for slab in range(len(entry.slabs)):
            found |= {each.tags.get(tag, "") for each in utterance.decode(store.read_slab(entry.shard, slab))} - {""}
            if len(found) > 1:
                return
    raise ValueError(
        f"groups={tag}: {'one group' if found else 'no group'} of labeled speech has this tag, and an adversary "
        "needs two; name another tag, or leave groups out"
    )

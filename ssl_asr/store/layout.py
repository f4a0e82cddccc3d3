"""Where everything of a run lies below its directory: here its stores and stages; by subject in `corpus_layout.py`,
`hmm_layout.py`, `training_layout.py`, `speakers_layout.py` and `results_layout.py`. No other module spells a part of
such a path.

Functions take `run`, a local path or URI, and return a URI below it. A folder's name ends in `_folder`. Checkpoints
name the files inside their own folders.
"""

from __future__ import annotations

import re

from ssl_asr.store import filesystem

# Names of stores; all but the first two are folders of stores. Pseudo-labels are words of the unlabeled speech; see
# store/hypotheses.py.
MANIFEST, FEATURES, ALIGNMENTS, TARGETS, LATTICES = "manifest", "features", "alignments", "targets", "lattices"
PSEUDO_LABELS = "pseudo-labels"
# What the corpus stage keeps on the way to the manifest; see corpus/shuffle.py.
PIECES, IDS, LATER_USES, BUCKETS = "corpus/pieces", "corpus/ids", "corpus/later-uses", "corpus/buckets"
# Recordings that are cut into utterances, and where; see corpus/long_recordings.py.
LONG, CUTS = "corpus/long", "corpus/cuts"
# While another recogniser's words are read; see hypotheses/outside/exchange.py.
IMPORTED_WORDS = "imported-words"
WORD_PIECES, ID_GROUPS, JOINED_WORDS, SHARD_WORDS = (
    f"{IMPORTED_WORDS}/{name}" for name in ("pieces", "ids", "joined", "shards")
)
# Which stage writes the stores of each kind; lattices are written by the stage of the model that they are for.
STAGE_OF_STORE = {
    MANIFEST: "corpus",
    FEATURES: "frontend",
    ALIGNMENTS: "hmm",
    TARGETS: "labelling",
    PSEUDO_LABELS: "hypotheses",
}
FORMAT = "2"  # raise where a run of the version before can't be read
SHARD_SUFFIX, PARTITIONS_SUFFIX, TEXT_SUFFIX, ENTRY_SUFFIX = ".parquet", ".arrow", ".txt", ".json"
IMPORT_SUFFIX = ".npz"
_SHARD = re.compile(
    r"(.+)/(manifest|features|(?:alignments|targets|pseudo-labels|lattices)/[^/]+)/([^/]+)/(\d+)\.parquet"
)


def recipe_uri(run: str) -> str:
    """The recipe of the last command."""
    return filesystem.join(run, "recipe.yaml")


def format_uri(run: str) -> str:
    """Which form of this layout the run has."""
    return filesystem.join(run, "format.txt")


# Stages.


def stages_folder(run: str) -> str:
    return filesystem.join(run, "stages")


def stage_report_uri(run: str, stage: str) -> str:
    return filesystem.join(stages_folder(run), f"{stage}.json")


def heartbeat_uri(run: str, stage: str) -> str:
    """What a stage at work, or one that was killed, has taken so far."""
    return filesystem.join(stages_folder(run), f"{stage}.underway")


def rejects_uri(run: str, stage: str) -> str:
    return filesystem.join(run, "rejects", f"{stage}.jsonl")


# Stores of shards. `store` is a store's whole name, such as "targets/3f2a90c1"; `shard` is "labeled/000003".


def alignments_store(alignment_set: str) -> str:
    """`alignment_set` is the id of a senone set, and "-" and that of the network that aligned, if one did."""
    return f"{ALIGNMENTS}/{alignment_set}"


def store_of_set(kind: str, set_id: str) -> str:
    """`kind` is that of the store, such as TARGETS."""
    return f"{kind}/{set_id}"


def targets_store(set_id: str) -> str:
    return store_of_set(TARGETS, set_id)


def pseudo_labels_store(set_id: str) -> str:
    return store_of_set(PSEUDO_LABELS, set_id)


def lattices_store(set_id: str) -> str:
    """`set_id` is "<model>-<made by>-<settings>", of the model whose sequence training they are for."""
    return f"{LATTICES}/{set_id}"


def kind_of_store(store: str) -> str:
    """MANIFEST, FEATURES, ALIGNMENTS, TARGETS, PSEUDO_LABELS or LATTICES."""
    return store.partition("/")[0]


def stage_of_store(store: str) -> str:
    """The stage that writes the store of this name."""
    kind, _, name = store.partition("/")
    if kind == LATTICES:
        # A stage trains the model of its name, and others whose names begin with it: "baseline-short".
        return name.partition("-")[0]
    return "realign" if kind == ALIGNMENTS and "-" in name else STAGE_OF_STORE[kind]


def owner_of_lattices(store: str) -> str:
    """The model that the store of lattices of this name is for."""
    return store.partition("/")[2].rsplit("-", 2)[0]


def store_folder(run: str, store: str) -> str:
    return filesystem.join(run, store)


def split_folder(run: str, store: str, split: str) -> str:
    return filesystem.join(store_folder(run, store), split)


def shard_uri(run: str, store: str, shard: str, suffix: str = SHARD_SUFFIX) -> str:
    return filesystem.join(store_folder(run, store), shard + suffix)


def parse_shard_uri(uri: str) -> tuple[str, str, str, int] | None:
    """(run, store, split, number) of a shard's file; None where `uri` has not the form of one."""
    found = _SHARD.fullmatch(uri)
    return (found[1], found[2], found[3], int(found[4])) if found else None


def ledger_folder(run: str, *store: str) -> str:
    """Of one store, or of all."""
    return filesystem.join(run, "ledger", *store)


def split_ledger_folder(run: str, store: str, split: str) -> str:
    return filesystem.join(ledger_folder(run, store), split)


def entry_uri(run: str, store: str, shard: str) -> str:
    return filesystem.join(ledger_folder(run, store), shard + ENTRY_SUFFIX)


def index_folder(run: str, store: str) -> str:
    """The cache of the ledger. Nothing is lost with it."""
    return filesystem.join(run, "cache", "ledger", store)


def index_uri(run: str, store: str, split: str) -> str:
    return filesystem.join(index_folder(run, store), f"{split}.parquet")


def lists_index_uri(run: str, store: str, split: str) -> str:
    """The same for statistics that are lists."""
    return filesystem.join(index_folder(run, store), f"{split}.lists.parquet")


def refusals_index_uri(run: str, store: str, split: str) -> str:
    """The same for entries with rejects, and the files of these."""
    return filesystem.join(index_folder(run, store), f"{split}.refusals.parquet")


def outside_hypotheses_uri(run: str) -> str:
    """Which files of another recogniser's words were read last, and a hash of their content."""
    return filesystem.join(store_folder(run, PSEUDO_LABELS), "outside.json")


# Beside the stores.


def prior_uri(run: str) -> str:
    return filesystem.join(store_folder(run, FEATURES), "prior.json")


def calibration_uri(run: str, set_id: str) -> str:
    return filesystem.join(store_folder(run, targets_store(set_id)), "calibration.json")

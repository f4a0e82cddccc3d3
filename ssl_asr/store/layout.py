"""Where everything of a run lies below its directory: here its stores, stages and models, and by subject in
`corpus_layout.py`, `hmm_layout.py` and `results_layout.py`. No other module spells a part of such a path.

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
MODEL_SUFFIX, IMPORT_SUFFIX = ".safetensors", ".npz"
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


def outside_hypotheses_uri(run: str) -> str:
    """Which files of another recogniser's words were read last, and a hash of their content."""
    return filesystem.join(store_folder(run, PSEUDO_LABELS), "outside.json")


# Beside the stores.


def prior_uri(run: str) -> str:
    return filesystem.join(store_folder(run, FEATURES), "prior.json")


def calibration_uri(run: str, set_id: str) -> str:
    return filesystem.join(store_folder(run, targets_store(set_id)), "calibration.json")


# Models and their training. `name` is a model of `models/systems.py`; `key` is a training run's identity.


def models_folder(run: str) -> str:
    return filesystem.join(run, "models")


def model_uri(run: str, name: str) -> str:
    return filesystem.join(models_folder(run), name + MODEL_SUFFIX)


def fisher_uri(run: str, key: str) -> str:
    """How much each weight of a model matters; `key` is a hash of what that was found out from."""
    return filesystem.join(run, "adapt", f"fisher-{key}{MODEL_SUFFIX}")


def word_pieces_uri(run: str, key: str) -> str:
    """A model of sentencepiece; `key` is a hash of what it was trained from."""
    return filesystem.join(run, "transducers", f"word-pieces-{key}.model")


def trainings_folder(run: str) -> str:
    return filesystem.join(run, "training")


def training_folder(run: str, name: str) -> str:
    return filesystem.join(trainings_folder(run), name)


def curve_uri(run: str, name: str) -> str:
    return filesystem.join(training_folder(run, name), "curve.jsonl")


def events_uri(run: str, name: str) -> str:
    return filesystem.join(training_folder(run, name), "events.jsonl")


def schedule_uri(run: str, name: str, key: str) -> str:
    return filesystem.join(training_folder(run, name), f"schedule-{key}.json")


def key_of_schedule(run: str, name: str, uri: str) -> str | None:
    """The `key` for which `schedule_uri` is `uri`, if there is one."""
    before, after = schedule_uri(run, name, "\0").split("\0")
    return uri[len(before) : -len(after)] if uri.startswith(before) and uri.endswith(after) else None


def all_accounts_folder(run: str, name: str) -> str:
    return filesystem.join(training_folder(run, name), "slabs")


def accounts_uri(run: str, name: str, key: str) -> str:
    """The folder of the accounts of one training run."""
    return filesystem.join(all_accounts_folder(run, name), key)


def account_uri(run: str, name: str, key: str, block: int) -> str:
    return filesystem.join(accounts_uri(run, name, key), f"{block:07d}.json")


def checkpoints_folder(run: str, name: str, key: str) -> str:
    return filesystem.join(training_folder(run, name), "checkpoints", key)


def ray_folder(run: str, name: str) -> str:
    """Ray Train's own notes; it keeps nothing there that is needed later."""
    return filesystem.join(training_folder(run, name), "ray")


def tensorboard_folder(run: str, name: str) -> str:
    return filesystem.join(run, "tensorboard", name)

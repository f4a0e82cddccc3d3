"""Paths of a run: the modules of its layout spell them, and read them back."""

import re
from pathlib import Path

import ssl_asr
from ssl_asr.store import layout
from ssl_asr.store.training_layout import curve_uri, key_of_schedule, schedule_uri

# Names inside a folder that the owner was given: of a checkpoint, of TensorBoard, of the cache of G2P models.
_INSIDE_FOLDERS = {
    "checkpoints/folder.py",
    "checkpoints/snapshot.py",
    "training/curve.py",
    "lang/g2p.py",
    "store/listing.py",
}
# Places that a user names: of transcripts, of a score beside no run, and of the runs and pages of studies.
_USERS_PLACES = {
    "readers/registry.py",
    "transcribing/bulk.py",
    "formats/writing.py",
    "cli/evaluate.py",
    "studies/runs.py",
    "studies/pages.py",
    "evaluation/set_files.py",
}


def test_no_other_module_joins_a_path_of_a_run() -> None:
    package = Path(ssl_asr.__file__).parent
    others = [
        file for file in package.rglob("*.py") if not file.name.endswith("layout.py") and file.name != "filesystem.py"
    ]
    joining = {"/".join(file.parts[-2:]) for file in others if re.search(r"filesystem\.join\(", file.read_text())}
    assert joining <= _INSIDE_FOLDERS | _USERS_PLACES | {"store/ledger_index.py"}


def test_a_shard_is_read_back_from_its_path() -> None:
    uri = layout.shard_uri("s3://bucket/run", layout.targets_store("3f2a90c1"), "unlabeled/000012")
    assert uri == "s3://bucket/run/targets/3f2a90c1/unlabeled/000012.parquet"
    assert layout.parse_shard_uri(uri) == ("s3://bucket/run", "targets/3f2a90c1", "unlabeled", 12)
    words = layout.shard_uri("/runs/demo", layout.pseudo_labels_store("3f2a90c1"), "unlabeled/000012")
    assert layout.parse_shard_uri(words) == ("/runs/demo", "pseudo-labels/3f2a90c1", "unlabeled", 12)
    assert layout.parse_shard_uri("/runs/demo/features/dev/000000.parquet") == ("/runs/demo", "features", "dev", 0)
    assert layout.parse_shard_uri("/runs/demo/features/prior.json") is None


def test_a_store_says_which_stage_writes_it() -> None:
    for store, stage in (
        ("features", "frontend"),
        ("targets/3f2a90c1", "labelling"),
        ("pseudo-labels/3f", "hypotheses"),
    ):
        assert layout.stage_of_store(store) == stage
    lattices = layout.lattices_store("baseline-short-3f2a90c1b2d4-a1b2c3")
    assert (layout.stage_of_store(lattices), layout.owner_of_lattices(lattices)) == ("baseline", "baseline-short")
    assert layout.kind_of_store(lattices) == layout.LATTICES


def test_the_key_of_a_schedule_is_read_back_from_its_path() -> None:
    uri = schedule_uri("/runs/demo", "student", "abc")
    assert key_of_schedule("/runs/demo", "student", uri) == "abc"
    assert key_of_schedule("/runs/demo", "student", curve_uri("/runs/demo", "student")) is None

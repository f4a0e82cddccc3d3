"""The same primitives against an S3 server: what they send, and what they say when it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from ssl_asr.store import filesystem, retry
from ssl_asr.store.ledger import Shard
from ssl_asr.store.listing import list_numbers, list_temporary
from ssl_asr.store.retry import without_retries
from ssl_asr.store.shards import ShardStore
from tests.s3_server import S3Server, s3_server

MB = 2**20


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """One of the test's own, reachable by the environment alone."""
    server.use(monkeypatch)
    uri = server.create_bucket(f"bucket-{abs(hash(request.node.name))}")
    server.requests.clear()
    return uri


def test_bytes_come_back_and_are_listed_and_deleted(bucket: str) -> None:
    for name in ("b/2.json", "a.json", "b/1.json", "b/1.parquet"):
        filesystem.write_bytes(f"{bucket}/run/{name}", name.encode())
    assert filesystem.read_bytes(f"{bucket}/run/b/1.json") == b"b/1.json"
    wanted = [f"{bucket}/run/{name}" for name in ("a.json", "b/1.json", "b/2.json")]
    assert filesystem.list_files(f"{bucket}/run", ".json") == wanted
    assert filesystem.list_folders(f"{bucket}/run") == ["b"]
    assert list_temporary(f"{bucket}/run") == []
    assert filesystem.modified(f"{bucket}/run/a.json") > 1.7e9
    filesystem.delete(f"{bucket}/run/a.json")
    filesystem.delete(f"{bucket}/run/b")
    assert filesystem.list_files(f"{bucket}/run") == []
    assert not filesystem.exists(f"{bucket}/run/a.json")


@pytest.mark.parametrize(
    "name", ["my talk.wav", "a#b", "100%", "a%20b", "what?", "é ü", "[x]", "a+b&c;d", "quote\"'"]
)
def test_a_key_is_taken_as_it_is(bucket: str, name: str) -> None:
    uri = f"{bucket}/a folder/{name}"
    filesystem.write_bytes(uri, b"abc")
    assert filesystem.list_files(bucket) == [uri]
    assert filesystem.list_files(f"{bucket}/a folder/") == [uri]
    assert filesystem.read_bytes(uri) == b"abc"
    filesystem.delete(f"{bucket}/a folder")
    assert not filesystem.exists(uri)


def test_what_is_not_there_is_empty(bucket: str) -> None:
    assert filesystem.list_files(f"{bucket}/none") == []
    assert filesystem.list_folders(f"{bucket}/none") == []
    assert filesystem.modified(f"{bucket}/none") is None
    filesystem.delete(f"{bucket}/none")
    with pytest.raises(ValueError, match=f"{bucket}/none cannot be read"):
        filesystem.read_bytes(f"{bucket}/none")


@pytest.mark.parametrize("size", [0, 1, 10 * MB - 1])
def test_a_file_is_one_put(server: S3Server, bucket: str, size: int) -> None:
    filesystem.write_bytes(f"{bucket}/deep/er/file", b"x" * size)
    assert server.requests == [f"PUT /{bucket.removeprefix('s3://')}/deep/er/file"]


def test_a_large_file_appears_when_its_last_part_is_there(server: S3Server, bucket: str) -> None:
    data = bytes(range(256)) * (25 * MB // 256)
    filesystem.write_bytes(f"{bucket}/file", data)
    kinds = [request.split("?")[0].split(" ")[0] for request in server.requests]
    assert sorted(kinds) == ["POST", "POST", "PUT", "PUT", "PUT"]
    assert (kinds[0], kinds[-1]) == ("POST", "POST"), "begun, then completed"
    assert filesystem.read_bytes(f"{bucket}/file") == data


def test_a_shard_is_one_put_and_then_its_entry_another(server: S3Server, bucket: str) -> None:
    table = pa.table({"id": ["a", "b"], "num_frames": pa.array([3, 4], pa.int32())})
    store = ShardStore(f"{bucket}/run", "features")
    entry = store.publish(
        Shard("unlabeled", 7), table.schema, [table], [7], seconds=0.07, parents={"manifest": "x"}, metadata={}
    )
    puts = [request.rpartition("/run/")[2] for request in server.requests if not request.startswith(("HEAD", "GET"))]
    assert puts == ["features/unlabeled/000007.parquet", "ledger/features/unlabeled/000007.json"]
    assert store.entries("unlabeled") == [entry]
    assert store.read_slab(Shard("unlabeled", 7), 0)["id"].to_pylist() == ["a", "b"]


OPERATIONS = [
    lambda uri: filesystem.write_bytes(uri, b"x"),
    filesystem.read_bytes,
    filesystem.exists,
    filesystem.list_files,
    filesystem.list_folders,
    filesystem.delete,
]


READS = [
    lambda store: store.read(Shard("dev", 0)),
    lambda store: store.read_slab(Shard("dev", 0), 0),
    lambda store: list(store.read_slabs(Shard("dev", 0))),
    lambda store: store.entries("dev"),
    lambda store: store.index("dev"),
    lambda store: list_numbers(f"{store.root}/features/dev", ".parquet"),
    lambda store: filesystem.read_bytes(store.uri(Shard("dev", 0))),
    lambda store: filesystem.list_files(store.root),
    lambda store: filesystem.list_folders(store.root),
    lambda store: filesystem.exists(store.uri(Shard("dev", 0))),
    lambda store: filesystem.write_bytes(f"{store.root}/file", b"x"),
    lambda store: filesystem.delete(f"{store.root}/file"),
]


def test_all_that_is_read_and_written_outlasts_an_outage(
    server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every one is begun while the server refuses; none of the callers does anything about it."""
    store = ShardStore(f"{bucket}/run", "features")
    table = pa.table({"id": ["a", "b"], "num_frames": pa.array([3, 4], pa.int32())})
    store.publish(Shard("dev", 0), table.schema, [table], [7], seconds=0.07, parents={}, metadata={})
    monkeypatch.setattr(retry, "PAUSES", (0.05,) * 200)
    for read in READS:
        server.go_out(0.5)
        before = len(server.requests)
        read(store)
        assert len(server.requests) > before + 1, "it was refused at least once"


def test_a_read_that_a_shard_was_opened_for_before_the_outage(
    server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ShardStore(f"{bucket}/run", "features")
    slab = pa.table({"id": ["a", "b"], "num_frames": pa.array([3, 4], pa.int32())})
    store.publish(Shard("dev", 0), slab.schema, [slab, slab], [7, 7], seconds=0.14, parents={}, metadata={})
    monkeypatch.setattr(retry, "PAUSES", (0.05,) * 200)
    slabs = store.read_slabs(Shard("dev", 0))
    next(slabs)
    server.go_out(0.5)
    assert next(slabs)["id"].to_pylist() == ["a", "b"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_wrong_keys_are_one_sentence_with_the_mend(server: S3Server, bucket: str, operation: Callable) -> None:
    filesystem.write_bytes(f"{bucket}/file", b"x")
    server.check_keys(0)
    try:
        with pytest.raises(ValueError, match=rf"^{bucket}/file cannot be reached \(.*\); set AWS_ACCESS_KEY_ID and"):
            operation(f"{bucket}/file")
    finally:
        server.check_keys(float("inf"))


def test_a_bucket_that_is_not_there_is_one_sentence_with_the_mend(bucket: str) -> None:
    said = r"^s3://no-such-bucket/run/file cannot be reached \(NO_SUCH_BUCKET .*\); create the bucket"
    with pytest.raises(ValueError, match=said):
        filesystem.write_bytes("s3://no-such-bucket/run/file", b"x")
    assert not filesystem.exists("s3://no-such-bucket/run/file")


def test_a_server_that_is_away_is_no_fault_of_the_recipe(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard would be rejected for a ValueError; for this one it is tried again."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with without_retries(), pytest.raises(OSError, match="NETWORK_CONNECTION"):
        filesystem.read_bytes(f"{bucket}/file")

"""Which of several workers' errors is to blame, and when to give up."""

import errno

from ray.exceptions import ActorUnavailableError, RayActorError

from ssl_asr.training.elastic.failure_counter import (
    FAILURES_IN_A_ROW,
    Failure,
    FailureCounter,
    failure_of,
    refusal_of,
)

BROKEN = RuntimeError("[/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:4745. GLHF!")
DEAD = RayActorError(
    error_msg="The actor died unexpectedly before finishing this task.\n\tclass_name: RayTrainWorker\n"
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: "
    "Worker unexpectedly exits with a connection error code 2. End of file. There are some potential root causes."
)


class HealthCheckFailed(Exception):
    """As Ray Train wraps the death of a worker."""

    health_check_failure = DEAD


def test_patience_ends_after_failures_at_the_same_place() -> None:
    failure_counter = FailureCounter()
    assert [failure_counter.should_give_up(17) for _ in range(FAILURES_IN_A_ROW)] == [False] * (
        FAILURES_IN_A_ROW - 1
    ) + [True]


def test_hundreds_of_failures_with_a_block_in_between_never_end_it() -> None:
    failure_counter = FailureCounter(limit=3)
    assert not any(failure_counter.should_give_up(block) for block in range(300) for _ in range(2))


def test_blocks_trained_again_are_no_progress() -> None:
    failure_counter = FailureCounter(limit=3)
    assert [failure_counter.should_give_up(block) for block in (9, 8, 9)] == [False, False, True]


def test_giving_up_names_place_error_and_mend() -> None:
    failure_counter = FailureCounter(limit=1)
    failure_counter.should_give_up(17)
    told = failure_counter.sentence("MemoryError")
    assert told.startswith("workers failed 1 times in a row before they had trained one block after block 17")
    assert "the last error: MemoryError" in told


def test_a_bug_is_to_blame_before_a_death_and_a_death_before_broken_connections() -> None:
    bug = TypeError("no such\n thing")
    assert failure_of({0: BROKEN, 1: DEAD, 2: bug, 3: BROKEN}) == Failure(1, "TypeError: no such thing")
    dead = failure_of(
        {0: BROKEN, 1: HealthCheckFailed(), 2: ActorUnavailableError("The actor x is unavailable", None)}
    )
    assert dead.workers == 2
    assert dead.sentence.startswith("The actor is dead because its worker process has died")
    assert failure_of({0: BROKEN, 2: BROKEN}) == Failure(0, "connections between workers broke")
    away = OSError("When writing to bucket: AWS Error NETWORK_CONNECTION: curlCode: 28, Connection timed out")
    assert failure_of({0: away, 1: BROKEN}).sentence.startswith("OSError: When writing to bucket")
    assert refusal_of({0: away, 1: UnicodeDecodeError("utf-8", b"x", 0, 1, "bad")}) is None


def test_bad_input_and_a_full_disk_are_beyond_restarts() -> None:
    assert refusal_of({0: BROKEN, 1: DEAD}) is None
    assert refusal_of({0: OSError(errno.EIO, "flaky")}) is None
    assert refusal_of({0: BROKEN, 1: ValueError("a.parquet is\nnot whole")}) == "a.parquet is not whole"
    full = refusal_of({1: OSError(errno.ENOSPC, "No space left on device", "/run/slabs/1.json")})
    assert full is not None
    assert "/run/slabs/1.json" in full
    assert full.endswith("free some space, then the same command continues")

"""The audit of slabs: silent on any history of kills and resizes, and never on a slab too many or too few."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ssl_asr.training.checkpoints.accounting import BlockAccount, read_accounts
from ssl_asr.training.phases import baseline_schedule, student_schedule
from ssl_asr.training.schedule import Phase
from ssl_asr.verifying.slab_audit import MOST_SAID, Audit, audit
from tests.training.walked import LABELED, ORDERS, UNLABELED, random_student, student_of, walk

SIZES = {"labeled": len(LABELED), "unlabeled": len(UNLABELED)}
SCHEDULE = student_schedule(student_of("blocks", sub_epochs=3, segment_slabs=5), LABELED, UNLABELED)
SLABS = sum(phase.count for phase in SCHEDULE)


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> list[BlockAccount]:
    run = str(tmp_path_factory.mktemp("walked"))
    walk(run, "student", "key", SCHEDULE, [LABELED, UNLABELED], seed=3)
    return list(read_accounts(run, "student", "key"))


def told(accounts: list[BlockAccount], *, finished: bool = True, schedule: list[Phase] = SCHEDULE) -> Audit:
    return audit(schedule, SIZES, accounts, finished=finished)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(5))
def test_any_history_is_right_to_the_end_and_anywhere_before(tmp_path: Path, seed: int, order: str) -> None:
    student, labeled, unlabeled = random_student(random.Random(seed), order)
    sizes = {"labeled": len(labeled), "unlabeled": len(unlabeled)}
    phases = student_schedule(student, labeled, unlabeled)
    baseline = baseline_schedule(phases, labeled, unlabeled)
    for name, schedule in (("student", phases), ("baseline", baseline)):
        blocks = walk(str(tmp_path), name, "key", schedule, [labeled, unlabeled], seed)
        done = list(read_accounts(str(tmp_path), name, "key"))
        assert len(done) == blocks
        slabs = sum(phase.count for phase in schedule)
        assert audit(schedule, sizes, done, finished=True) == Audit(slabs, len(schedule), ())
        for some in [0, 1, len(done) - 1, *random.Random(seed).choices(range(len(done)), k=10)]:
            assert audit(schedule, sizes, done[:some]).problems == ()
            assert audit(schedule, sizes, done[:some], finished=True).problems


def test_a_finished_model_without_accounts_is_found(accounts: list[BlockAccount]) -> None:
    assert told([]).problems == ("there is no account of any block",)
    assert told([], finished=False) == Audit(0, 0, ())


def without_a_slab(account: BlockAccount) -> BlockAccount:
    assignment = account.assignments[0]
    return replace(
        account,
        assignments=(
            replace(assignment, positions=assignment.positions[1:], slabs=assignment.slabs[1:]),
            *account.assignments[1:],
        ),
    )


def with_a_slab_twice(account: BlockAccount) -> BlockAccount:
    assignment = account.assignments[0]
    again = replace(
        assignment,
        positions=(*assignment.positions, assignment.positions[0]),
        slabs=(*assignment.slabs, assignment.slabs[0]),
    )
    return replace(account, assignments=(again, *account.assignments[1:]))


def beyond_its_phase(account: BlockAccount) -> BlockAccount:
    assignment = account.assignments[0]
    more = replace(
        assignment, positions=(*assignment.positions, 400), slabs=(*assignment.slabs, "unlabeled/000099:0")
    )
    return replace(account, assignments=(more, *account.assignments[1:]))


TAMPERED: dict[Callable[[BlockAccount], BlockAccount], str] = {
    without_a_slab: "{phase}: 1 slab (position {position}) never trained on",
    with_a_slab_twice: "{phase}: 1 slab (position {position}) trained on more than once",
    beyond_its_phase: "{phase}: 1 slab (position 400) trained on, but not part of the phase",
}


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda tamper: tamper.__name__)
@pytest.mark.parametrize("finished", [True, False])
def test_one_tampered_hand_anywhere_is_one_problem(
    accounts: list[BlockAccount], tamper: Callable[[BlockAccount], BlockAccount], finished: bool
) -> None:
    for index, account in enumerate(accounts):
        changed = [*accounts[:index], tamper(account), *accounts[index + 1 :]]
        (problem,) = told(changed, finished=finished).problems
        phase, position = f"phase {account.phase} ({account.source})", account.assignments[0].positions[0]
        assert problem == TAMPERED[tamper].format(phase=phase, position=position)


def test_a_slab_read_in_anothers_place_is_found_within_the_pass(accounts: list[BlockAccount]) -> None:
    """Every position was trained on once, and yet a slab was heard twice and another one never."""
    first, second, *_ = (account for account in accounts if account.source == "unlabeled")
    impostor = first.assignments[0].slabs[0]
    assignment = second.assignments[0]
    changed = replace(
        second, assignments=(replace(assignment, slabs=(impostor, *assignment.slabs[1:])), *second.assignments[1:])
    )
    (problem,) = told([changed if account == second else account for account in accounts]).problems
    assert problem == (
        f"{impostor} was trained on twice in pass 0 over the unlabeled slabs, at positions "
        f"{first.assignments[0].positions[0]} and {assignment.positions[0]} (block {second.block})"
    )


def test_a_lost_account_and_a_block_of_another_schedule_are_found(accounts: list[BlockAccount]) -> None:
    lost, *missing = told([accounts[0], *accounts[3:]]).problems
    assert lost == "blocks 2 to 3 without an account"
    assert missing
    assert all(problem.endswith("never trained on") for problem in missing)
    assert told(accounts[:-1], finished=False).problems == ()
    (unexpected,) = told([*accounts, replace(accounts[0], block=len(accounts) + 1, phase=400)]).problems
    assert unexpected.endswith("is of phase 400, which is not in the schedule")
    assert "not in the schedule" in told([replace(accounts[0], source="labeled"), *accounts[1:]]).problems[0]


def test_blocks_trained_again_after_a_restart_that_dropped_nothing_are_found(accounts: list[BlockAccount]) -> None:
    again = [replace(account, block=account.block + 2) for account in accounts[2:]]
    problems = told([*accounts[:4], *again]).problems
    assert any("trained on more than once" in problem for problem in problems)


def test_many_problems_are_cut_short(accounts: list[BlockAccount]) -> None:
    problems = told([with_a_slab_twice(account) for account in accounts]).problems
    assert len(problems) == MOST_SAID + 1
    assert problems[-1].endswith(" more problems of this kind")

"""The filter stops the calls that it should, on each machine, and lets all others pass."""

from __future__ import annotations

import struct

import pytest
from etcd_sandbox.disks.calls import (
    MACHINES,
    RET_ALLOW,
    RET_USER_NOTIF,
    SYNCS,
    WRITES,
    Machine,
    program,
)
from etcd_sandbox.disks.possible import too_old, why_of

ELSEWHERE = 0x40000003
"""The architecture of 32-bit programs on an x86-64: they count their calls otherwise."""


def verdict(steps: bytes, number: int, architecture: int) -> int:
    """What the kernel's machine makes of a call: loads of a word, jumps on equality, returns."""
    data, at, word = struct.pack("=II", number, architecture), 0, 0
    while True:
        code, yes, no, operand = struct.unpack_from("=HBBI", steps, at * 8)
        at += 1
        if code == 0x20:
            word = struct.unpack_from("=I", data, operand)[0]
        elif code == 0x15:
            at += yes if word == operand else no
        else:
            assert code == 0x06
            return int(operand)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize(("calls", "stopped"), [("sync", SYNCS), ("write", (*SYNCS, *WRITES))])
def test_the_filter_stops_these_calls_only(
    machine: Machine, calls: str, stopped: tuple[str, ...]
) -> None:
    steps = program(machine, calls)
    found = {
        number
        for number in range(500)
        if verdict(steps, number, machine.architecture) == RET_USER_NOTIF
    }
    assert found == {machine.numbers[name] for name in stopped}
    assert {verdict(steps, number, ELSEWHERE) for number in range(500)} == {RET_ALLOW}


def test_a_trial_that_failed_says_why() -> None:
    assert why_of(0, "") is None
    said = "etcd-sandbox: the filter for disk faults cannot be had: Operation not permitted\n"
    why = why_of(1, said)
    assert why is not None
    assert why.startswith("the filter for disk faults cannot be had: Operation not permitted; ")
    assert "the trial ended with -31" in str(why_of(-31, ""))


def test_a_linux_that_cannot_let_a_call_happen_is_too_old() -> None:
    assert (
        too_old("5.4.0-150-generic")
        == "they need Linux 5.5 or newer, and this is 5.4.0-150-generic"
    )
    assert too_old("4.19.0") is not None
    assert {too_old(release) for release in ("5.5.0", "5.15.0-1", "6.18.44", "10.0", "odd")} == {
        None
    }

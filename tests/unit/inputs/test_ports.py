from __future__ import annotations

import fcntl
import json
import random
import socket
from pathlib import Path

import pytest
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.inputs import ports as portblock
from etcd_sandbox.inputs.ports import GRANULE, PORT_STEP, free_block, taken_again


def test_two_blocks_found_at_the_same_time_do_not_overlap(tmp_path: Path) -> None:
    first = free_block(5, tmp_path, random.Random(1))
    second = free_block(5, tmp_path, random.Random(1))
    try:
        assert abs(first.base - second.base) >= GRANULE
    finally:
        first.release()
        second.release()


def test_a_large_block_holds_every_lock_that_it_reaches_into(tmp_path: Path) -> None:
    block = free_block(25, tmp_path, random.Random(1))
    try:
        for base in range(block.base, block.base + PORT_STEP * 24 + 4, GRANULE):
            with (
                (tmp_path / f"ports-{base}.lock").open("rb") as lock,
                pytest.raises(BlockingIOError),
            ):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        block.release()


def test_a_block_that_was_given_back_is_found_again(tmp_path: Path) -> None:
    first = free_block(1, tmp_path, random.Random(7))
    first.release()
    second = free_block(1, tmp_path, random.Random(7))
    second.release()
    assert first.base == second.base


def test_a_block_stays_its_clusters_while_that_is_down_and_until_it_has_another(
    tmp_path: Path,
) -> None:
    plan = tmp_path / "cluster.json"
    held = free_block(7, tmp_path, random.Random(7), plan=plan)
    assert taken_again(held.base, 7, tmp_path, plan=plan) is None
    held.release()
    plan.write_text(json.dumps({"port_lock": held.lock}))
    other = free_block(7, tmp_path, random.Random(7))
    other.release()
    assert abs(other.base - held.base) >= 2 * GRANULE
    again = taken_again(held.base, 7, tmp_path, plan=plan)
    assert again is not None
    assert (again.base, again.lock, len(again.fds)) == (held.base, held.lock, len(held.fds))
    again.release()
    plan.write_text(json.dumps({"port_lock": other.lock}))
    free = free_block(7, tmp_path, random.Random(7))
    free.release()
    assert free.base == held.base


@pytest.mark.parametrize("content", ["", '{"port_lo', "[]", '{"schema": 99}'])
def test_a_block_stays_that_of_a_plan_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    plan = tmp_path / "cluster.json"
    held = free_block(1, tmp_path, random.Random(7), plan=plan)
    held.release()
    plan.write_text(content)
    other = free_block(1, tmp_path, random.Random(7))
    other.release()
    assert other.base != held.base
    plan.unlink()
    free = free_block(1, tmp_path, random.Random(7))
    free.release()
    assert free.base == held.base


def test_a_block_of_a_cluster_that_is_down_is_better_than_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portblock, "last_port", lambda: portblock.FIRST_PORT + GRANULE)
    plan = tmp_path / "cluster.json"
    held = free_block(1, tmp_path, plan=plan)
    held.release()
    plan.write_text(json.dumps({"port_lock": held.lock}))
    free = free_block(1, tmp_path)
    free.release()
    assert free.base == held.base


def test_the_ports_of_three_members_are_left_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portblock, "FIRST_PORT", 22350)
    monkeypatch.setattr(portblock, "last_port", lambda: 22350 + GRANULE)
    free_block(3, tmp_path).release()
    with pytest.raises(SandboxError, match="no block of 4 × 4 free ports"):
        free_block(4, tmp_path)


def test_a_block_with_a_port_in_use_is_passed_over(tmp_path: Path) -> None:
    probe = free_block(3, tmp_path, random.Random(3))
    probe.release()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", probe.base + PORT_STEP + 1))
        holder.listen()
        block = free_block(3, tmp_path, random.Random(3))
        block.release()
    assert block.base != probe.base


def test_blocks_stay_below_the_ports_of_outgoing_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = tmp_path / "range"
    monkeypatch.setattr(portblock, "_EPHEMERAL_RANGE", limits)
    assert portblock.last_port() == 32768
    limits.write_text("25000\t60999\n")
    assert portblock.last_port() == 25000
    limits.write_text("1024\t65535\n")
    assert portblock.last_port() == 32768


def test_where_every_block_is_taken_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portblock, "last_port", lambda: portblock.FIRST_PORT + GRANULE)
    held = free_block(1, tmp_path)
    try:
        with pytest.raises(SandboxError, match="no block of 1 × 4 free ports"):
            free_block(1, tmp_path)
    finally:
        held.release()

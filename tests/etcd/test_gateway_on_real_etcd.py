"""The gateway's questions, asked of real members."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from etcd_sandbox.etcd.answers import Hashed, StatusAnswer
from etcd_sandbox.etcd.gateway import Gateway
from etcd_sandbox.etcd.version import member_id, parse
from etcd_sandbox.model.spec import EtcdBinary

from tests import etcd_versions
from tests.etcd.ports import free_ports

DEADLINE_S = 30.0


@contextmanager
def a_member(
    binary: EtcdBinary, home: Path, scheme: str = "http", *more: str
) -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    ports = free_ports(2)
    client, peer = f"{scheme}://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
    argv = [
        binary.path,
        "--name=m",
        f"--data-dir={home / 'm'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=m={peer}",
        "--heartbeat-interval=10",
        "--election-timeout=50",
        *more,
    ]
    env = {key: value for key, value in os.environ.items() if not key.startswith("ETCD")}
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env=env)
    try:
        yield client, peer, process
    finally:
        process.kill()
        process.wait(DEADLINE_S)


async def serving(gateway: Gateway, client: str) -> StatusAnswer:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            answer = await gateway.status(client, 0.2)
            if isinstance(answer, StatusAnswer) and answer.leader is not None:
                return answer
            await asyncio.sleep(0.02)


@pytest.mark.also_on(*etcd_versions.SERIES)
def test_a_member_answers_all_questions(etcd_binary: EtcdBinary, tmp_path: Path) -> None:
    async def ask(client: str, peer: str) -> None:
        gateway = Gateway()
        try:
            answer = await serving(gateway, client)
            assert answer.member_id == answer.leader == member_id([peer], "etcd-cluster")
            assert answer.version == etcd_binary.version
            assert (answer.term, answer.revision, answer.errors) == (2, 1, ())
            assert (answer.raft_index or 0) >= (answer.raft_applied_index or 0) > 0
            assert answer.db_size_bytes
            assert not answer.is_learner
            assert await gateway.linearizable_read(client, 5)
            assert await gateway.hash_kv(client, 5)
            members = await gateway.members(client, 5)
            assert members is not None
            (member,) = members
            assert (member.id, member.name) == (answer.member_id, "m")
            assert (member.peer_urls, member.client_urls) == ((peer,), (client,))
        finally:
            await gateway.aclose()

    with a_member(etcd_binary, tmp_path) as (client, peer, _):
        asyncio.run(ask(client, peer))


def test_a_paused_member_is_given_up_and_answers_again_when_it_goes_on(
    etcd_binary: EtcdBinary, tmp_path: Path
) -> None:
    async def ask(client: str, process: subprocess.Popen[bytes]) -> None:
        gateway = Gateway()
        try:
            await serving(gateway, client)
            process.send_signal(signal.SIGSTOP)
            # The signal is sent at once and taken a moment later, thread by thread.
            await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED)
            assert await gateway.status(client, 0.15) is None
            assert not await gateway.linearizable_read(client, 0.15)
            process.send_signal(signal.SIGCONT)
            await serving(gateway, client)
            process.kill()
            process.wait(DEADLINE_S)
            assert await gateway.status(client, 0.5) is None
        finally:
            await gateway.aclose()

    with a_member(etcd_binary, tmp_path) as (client, _, process):
        asyncio.run(ask(client, process))


@pytest.mark.also_on(*etcd_versions.SERIES)
def test_members_of_one_version_with_the_same_keys_have_the_same_hash(
    etcd_binary: EtcdBinary, tmp_path: Path
) -> None:
    async def ask(client: str) -> Hashed | None:
        gateway = Gateway()
        try:
            await serving(gateway, client)
            return await gateway.hash_kv(client, 5)
        finally:
            await gateway.aclose()

    hashes: list[Hashed | None] = []
    for name in ("a", "b"):
        home = tmp_path / name
        home.mkdir()
        with a_member(etcd_binary, home) as (client, _, _):
            hashes.append(asyncio.run(ask(client)))
    assert None not in hashes
    # Before hashkv came to the gateway it is the hash of the whole database, members and all.
    of_keys = parse(etcd_binary.version) >= (3, 6)
    for each in hashes:
        assert each is not None
        told = (each.revision, each.compact_revision)
        assert told == ((1, -1) if of_keys else (None, None))
    if of_keys:
        assert hashes[0] == hashes[1]


@pytest.mark.also_on(*etcd_versions.SERIES)
def test_a_member_with_a_certificate_of_its_own_is_asked(
    etcd_binary: EtcdBinary, tmp_path: Path
) -> None:
    async def ask(client: str) -> None:
        gateway = Gateway()
        try:
            await serving(gateway, client)
            assert await gateway.linearizable_read(client, 5)
        finally:
            await gateway.aclose()

    with a_member(etcd_binary, tmp_path, "https", "--auto-tls") as (client, _, _):
        asyncio.run(ask(client))

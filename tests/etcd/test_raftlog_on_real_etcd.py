"""What real etcds log when they start, elect, lose and change leaders, and die, is recognised."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.error import URLError

import pytest
from etcd_sandbox.etcd.logline import fatal_cause, level_of
from etcd_sandbox.etcd.raftlog import Sign, SignKind, scan
from etcd_sandbox.etcd.version import member_id
from etcd_sandbox.model.spec import EtcdBinary

from tests import etcd_versions
from tests.etcd.ports import free_ports

DEADLINE_S = 30.0
TOKEN = "raftlog"
FORMS = [
    pytest.param(series, logger, id=f"{series}-{logger}")
    for series, logger in [
        ("3.4", "capnslog"),
        ("3.4", "zap"),
        ("3.5", "zap"),
        ("3.6", "zap"),
        ("3.7", "zap"),
    ]
]

NEW_LEADER = (SignKind.ELECTED, SignKind.CHANGED_LEADER)

T = TypeVar("T")


def eventually(ask: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        time.sleep(0.02)
    pytest.fail(f"not within {DEADLINE_S:.0f} s: {what}")


class Member:
    """An etcd process of its own, with its log in a file."""

    def __init__(self, binary: str, name: str, home: Path, ports: tuple[int, int]) -> None:
        self.binary = binary
        self.name = name
        self.log = home / f"{name}.log"
        self.data = home / name
        self.client_url = f"http://127.0.0.1:{ports[0]}"
        self.peer_url = f"http://127.0.0.1:{ports[1]}"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def id(self) -> str:
        return member_id([self.peer_url], TOKEN)

    def start(self, cluster: list[Member], logger: str) -> None:
        argv = [
            self.binary,
            f"--name={self.name}",
            f"--data-dir={self.data}",
            f"--listen-client-urls={self.client_url}",
            f"--advertise-client-urls={self.client_url}",
            f"--listen-peer-urls={self.peer_url}",
            f"--initial-advertise-peer-urls={self.peer_url}",
            "--initial-cluster=" + ",".join(f"{each.name}={each.peer_url}" for each in cluster),
            f"--initial-cluster-token={TOKEN}",
            "--heartbeat-interval=50",
            "--election-timeout=500",
        ]
        if logger == "zap":
            argv += ["--logger=zap", "--log-outputs=stderr"]
        env = {key: value for key, value in os.environ.items() if not key.startswith("ETCD")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env=env)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(DEADLINE_S)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE_S)

    def signs(self) -> list[Sign]:
        text = self.log.read_bytes()
        return scan(text[: text.rfind(b"\n") + 1])

    def saw(self, kind: SignKind, after: int = 0) -> Sign | None:
        return next((sign for sign in self.signs()[after:] if sign.kind is kind), None)

    def wait_for(self, kind: SignKind, after: int = 0) -> Sign:
        return eventually(lambda: self.saw(kind, after), f"{self.name}: {kind}")

    def wait_until_it_answers(self) -> None:
        eventually(lambda: answers(self.peer_url), f"{self.name} answers peers")


@contextmanager
def members(series: str, count: int, home: Path) -> Iterator[list[Member]]:
    found = etcd_versions.need(series)
    ports = free_ports(2 * count)
    cluster = [
        Member(found.path, f"m{index}", home, (ports[2 * index], ports[2 * index + 1]))
        for index in range(count)
    ]
    try:
        yield cluster
    finally:
        for member in cluster:
            member.end()


def answers(url: str) -> bool:
    with suppress(URLError, OSError), urllib.request.urlopen(f"{url}/version", timeout=1) as reply:
        return bool(reply.status == 200)
    return False


@pytest.mark.parametrize(("series", "logger"), FORMS)
def test_a_single_member_serves_leads_and_is_stopped(
    series: str, logger: str, tmp_path: Path
) -> None:
    with members(series, 1, tmp_path) as (member,):
        member.start([member], logger)
        member.wait_for(SignKind.PEER_SERVING)
        member.wait_until_it_answers()
        member.wait_for(SignKind.CLIENT_SERVING)
        published = member.wait_for(SignKind.PUBLISHED)
        assert published.member_id in (member.id, None)
        candidate = member.wait_for(SignKind.BECAME_CANDIDATE)
        assert candidate.member_id == member.id
        leader = member.wait_for(SignKind.BECAME_LEADER)
        assert (leader.member_id, leader.leader_id, leader.term) == (member.id, member.id, 2)
        elected = member.wait_for(SignKind.ELECTED)
        assert (elected.member_id, elected.leader_id, elected.term) == (member.id, member.id, 2)

        member.signal(signal.SIGTERM)
        member.wait()
        lines = member.log.read_bytes().splitlines()
        assert fatal_cause(lines) is None
        assert {level_of(line) for line in lines} <= {None, "debug", "info", "warn", "error"}


@pytest.mark.parametrize(("series", "logger"), FORMS)
def test_a_leader_that_is_killed_is_lost_and_another_is_elected(
    series: str, logger: str, tmp_path: Path
) -> None:
    with members(series, 3, tmp_path) as cluster:
        start_all(cluster, logger)
        leader = eventually(lambda: settled_leader(cluster), "one leader")
        followers = [member for member in cluster if member is not leader]
        for member in followers:
            # A cluster may elect more than once while it starts: the last one counts.
            told = [sign for sign in member.signs() if sign.kind in NEW_LEADER]
            assert told[-1].leader_id == leader.id
        before = {member.name: len(member.signs()) for member in followers}
        leader.signal(signal.SIGKILL)
        leader.wait()
        for member in followers:
            seen = before[member.name]
            lost = member.wait_for(SignKind.LOST_LEADER, seen)
            assert (lost.member_id, lost.leader_id) == (member.id, leader.id)
            elected = member.wait_for(SignKind.ELECTED, seen)
            assert elected.leader_id in {each.id for each in followers}
            assert (elected.term or 0) > 2
        candidates = [
            sign
            for member in followers
            for sign in member.signs()[before[member.name] :]
            if sign.kind is SignKind.BECAME_CANDIDATE
        ]
        assert {sign.pre_vote for sign in candidates} == (
            {False} if series == "3.4" else {False, True}
        )


@pytest.mark.parametrize(("series", "logger"), FORMS)
def test_a_paused_leader_learns_of_the_change_and_a_stopped_one_hands_over(
    series: str, logger: str, tmp_path: Path
) -> None:
    with members(series, 3, tmp_path) as cluster:
        start_all(cluster, logger)
        paused = eventually(lambda: settled_leader(cluster), "one leader")
        before = {member.name: len(member.signs()) for member in cluster if member is not paused}
        paused.signal(signal.SIGSTOP)
        eventually(
            lambda: any(
                member.saw(SignKind.BECAME_LEADER, before[member.name])
                for member in cluster
                if member is not paused
            ),
            "another leader",
        )
        seen = len(paused.signs())
        paused.signal(signal.SIGCONT)
        learned = eventually(
            lambda: paused.saw(SignKind.CHANGED_LEADER, seen) or paused.saw(SignKind.ELECTED, seen),
            "the paused leader learns of the change",
        )
        # What it missed may cost 3.4, without pre-vote, another election.
        assert learned.leader_id in {member.id for member in cluster}

        leading = eventually(lambda: settled_leader(cluster), "one leader")
        leading.signal(signal.SIGTERM)
        started = leading.wait_for(SignKind.TRANSFER_STARTED)
        assert started.member_id == leading.id
        assert started.leader_id in {member.id for member in cluster if member is not leading}
        leading.wait()


def start_all(cluster: list[Member], logger: str) -> None:
    """Start one after the other, and wait until all of them serve clients.

    Before that, a signal ends an etcd at once, without a word.
    """
    for member in cluster:
        member.start(cluster, logger)
        member.wait_until_it_answers()
    for member in cluster:
        member.wait_for(SignKind.CLIENT_SERVING)


def settled_leader(cluster: list[Member]) -> Member | None:
    """The member that all members' logs name last, none of them having lost it since."""
    about_leaders = (*NEW_LEADER, SignKind.LOST_LEADER)
    last = [
        [sign for sign in member.signs() if sign.kind in about_leaders][-1] for member in cluster
    ]
    if any(sign.kind is SignKind.LOST_LEADER for sign in last):
        return None
    named = {sign.leader_id for sign in last}
    return next((member for member in cluster if named == {member.id}), None)


@pytest.mark.parametrize(("series", "logger"), FORMS)
def test_the_cause_of_a_failed_start_is_told(series: str, logger: str, tmp_path: Path) -> None:
    with members(series, 1, tmp_path) as (member,), socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        member.peer_url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        member.start([member], logger)
        assert member.wait() == 1
        cause = fatal_cause(member.log.read_bytes().splitlines())
        assert cause is not None
        assert "address already in use" in cause
        assert "discovery failed" not in cause


@pytest.mark.parametrize(("series", "logger"), FORMS)
def test_a_damaged_database_is_told_as_the_cause(series: str, logger: str, tmp_path: Path) -> None:
    with members(series, 1, tmp_path) as (member,):
        database = member.data / "member" / "snap" / "db"
        database.parent.mkdir(parents=True, mode=0o700)
        (member.data / "member" / "wal").mkdir(mode=0o700)
        database.write_bytes(os.urandom(40_000))
        member.start([member], logger)
        assert member.wait() == 2
        cause = fatal_cause(member.log.read_bytes().splitlines())
        assert cause is not None
        assert "invalid database" in cause


@pytest.mark.also_on(*etcd_versions.SERIES)
def test_etcd_says_itself_which_flag_it_does_not_know(etcd_binary: EtcdBinary) -> None:
    done = subprocess.run([etcd_binary.path, "--no-such-flag=1"], capture_output=True, check=False)
    assert done.returncode == 2
    lines = (done.stdout + done.stderr).splitlines()
    assert fatal_cause(lines) == "flag provided but not defined: -no-such-flag"

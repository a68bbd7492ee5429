"""What real etcds log when they start, elect, lose and change leaders, and die, is recognised."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.error import URLError

import pytest

from sandbox.etcd.ids import member_id
from sandbox.etcd.raftlog import Sign, SignKind, fatal_cause, level_of, scan
from sandbox.model.spec import EtcdBinary
from tests import etcd_versions

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

T = TypeVar("T")


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


def eventually(ask: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        time.sleep(0.02)
    pytest.fail(f"not within {DEADLINE_S:.0f} s: {what}")


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def members(series: str, count: int, home: Path) -> Iterator[list[Member]]:
    found = etcd_versions.find(series)
    if found is None:
        if etcd_versions.required():
            pytest.fail(etcd_versions.missing(series))
        pytest.skip(etcd_versions.missing(series))
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
        eventually(lambda: member.saw(SignKind.PEER_SERVING), "the peer port serves")
        eventually(lambda: answers(member.peer_url), "the peer port answers")
        eventually(lambda: member.saw(SignKind.CLIENT_SERVING), "the client port serves")
        published = eventually(lambda: member.saw(SignKind.PUBLISHED), "published")
        assert published.member_id in (member.id, None)
        candidate = eventually(lambda: member.saw(SignKind.BECAME_CANDIDATE), "a candidate")
        assert candidate.member_id == member.id
        leader = eventually(lambda: member.saw(SignKind.BECAME_LEADER), "a leader")
        assert (leader.member_id, leader.leader_id, leader.term) == (member.id, member.id, 2)
        elected = eventually(lambda: member.saw(SignKind.ELECTED), "elected")
        assert (elected.member_id, elected.leader_id, elected.term) == (member.id, member.id, 2)

        member.signal(signal.SIGTERM)
        member.wait()
        stopped = member.saw(SignKind.SIGNALLED)
        assert stopped is not None
        assert stopped.text == "terminated"
        assert member.saw(SignKind.FATAL) is None
        lines = member.log.read_bytes().splitlines()
        assert fatal_cause(lines) is None
        assert {level_of(line) for line in lines} <= {None, "debug", "info", "warn", "error"}


@pytest.mark.parametrize(("series", "logger"), FORMS)
def test_a_leader_that_is_killed_is_lost_and_another_is_elected(
    series: str, logger: str, tmp_path: Path
) -> None:
    with members(series, 3, tmp_path) as cluster:
        for member in cluster:
            member.start(cluster, logger)
            eventually(lambda member=member: answers(member.peer_url), "the peer port answers")
        leader = eventually(
            lambda: next((each for each in cluster if each.saw(SignKind.BECAME_LEADER)), None),
            "a leader",
        )
        followers = [member for member in cluster if member is not leader]
        for member in followers:
            elected = eventually(lambda member=member: member.saw(SignKind.ELECTED), "elected")
            assert elected.leader_id == leader.id
        before = {member.name: len(member.signs()) for member in followers}
        leader.signal(signal.SIGKILL)
        leader.wait()
        for member in followers:
            seen = before[member.name]
            lost = eventually(
                lambda member=member, seen=seen: member.saw(SignKind.LOST_LEADER, seen),
                "the leader is lost",
            )
            assert (lost.member_id, lost.leader_id) == (member.id, leader.id)
            elected = eventually(
                lambda member=member, seen=seen: member.saw(SignKind.ELECTED, seen),
                "another leader",
            )
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
        for member in cluster:
            member.start(cluster, logger)
            eventually(lambda member=member: answers(member.peer_url), "the peer port answers")
        paused = eventually(
            lambda: next((each for each in cluster if each.saw(SignKind.BECAME_LEADER)), None),
            "a leader",
        )
        others = [member for member in cluster if member is not paused]
        paused.signal(signal.SIGSTOP)
        leader = eventually(
            lambda: next((each for each in others if each.saw(SignKind.BECAME_LEADER)), None),
            "another leader",
        )
        seen = len(paused.signs())
        paused.signal(signal.SIGCONT)
        learned = eventually(
            lambda: paused.saw(SignKind.CHANGED_LEADER, seen) or paused.saw(SignKind.ELECTED, seen),
            "the paused leader learns of the change",
        )
        if learned.kind is SignKind.CHANGED_LEADER:
            assert learned.old_leader_id == paused.id
        # What it missed may cost 3.4, without pre-vote, another election.
        assert learned.leader_id in {member.id for member in cluster}

        leading = eventually(lambda: settled_leader(cluster), "one leader")
        leading.signal(signal.SIGTERM)
        started = eventually(lambda: leading.saw(SignKind.TRANSFER_STARTED), "a transfer")
        assert (started.member_id, started.old_leader_id) == (leading.id, leading.id)
        finished = eventually(lambda: leading.saw(SignKind.TRANSFER_FINISHED), "its end")
        assert finished.leader_id == started.leader_id
        assert finished.leader_id in {member.id for member in cluster if member is not leading}
        leading.wait()


def settled_leader(cluster: list[Member]) -> Member | None:
    """The member that all members' logs name last, none of them having lost it since."""
    about_leaders = (SignKind.ELECTED, SignKind.CHANGED_LEADER, SignKind.LOST_LEADER)
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
        fatal = member.saw(SignKind.FATAL)
        assert fatal is not None
        assert "address already in use" in fatal.text
        assert "discovery failed" not in fatal.text
        assert fatal_cause(member.log.read_bytes().splitlines()) == fatal.text


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
        assert member.saw(SignKind.FATAL) is not None


def test_etcd_says_itself_which_flag_it_does_not_know(etcd_binary: EtcdBinary) -> None:
    done = subprocess.run([etcd_binary.path, "--no-such-flag=1"], capture_output=True, check=False)
    assert done.returncode == 2
    lines = (done.stdout + done.stderr).splitlines()
    assert fatal_cause(lines) == "flag provided but not defined: -no-such-flag"

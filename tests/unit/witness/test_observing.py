"""How the witness reads what it sees: etcd's log lines, its answers, its member list."""

from __future__ import annotations

import ast
import asyncio
from datetime import datetime
from pathlib import Path

import pytest

import tests.witness
from tests.witness.history import Span, within
from tests.witness.logreading import LogFile, sign_in
from tests.witness.observed import Outcome, Sample, SignKind
from tests.witness.observer import Observer, answer_in, list_in

LINE = '{"level":"info","ts":"2026-11-30T18:37:59.337400Z","logger":"raft","msg":"%s"}\n'


@pytest.mark.parametrize(
    ("text", "kind", "term", "leader"),
    [
        ("a1 became pre-candidate at term 2", SignKind.PRE_CANDIDATE, 2, None),
        ("a1 became candidate at term 3", SignKind.CANDIDATE, 3, None),
        ("a1 became leader at term 3", SignKind.BECAME_LEADER, 3, None),
        ("a1 became follower at term 4", SignKind.BECAME_FOLLOWER, 4, None),
        ("raft.node: a1 lost leader a2 at term 3", SignKind.LOST_LEADER, 3, "a2"),
        ("raft.node: a1 elected leader a2 at term 3", SignKind.FOUND_LEADER, 3, "a2"),
        ("raft.node: a1 changed leader from a3 to a2 at term 3", SignKind.FOUND_LEADER, 3, "a2"),
        (
            "a1 stepped down to follower since quorum is not active",
            SignKind.STEPPED_DOWN,
            None,
            None,
        ),
    ],
)
def test_leadership_is_read_from_the_lines_of_the_log(
    text: str, kind: SignKind, term: int | None, leader: str | None
) -> None:
    sign = sign_in("infra1", (LINE % text).encode())
    assert sign is not None
    assert (sign.kind, sign.term, sign.leader, sign.id) == (kind, term, leader, "a1")
    assert sign.ts == datetime.fromisoformat("2026-11-30T18:37:59.337400Z").timestamp()


def test_other_lines_tell_nothing() -> None:
    assert sign_in("infra1", (LINE % "a1 received MsgVote at term 3").encode()) is None
    assert sign_in("infra1", b"raft: a1 became leader at term 3") is None
    assert sign_in("infra1", b"") is None


def test_a_line_that_is_not_whole_yet_waits(tmp_path: Path) -> None:
    path = tmp_path / "infra1.log"
    line = (LINE % "a1 became leader at term 3").encode()
    log = LogFile("infra1", path)
    assert log.news() == []
    path.write_bytes(line[:40])
    assert log.news() == []
    with path.open("ab") as file:
        file.write(line[40:])
    assert [sign.kind for sign in log.news()] == [SignKind.BECAME_LEADER]
    assert log.news() == []


def test_an_answer_leaves_out_what_is_zero() -> None:
    header = {"member_id": "161", "revision": "5"}
    answer = answer_in({"header": header, "raftTerm": "3", "errors": ["NOSPACE of 161"]})
    assert (answer.member_id, answer.leader, answer.revision, answer.term) == ("a1", None, 5, 3)
    assert answer.alarms == {"NOSPACE"}
    assert not answer.leads
    assert answer_in({"header": header, "leader": "161"}).leads


def test_a_member_that_never_started_has_no_name() -> None:
    (entry,) = list_in({"members": [{"ID": "161", "peerURLs": ["http://127.0.0.1:1"]}]})
    assert (entry.id, entry.name, entry.learner) == ("a1", "", False)


def test_a_stretch_of_time_holds_what_was_seen_before_in_and_after_it() -> None:
    samples = [Sample(at, at + 0.1, at) for at in (1.0, 2.0, 3.0, 4.0)]
    assert [each.value for each in within(samples, Span(2.5, 2.6))] == [2.0, 3.0]
    assert [each.value for each in within(samples, Span(1.5, 3.5))] == [1.0, 2.0, 3.0, 4.0]
    assert within(samples, Span(3.5, 4.5)) == []
    assert within(samples, Span(0.5, 1.5)) == []


def test_a_read_that_has_no_answer_when_the_witness_goes_is_noted(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    async def story(observer: Observer) -> None:
        reading = asyncio.create_task(observer._read("infra1"))
        await asyncio.wait_for(asked.wait(), 10)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    async def beside_a_server() -> Observer:
        async with await asyncio.start_server(silent, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            observer = Observer(tmp_path, {"infra1": f"http://127.0.0.1:{port}"})
            await story(observer)
        return observer

    asked = asyncio.Event()
    (read,) = asyncio.run(beside_a_server()).watch.reads
    assert read.outcome is Outcome.FAILED
    assert read.ended > read.sent


def test_what_observes_and_compares_shares_no_code_with_the_product() -> None:
    """The course and the test give orders, as a user does; all the others know nothing of it."""
    directory = Path(tests.witness.__file__).parent
    for path in directory.glob("*.py"):
        imported = {
            name
            for statement in ast.walk(ast.parse(path.read_text()))
            for name in (
                [alias.name for alias in statement.names]
                if isinstance(statement, ast.Import)
                else [statement.module or ""]
                if isinstance(statement, ast.ImportFrom)
                else []
            )
        }
        of_product = {name for name in imported if name.split(".")[0] == "etcd_sandbox"}
        if path.name not in ("course.py", "test_witness.py"):
            assert not of_product, path.name
        assert not {
            name
            for name in of_product
            if name.startswith(("etcd_sandbox.cluster", "etcd_sandbox.etcd"))
        }

"""Saving a snapshot: from whom it is taken, and that a file is whole or not there."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from etcd_sandbox.backup import snapshot as backup
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import InputError, SandboxError, TimedOut

from tests import snapshots
from tests.unit.conftest import member

CHUNK = 4000


class FakeMember:
    """Streams `content` as a member does; `ending` is what it does then instead of coming to an end."""

    def __init__(self) -> None:
        self.content = snapshots.snapshot()
        self.ending: Callable[[], object] = lambda: None
        self.refusal: dict[str, Any] | None = None
        self.quorum = True
        self.counted_at: str | None = None
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/v3/maintenance/snapshot":
                    self.close_connection = True
                    self._stream()
                elif asked.get("serializable"):
                    fake.counted_at = asked["revision"]
                    self._answer(200, {"header": {}, "count": "4"})
                elif fake.quorum:
                    self._answer(200, {"header": {}})
                else:
                    self._answer(503, {"code": 14, "message": "etcdserver: request timed out"})

            def _answer(self, status: int, value: dict[str, Any]) -> None:
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def _stream(self) -> None:
                if fake.refusal is not None:
                    self._answer(400, fake.refusal)
                    return
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for at in range(0, len(fake.content), CHUNK):
                    blob = base64.b64encode(fake.content[at : at + CHUNK]).decode()
                    line = json.dumps({"result": {"blob": blob}}).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
                fake.ending()
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its own name
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def fake_member() -> Iterator[FakeMember]:
    fake = FakeMember()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


class FakeClient:
    """A cluster whose members all are at one address."""

    user = None

    def __init__(self, url: str, *members: dict[str, Any]) -> None:
        self._url = url
        self._members = members or (member("infra1", role="leader"),)

    def status(self) -> dict[str, Any]:
        return {"members": list(self._members)}

    def plan(self) -> dict[str, Any]:
        return {
            "processes": [
                {"name": each["process"], "member": {"name": each["name"], "client_url": self._url}}
                for each in self._members
            ]
        }


def save(
    fake: FakeMember,
    path: Path,
    *members: dict[str, Any],
    on: tuple[str, ...] = (),
    overwrite: bool = False,
    timeout_s: float = 5.0,
) -> backup.Snapshot:
    client = cast(ControlClient, FakeClient(fake.url, *members))
    return backup.save(client, path, on=on, overwrite=overwrite, timeout_s=timeout_s)


def test_the_file_is_what_the_member_streamed(fake_member: FakeMember, tmp_path: Path) -> None:
    path = tmp_path / "backup.db"
    saved = save(fake_member, path)
    assert path.read_bytes() == fake_member.content
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert saved == backup.Snapshot(
        path=str(path),
        size_bytes=len(fake_member.content),
        sha256=fake_member.content[-32:].hex(),
        revision=7,
        keys=4,
        version="3.6.16",
        member="infra1",
        role="leader",
        endpoint=fake_member.url,
        quorum=True,
        by_hand=f"etcdctl --endpoints={saved.endpoint} snapshot save {saved.path}",
    )
    assert fake_member.counted_at == "7"


def test_without_a_quorum_it_says_so(fake_member: FakeMember, tmp_path: Path) -> None:
    fake_member.quorum = False
    assert save(fake_member, tmp_path / "backup.db").quorum is False


def test_a_file_that_is_there_is_not_replaced_unasked(
    fake_member: FakeMember, tmp_path: Path
) -> None:
    path = tmp_path / "backup.db"
    path.write_text("mine")
    with pytest.raises(InputError, match="there already") as caught:
        save(fake_member, path)
    assert "--force" in caught.value.hint
    assert path.read_text() == "mine"
    save(fake_member, path, overwrite=True)
    assert path.read_bytes() == fake_member.content


def test_a_file_that_came_meanwhile_is_not_replaced_either(
    fake_member: FakeMember, tmp_path: Path
) -> None:
    path = tmp_path / "backup.db"
    fake_member.ending = lambda: path.write_text("mine")
    with pytest.raises(InputError, match="there already"):
        save(fake_member, path)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_where_no_file_can_be_is_named(fake_member: FakeMember, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory"):
        save(fake_member, tmp_path)
    with pytest.raises(InputError, match="no such directory") as caught:
        save(fake_member, tmp_path / "a" / "b.db")
    assert caught.value.where == str(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_ends_too_early_leaves_no_file(
    fake_member: FakeMember, tmp_path: Path
) -> None:
    def break_off() -> None:
        raise ConnectionAbortedError

    fake_member.server.handle_error = lambda *_: None  # type: ignore[method-assign]
    fake_member.ending = break_off
    with pytest.raises(SandboxError, match="ended the snapshot early"):
        save(fake_member, tmp_path / "backup.db")
    assert list(tmp_path.iterdir()) == []


def test_a_member_that_falls_silent_is_given_up(fake_member: FakeMember, tmp_path: Path) -> None:
    heard = threading.Event()
    fake_member.ending = lambda: heard.wait(5)
    with pytest.raises(TimedOut, match=r"sent nothing for 0\.1 s"):
        save(fake_member, tmp_path / "backup.db", timeout_s=0.1)
    heard.set()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_whole_is_not_kept(fake_member: FakeMember, tmp_path: Path) -> None:
    path = tmp_path / "backup.db"
    path.write_text("older")
    fake_member.content = fake_member.content[:-40]
    with pytest.raises(SandboxError, match="no whole snapshot"):
        save(fake_member, path, overwrite=True)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_members_refusal_is_told_in_its_words(fake_member: FakeMember, tmp_path: Path) -> None:
    fake_member.refusal = {"code": 3, "message": "etcdserver: user name is empty"}
    with pytest.raises(SandboxError, match="user name is empty"):
        save(fake_member, tmp_path / "backup.db")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_command_left_is_no_obstacle(fake_member: FakeMember, tmp_path: Path) -> None:
    (tmp_path / "backup.db.part").write_bytes(b"x" * 10**6)
    save(fake_member, tmp_path / "backup.db")
    assert (tmp_path / "backup.db").read_bytes() == fake_member.content
    assert [path.name for path in tmp_path.iterdir()] == ["backup.db"]


def test_two_at_once_do_not_write_into_one_file(fake_member: FakeMember, tmp_path: Path) -> None:
    path, second = tmp_path / "backup.db", []

    def meanwhile() -> None:
        with pytest.raises(SandboxError, match="another snapshot is being written") as caught:
            save(fake_member, path)
        second.append(caught.value)

    fake_member.ending = meanwhile
    save(fake_member, path)
    assert second
    assert path.read_bytes() == fake_member.content


ONE, TWO = member("infra1", raft_applied_index=5), member("infra2", raft_applied_index=9)


@pytest.mark.parametrize(
    ("members", "on", "taken_from"),
    [
        ((ONE, TWO), (), "infra2"),
        ((ONE | {"role": "leader"}, TWO), (), "infra1"),
        ((ONE | {"term": 3}, TWO), (), "infra1"),
        ((ONE, TWO | {"role": "learner"}), (), "infra1"),
        ((ONE, TWO | {"role": None, "raft_applied_index": None}), (), "infra1"),
        ((ONE | {"role": "candidate"}, TWO | {"role": None}), (), "infra1"),
        ((ONE, TWO), ("infra1",), "infra1"),
        ((ONE, TWO), ("etcd1",), "infra1"),
        ((ONE | {"role": "leader"}, TWO), ("followers",), "infra2"),
    ],
)
def test_it_is_taken_from_the_leader_or_who_has_the_newest(
    fake_member: FakeMember,
    tmp_path: Path,
    members: tuple[dict[str, Any], ...],
    on: tuple[str, ...],
    taken_from: str,
) -> None:
    saved = save(fake_member, tmp_path / "backup.db", *members, on=on)
    assert saved.member == taken_from


@pytest.mark.parametrize(
    ("members", "on", "told"),
    [
        ((ONE | {"role": None},), (), "no member answers"),
        ((ONE, TWO), ("members",), "several: infra1, infra2"),
        ((ONE, TWO | {"role": "learner"}), ("learners",), "it is a learner"),
        ((ONE, TWO | {"role": None}), ("infra2",), "it does not answer"),
        ((ONE, TWO), ("infra9",), "infra9"),
    ],
)
def test_who_cannot_give_one_is_told_why(
    fake_member: FakeMember,
    tmp_path: Path,
    members: tuple[dict[str, Any], ...],
    on: tuple[str, ...],
    told: str,
) -> None:
    with pytest.raises(SandboxError, match=told):
        save(fake_member, tmp_path / "backup.db", *members, on=on)
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_without_members_says_that_it_has_none(tmp_path: Path) -> None:
    client = FakeClient("http://127.0.0.1:1")
    client._members = ()
    with pytest.raises(SandboxError, match="this cluster has no etcd member"):
        backup.save(
            cast(ControlClient, client), tmp_path / "b", on=(), overwrite=False, timeout_s=1
        )

"""Both clients ask the same, understand the same, and fail with the same errors."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterable, Callable
from typing import Any, TypeVar

import psutil
import pytest
from etcd_sandbox import verbs
from etcd_sandbox.control.async_client import AsyncControlClient
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.control.wire import (
    NOW_FRAME,
    Frame,
    LinesFrame,
    NowFrame,
    SkippedFrame,
    lines_header,
    skipped_frame,
)
from etcd_sandbox.errors import BY_EXIT_CODE, NotRunning, SandboxError, TimedOut
from etcd_sandbox.paths import ClusterPaths, cluster_paths

from tests.unit.conftest import FakeSupervisor, status_answer

Begin = Callable[..., FakeSupervisor]
Said = TypeVar("Said")

LOG = lines_header(1, 10, 4, "etcd1") + b"a\nb\n" + skipped_frame(3) + NOW_FRAME
FRAMES: list[Frame] = [LinesFrame(1, 10, "etcd1", b"a\nb\n"), SkippedFrame(3), NowFrame()]
EVENTS = [{"seq": 1, "kind": "cluster.ready", "text": "one line\u2028still"}, {"seq": 2}]


class Awaited:
    """The asynchronous client behind the blocking one's face."""

    def __init__(self, paths: ClusterPaths) -> None:
        self._paths = paths

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*args: Any, **how: Any) -> Any:
            async def go() -> Any:
                told = getattr(AsyncControlClient(self._paths), name)(*args, **how)
                return await listed(told) if hasattr(told, "__aiter__") else await told

            return asyncio.run(go())

        return ask


async def listed(stream: AsyncIterable[Said]) -> list[Said]:
    return [each async for each in stream]


@pytest.fixture(params=[ControlClient, Awaited])
def client_of(request: pytest.FixtureRequest) -> Callable[[ClusterPaths], Any]:
    kind: Callable[[ClusterPaths], Any] = request.param
    return kind


def test_questions_are_answered(
    supervisor: Begin, client_of: Callable[[ClusterPaths], Any]
) -> None:
    fake = supervisor(
        status=status_answer(), plan={"processes": []}, ready={"ready_s": 1.0}, apply={"line": ""}
    )
    client = client_of(fake.paths)
    assert client.status(with_hash=True) == status_answer()
    assert client.plan() == {"processes": []}
    assert client.ready(2.0) == {"ready_s": 1.0}
    assert client.apply({"name": "x"}, dry_run=True) == {"line": ""}
    asked = [(each.method, each.path, each.query, each.body) for each in fake.asked]
    assert asked == [
        ("GET", "/v1/status", {"hash": ["1"]}, None),
        ("GET", "/v1/plan", {}, None),
        ("GET", "/v1/ready", {"timeout_s": ["2.0"]}, None),
        ("POST", "/v1/apply", {"dry_run": ["1"]}, {"name": "x"}),
    ]


def test_an_order_is_sent_with_all_that_it_takes(
    supervisor: Begin, client_of: Callable[[ClusterPaths], Any]
) -> None:
    fake = supervisor(**{"act/partition": {"verb": "partition"}, "shutdown": {"stopping": True}})
    client = client_of(fake.paths)
    told = client.act(verbs.PARTITION, ["leader"], versus=["infra3"], seed=1, wait=False)
    assert told == {"verb": "partition"}
    assert fake.asked[0].body["select"] == ["leader"]
    assert fake.asked[0].body["versus"] == ["infra3"]
    assert fake.asked[0].body["wait"] is False
    assert client.shutdown(purge=True) == {"stopping": True}
    assert fake.asked[1].body == {"kill": False, "purge": True}


def test_streams_are_read_to_their_end(
    supervisor: Begin, client_of: Callable[[ClusterPaths], Any]
) -> None:
    lines = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in EVENTS)
    fake = supervisor(events=lines.encode(), logs=LOG)
    client = client_of(fake.paths)
    assert list(client.events(follow=False)) == EVENTS
    assert list(client.logs(["infra1"], follow=False, tail=2)) == FRAMES
    assert fake.asked[1].query == {"follow": ["0"], "tail": ["2"], "select": ["infra1"]}


@pytest.mark.parametrize("kind", list(BY_EXIT_CODE.values()))
def test_the_supervisors_errors_come_back_as_they_were(
    supervisor: Begin, client_of: Callable[[ClusterPaths], Any], kind: type[SandboxError]
) -> None:
    told = {"what": "no", "where": "here", "hint": "do", "exit_code": kind.exit_code}
    fake = supervisor(status=(400, {"error": told}), events=(400, {"error": told}))
    client = client_of(fake.paths)
    with pytest.raises(kind, match="no, here") as caught:
        client.status()
    assert caught.value.hint == "do"
    with pytest.raises(kind, match="no, here"):
        list(client.events(follow=True))


def test_without_a_supervisor_the_cluster_is_not_running(
    home: object, client_of: Callable[[ClusterPaths], Any]
) -> None:
    with pytest.raises(NotRunning, match="no cluster 'default' is running"):
        client_of(cluster_paths("default")).status()
    with pytest.raises(NotRunning, match="no cluster 'default' is running"):
        list(client_of(cluster_paths("default")).logs(follow=True))


def test_a_supervisor_that_dies_amid_the_answer_is_told(
    home: object, client_of: Callable[[ClusterPaths], Any]
) -> None:
    paths = cluster_paths("default")
    paths.root.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(paths.socket))
        listener.listen()

        def hang_up() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")

        dying = threading.Thread(target=hang_up)
        dying.start()
        with pytest.raises(NotRunning, match="ended while it was asked"):
            client_of(paths).status()
        dying.join()


def test_a_supervisor_that_does_not_answer_is_not_waited_for_without_end(
    home: object, client_of: Callable[[ClusterPaths], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etcd_sandbox.control.requests.ANSWER_TIMEOUT_S", 0.05)
    paths = cluster_paths("default")
    paths.root.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(paths.socket))
        listener.listen()
        with pytest.raises(TimedOut, match="did not answer in time"):
            client_of(paths).status()


def test_a_question_without_an_answer_leaves_no_descriptor(
    home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etcd_sandbox.control.requests.ANSWER_TIMEOUT_S", 0.05)
    paths = cluster_paths("default")
    paths.root.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(paths.socket))
        listener.listen()
        before = psutil.Process().num_fds()
        with pytest.raises(TimedOut) as caught:
            ControlClient(paths).status()
        assert psutil.Process().num_fds() == before
        assert caught.value.__traceback__ is not None  # its frames hold what was open


def test_frames_may_come_in_pieces_of_any_size() -> None:
    from etcd_sandbox.control.async_client import WholeFrames

    for size in range(1, len(LOG)):
        pieces = WholeFrames()
        found = [
            frame
            for start in range(0, len(LOG), size)
            for frame in pieces.of(LOG[start : start + size])
        ]
        assert found == FRAMES

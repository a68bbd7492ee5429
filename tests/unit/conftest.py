"""A home of the test's own, and a supervisor that answers from a table on a real Unix socket."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from etcd_sandbox.paths import ClusterPaths, cluster_paths
from hypothesis import HealthCheck, settings

# An example takes long when the machine is busy: that says nothing about the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@dataclass
class Asked:
    """One request that the supervisor got."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Any


@dataclass
class FakeSupervisor:
    """Answers `answers[path]`: a JSON value, bytes for a stream, or (status, JSON)."""

    paths: ClusterPaths
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def reply(self, request: Asked) -> tuple[int, bytes]:
        self.asked.append(request)
        answer = self.answers.get(request.path, (404, {"error": {"what": "no such path"}}))
        status, value = answer if isinstance(answer, tuple) else (200, answer)
        return status, value if isinstance(value, bytes) else json.dumps(value).encode()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture(scope="session", autouse=True)
def _a_cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What commands remember of this machine's etcds is not the user's to keep."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state directory, and a current directory without inputs."""
    where = tmp_path / "home"
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(where))
    monkeypatch.delenv("ETCD_SANDBOX_CLUSTER", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(work)
    return where


@pytest.fixture
def supervisor(home: Path) -> Iterator[Callable[..., FakeSupervisor]]:
    """Starts a supervisor under a cluster's name."""
    servers: list[_Server] = []

    def begin(name: str = "default", **answers: Any) -> FakeSupervisor:
        paths = cluster_paths(name)
        paths.root.mkdir(parents=True)
        paths.supervisor.write_text('{"pid": 1}')
        fake = FakeSupervisor(paths, {f"/v1/{key}": value for key, value in answers.items()})

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                parts = urlsplit(self.path)
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.loads(content) if content else None
                asked = Asked(str(self.command), parts.path, parse_qs(parts.query), body)
                status, data = fake.reply(asked)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its own name
                """Say nothing."""

        server = _Server(str(paths.socket), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return fake

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


def member(name: str = "infra1", **changes: Any) -> dict[str, Any]:
    """A member as `status --json` tells it."""
    return {
        "name": name,
        "process": name.replace("infra", "etcd"),
        "id": "8211f1d0f64f3269",
        "pid": 4242,
        "state": "running",
        "role": "follower",
        "healthy": True,
        "term": 2,
        "revision": 7,
        "raft_index": 8,
        "raft_applied_index": 8,
        "db_size_bytes": 20480,
        "hash": None,
        "version": "3.6.16",
        "client_url": "http://127.0.0.1:12379",
        "peer_url": "http://127.0.0.1:12380",
        "data_dir": "/data",
        "cpu_percent": 1.25,
        "rss_bytes": 31_000_000,
        "restarts": 0,
        "uptime_s": 75.0,
        "exit": None,
        **changes,
    }


def status_answer(*members: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """`status --json` of a cluster with these members."""
    return {
        "schema": 1,
        "cluster": "default",
        "supervisor": {"pid": 1, "version": "0.1.0", "uptime_s": 61.0},
        "leader": "infra1",
        "term": 2,
        "quorum": {"voters": 3, "needed": 2, "healthy": 3, "ok": True},
        "members": list(members),
        "processes": [],
        "faults": [],
        **changes,
    }


def plan_answer(*names: str) -> dict[str, Any]:
    """A plan with these members and the process `web`."""
    processes: list[dict[str, Any]] = [
        {
            "name": name.replace("infra", "etcd"),
            "stop_timeout_s": 1.0,
            "member": {
                "name": name,
                "id": f"{index}a",
                "client_url": f"http://127.0.0.1:{index}2379",
                "data_dir": f"/data/{name}",
                "data_owned": True,
                "etcd": None,
                "client_cert": "",
                "client_key": "",
            },
        }
        for index, name in enumerate(names, start=1)
    ]
    web = {"name": "web", "stop_timeout_s": 1.0, "member": None}
    return {"source": {"kind": "members", "path": ""}, "processes": [web, *processes]}

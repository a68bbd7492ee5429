"""Discovery services that are not ours: real etcds, and one that makes its tokens itself.

The latter does over HTTP what discovery.etcd.io does, with a real etcd behind it: `/new?size=N`
answers the URL of a fresh token, and everything below `/TOKEN` is that etcd's v2 registry.
"""

from __future__ import annotations

import http.client
import subprocess
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.spec import EtcdBinary

from tests import etcd_versions
from tests.conftest import until
from tests.etcd.ports import free_ports

V2 = "/v2/keys/discovery"
REGISTRY = "/v2/keys/_etcd/registry"


class Service:
    """A real etcd by itself, that can be stopped and started again."""

    def __init__(self, binary: EtcdBinary, directory: Path, *, v2: bool) -> None:
        client, peer = free_ports(2)
        self.url, peer_url = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        self._argv = [
            binary.path,
            f"--data-dir={directory}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=default={peer_url}",
            "--heartbeat-interval=10",
            "--election-timeout=100",
            *(["--enable-v2"] if v2 else []),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers."""
        self._process = subprocess.Popen(
            self._argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
        )
        until(lambda: _answers(f"{self.url}/health"))

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def register(self, token: str, size: int) -> str:
        """Register a token in the v2 protocol, as etcd's documentation does; its URL."""
        url = f"{self.url}{V2}/{token}"
        put(f"{url}/_config/size", f"value={size}")
        return url


def put(url: str, form: str) -> None:
    """PUT a form, as `curl -X PUT -d` does."""
    asked = urllib.request.Request(url, form.encode(), method="PUT")
    asked.add_header("Content-Type", "application/x-www-form-urlencoded")
    with urllib.request.urlopen(asked, timeout=5):
        pass


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return b"true" in answer.read()
    except OSError:
        return False


@contextmanager
def public_service(etcd: Service) -> Iterator[str]:
    """The URL of a service that makes tokens itself."""
    behind = urlsplit(etcd.url).netloc

    class Front(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            if asked.path == "/new":
                token, size = uuid.uuid4().hex, parse_qs(asked.query)["size"][0]
                put(f"{etcd.url}{REGISTRY}/{token}/_config/size", f"value={size}")
                text = f"http://127.0.0.1:{server.server_port}/{token}".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            else:
                self._hand_on()

        def do_PUT(self) -> None:
            self._hand_on()

        def _hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            upstream = http.client.HTTPConnection(behind)
            kept = {k: v for k, v in self.headers.items() if k.lower() == "content-type"}
            upstream.request(self.command, REGISTRY + self.path, body, kept)
            answer = upstream.getresponse()
            # A watch sends its headers long before its body.
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.read())
            upstream.close()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


Serve = Callable[..., Service]


def v2_server() -> EtcdBinary:
    """An etcd that can serve the v2 protocol; the test is skipped without."""
    return etcd_versions.need("3.5", "3.4")


def speaks_v2_only(binary: EtcdBinary) -> bool:
    """Whether members of this etcd need the v2 protocol."""
    return parse(binary.version)[:2] < (3, 6)


@contextmanager
def services(directory: Path) -> Iterator[Serve]:
    """Starts real etcds by themselves, and ends them all."""
    with ExitStack() as stack:
        count = 0

        def serve(binary: EtcdBinary, *, v2: bool | None = None) -> Service:
            nonlocal count
            count += 1
            enable = speaks_v2_only(binary) if v2 is None else v2
            service = Service(binary, directory / f"service{count}", v2=enable)
            stack.callback(service.stop)
            service.start()
            return service

        yield serve

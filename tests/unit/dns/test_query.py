"""Questions to a DNS server."""

from __future__ import annotations

import socket
import time

import pytest
from dnslib.server import DNSLogger, DNSServer
from etcd_sandbox.dns import query
from etcd_sandbox.dns.__main__ import Zone
from etcd_sandbox.dns.recordfile import parse

ADDRESS = "127.0.0.1"
PATIENCE_S = 5.0


def lines(name: str, targets: set[tuple[str, int]]) -> str:
    return "".join(f"srv-host={name},{target},{port}\n" for target, port in targets)


def test_a_server_that_is_not_there_yet_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind((ADDRESS, 0))
        monkeypatch.setattr(query, "PORT", nobody.getsockname()[1])
    began = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        query.services(ADDRESS, "_few.a.test", PATIENCE_S)
    assert time.monotonic() - began < PATIENCE_S / 2


def test_every_record_is_told_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = ({(f"infra{n}.a.test", n) for n in range(1, count + 1)} for count in (2, 25))
    text = lines("_few.a.test", few) + lines("_many.a.test", many)
    with DNSServerOf(text) as port:
        monkeypatch.setattr(query, "PORT", port)
        assert query.services(ADDRESS, "_few.a.test", PATIENCE_S) == few
        assert query.services(ADDRESS, "_many.a.test", PATIENCE_S) == many


class DNSServerOf:
    """An embedded server of these records on a free port, by UDP and TCP."""

    def __init__(self, text: str) -> None:
        self._zone = Zone(parse(text, "f"))

    def __enter__(self) -> int:
        quiet = DNSLogger("", prefix=False)
        first = DNSServer(self._zone, ADDRESS, 0, tcp=True, logger=quiet)
        port: int = first.server.server_address[1]
        self._servers = [first, DNSServer(self._zone, ADDRESS, port, logger=quiet)]
        for server in self._servers:
            server.start_thread()
        return port

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.stop()
            server.server.server_close()

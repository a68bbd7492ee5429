"""HTTP over etcd's Unix sockets."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from etcd_sandbox.etcd.exchange import Exchange


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    said = head.split()[1].encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
    await writer.drain()
    writer.close()


def no_tls() -> ssl.SSLContext:
    raise AssertionError


@pytest.mark.parametrize("directory", ["run", "v3/kv", "d" * 120])
@pytest.mark.parametrize("target", ["/v3/kv/range", "/version", "/metrics"])
def test_a_member_is_asked_over_its_socket_wherever_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, directory: str, target: str
) -> None:
    place = tmp_path / directory
    place.mkdir(parents=True)
    # As etcd does it: however long the path of its directory is, a relative one can be bound.
    monkeypatch.chdir(place)

    async def ask() -> tuple[int, bytes]:
        async with await asyncio.start_unix_server(answer, "localhost:12379"):
            http = Exchange(no_tls)
            said = await http.send("POST", f"unix://{place}/localhost:12379{target}", b"{}")
            await http.aclose()
            return said

    assert asyncio.run(ask()) == (200, target.encode())


def test_a_socket_that_is_not_there_is_trouble_like_any_other(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        asyncio.run(Exchange(no_tls).send("GET", f"unix://{tmp_path}/none/version", b""))
    assert Exchange(no_tls).certificate(f"unix://{tmp_path}/none") is None

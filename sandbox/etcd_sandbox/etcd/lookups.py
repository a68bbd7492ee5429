"""Looks the names of hosts up so that nothing else waits: a name server may take ten seconds to say nothing."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading


class Lookups:
    """One look-up for each name at a time, in a thread of its own that holds up neither work nor the end.

    asyncio's own would share its few threads with all other work, and the program waits for them at its end.
    """

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Future[list[str]]] = {}

    async def addresses(self, host: str) -> list[str]:
        """Where the host can be reached; it itself where there is nothing to look up. Raises OSError."""
        if host == "localhost" or _is_address(host):
            return [host]
        found = self._under_way.get(host)
        if found is None:
            loop = asyncio.get_running_loop()
            found = self._under_way[host] = loop.create_future()
            found.add_done_callback(lambda ended: self._over(host, ended))
            threading.Thread(target=_look_up, args=(host, loop, found), daemon=True).start()
        return await asyncio.shield(found)

    def _over(self, host: str, ended: asyncio.Future[list[str]]) -> None:
        del self._under_way[host]
        if not ended.cancelled():
            ended.exception()  # whoever asked may have given up


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _look_up(host: str, loop: asyncio.AbstractEventLoop, found: asyncio.Future[list[str]]) -> None:
    addresses: list[str] = []
    trouble: OSError | None = None
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
    except OSError as error:
        trouble = error
    except UnicodeError:
        trouble = OSError(f"{host} cannot be a host's name")

    def tell() -> None:
        if found.done():
            return
        if trouble is not None:
            found.set_exception(trouble)
        else:
            found.set_result(addresses)

    with contextlib.suppress(RuntimeError):  # the program has ended
        loop.call_soon_threadsafe(tell)

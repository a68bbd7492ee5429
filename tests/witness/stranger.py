"""What people do to a cluster without the product: plain requests to etcd, as etcdctl makes them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from typing import Any

from tests.witness.etcdclient import PASSWORD, USER, Endpoint, Unanswered

TIMEOUT_S = 8.0


class Stranger:
    """Asks the first member that does it; says whether one did."""

    def __init__(self, urls: Iterable[str]) -> None:
        self._urls = list(urls)

    def adds_a_member(self, peer_url: str) -> bool:
        """`etcdctl member add` of a member that nobody starts."""
        return self._do("/v3/cluster/member/add", {"peerURLs": [peer_url]}) is not None

    def removes_what_never_started(self) -> bool:
        """`etcdctl member remove` of everyone without a name."""
        listed = self._do("/v3/cluster/member/list", {}) or {}
        ids = [each["ID"] for each in listed.get("members", ()) if not each.get("name")]
        return all(self._do("/v3/cluster/member/remove", {"ID": id_}) is not None for id_ in ids)

    def raises_nospace(self) -> bool:
        """What a member does that is full: the alarm is up for all."""
        listed = self._do("/v3/cluster/member/list", {}) or {}
        ids = [each["ID"] for each in listed.get("members", ()) if each.get("name")]
        return bool(ids) and self._alarm("ACTIVATE", ids[0])

    def disarms(self) -> bool:
        """`etcdctl alarm disarm`."""
        listed = self._do("/v3/maintenance/alarm", {"action": "GET"}) or {}
        up = [each["memberID"] for each in listed.get("alarms", ())]
        return all(self._alarm("DEACTIVATE", member) for member in up)

    def enables_auth(self) -> bool:
        """`etcdctl user add root`, its role, `etcdctl auth enable`."""
        self._do("/v3/auth/user/add", {"name": USER, "password": PASSWORD})
        self._do("/v3/auth/role/add", {"name": "root"})
        self._do("/v3/auth/user/grant", {"user": USER, "role": "root"})
        return self._do("/v3/auth/enable", {}) is not None

    def disables_auth(self) -> bool:
        """`etcdctl auth disable`, by root."""
        return self._do("/v3/auth/disable", {}) is not None

    def fills(self, keys: int, size: int = 60_000) -> None:
        """Values until the quota is full, if it is a small one."""
        value = base64.b64encode(bytes(size)).decode()
        for number in range(keys):
            key = base64.b64encode(f"full/{number}".encode()).decode()
            if self._do("/v3/kv/put", {"key": key, "value": value}) is None:
                return

    def _alarm(self, action: str, member: str) -> bool:
        body = {"action": action, "memberID": member, "alarm": "NOSPACE"}
        return self._do("/v3/maintenance/alarm", body) is not None

    def _do(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        return asyncio.run(self._asked(path, body))

    async def _asked(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        for url in self._urls:
            endpoint = Endpoint(url)
            try:
                reply = await endpoint.ask(path, body, TIMEOUT_S, patient=True)
            except Unanswered:
                continue
            finally:
                endpoint.close()
            if not reply.error:
                return dict(reply.body)
        return None

"""Reads keys of a cluster through etcd's JSON gateway, as its leader has them."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Iterable

from etcd_sandbox.etcd.exchange import TROUBLE, Exchange
from etcd_sandbox.learn.condition import Condition
from etcd_sandbox.learn.view import Pairs
from etcd_sandbox.model.state import ClusterStatus

READ_GIVES_UP_S = 1.0


class Keys:
    """Reads for conditions. The reads ask no quorum: a member answers for itself, and changes nothing."""

    def __init__(self) -> None:
        self._http = Exchange(ssl.create_default_context)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def read(
        self, conditions: Iterable[Condition], status: ClusterStatus
    ) -> dict[str, Pairs]:
        """The keys of each condition, by its key or prefix; left out where the leader did not answer."""
        url = next((each.client_url for each in status.members if each.name == status.leader), None)
        found: dict[str, Pairs] = {}
        for condition in conditions:
            if url is None:
                break
            word = condition.key or condition.prefix
            pairs = await self._range(url, word, prefix=bool(condition.prefix))
            if pairs is not None:
                found[word] = pairs
        return found

    async def _range(self, url: str, key: str, *, prefix: bool) -> Pairs | None:
        asked: dict[str, object] = {"key": _base64(key.encode()), "serializable": True}
        if prefix:
            first = key.encode()
            asked["range_end"] = _base64(first[:-1] + bytes([first[-1] + 1]))
        try:
            async with asyncio.timeout(READ_GIVES_UP_S):
                status, body = await self._http.send(
                    "POST", f"{url}/v3/kv/range", json.dumps(asked).encode()
                )
            answer = json.loads(body)
        except TROUBLE:
            return None
        if status != 200 or "header" not in answer:
            return None
        return tuple((_text(pair, "key"), _text(pair, "value")) for pair in answer.get("kvs", ()))


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _text(pair: dict[str, str], field: str) -> str:
    return base64.b64decode(pair.get(field, "")).decode(errors="replace")

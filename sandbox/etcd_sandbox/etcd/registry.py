"""What a discovery service keeps for a token, in both protocols: its keys, and how its answers are read."""

from __future__ import annotations

import base64
import json
from typing import Any

from msgspec import Struct

from etcd_sandbox.model.state import Registration

SIZE_KEY = "_config/size"
"""Where the size is kept, below the token."""

_V3_PREFIX = "/_etcd/registry/"
_V3_MEMBERS = "members/"


class TokenState(Struct, frozen=True):
    """A registered token: its size, and who has registered, the earliest first.

    More than `size` may have: only the first so many are members of the cluster.
    """

    size: int
    registered: tuple[Registration, ...] = ()

    @property
    def is_full(self) -> bool:
        """As many have registered as the token is for."""
        return len(self.registered) >= self.size


class NotUnderstood(Exception):
    """The answer is not one of a discovery service; the text says what it is instead."""


def v3_prefix(token: str) -> str:
    """Below which the v3 protocol keeps everything of a token (etcd 3.6: `api/v3discovery`)."""
    return f"{_V3_PREFIX}{token}/"


def v3_range(token: str) -> bytes:
    """The question of the JSON gateway for everything of a token."""
    prefix = v3_prefix(token)
    behind = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return json.dumps({"key": _base64(prefix), "range_end": _base64(behind)}).encode()


def v3_creation(token: str, size: int) -> bytes:
    """The transaction that registers a token unless it is registered."""
    key = _base64(v3_prefix(token) + SIZE_KEY)
    return json.dumps(
        {
            "compare": [{"key": key, "target": "CREATE", "create_revision": "0"}],
            "success": [{"request_put": {"key": key, "value": _base64(str(size))}}],
        }
    ).encode()


def read_v3(status: int, text: bytes, token: str) -> TokenState | None:
    """The token in the answer to `v3_range`; None when it is not registered. Raises NotUnderstood."""
    answer = _object(status, text)
    if "header" not in answer:
        raise NotUnderstood(str(answer.get("message") or answer.get("error") or status))
    size, found = None, []
    prefix = v3_prefix(token)
    for entry in answer.get("kvs", ()):
        key, value = (_text(entry, name).removeprefix(prefix) for name in ("key", "value"))
        if key == SIZE_KEY:
            size = _size(value)
        elif key.startswith(_V3_MEMBERS):
            created = int(entry.get("create_revision", 0))
            found.append((created, _registration(key.removeprefix(_V3_MEMBERS), value)))
    return None if size is None else TokenState(size, _in_order(found))


def read_v2_size(status: int, text: bytes) -> int | None:
    """The size in a v2 answer; None for a token that is not registered. Raises NotUnderstood."""
    answer = _object(status, text)
    if answer.get("errorCode") == _KEY_NOT_FOUND:
        return None
    return _size(str(_node(answer).get("value", "")))


def read_v2_members(status: int, text: bytes) -> tuple[Registration, ...]:
    """Who has registered, in a v2 answer for the whole token. Raises NotUnderstood."""
    found = []
    for entry in _node(_object(status, text)).get("nodes", ()):
        name = str(entry.get("key", "")).rpartition("/")[2]
        if not name.startswith("_"):
            created = int(entry.get("createdIndex", 0))
            found.append((created, _registration(name, str(entry.get("value", "")))))
    return _in_order(found)


_KEY_NOT_FOUND = 100
_NOT_FOUND = 404


def _object(status: int, text: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        return answer
    if status == _NOT_FOUND:
        raise NotUnderstood("it answers 404 Not Found")
    raise NotUnderstood(f"it answers with status {status} and what is no JSON object")


def _node(answer: dict[str, Any]) -> dict[str, Any]:
    node = answer.get("node")
    if isinstance(node, dict):
        return node
    raise NotUnderstood(str(answer.get("message") or "its answer has no node"))


def _size(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise NotUnderstood(f"the token's size is {value!r}, which is no number") from None


def _registration(id_: str, value: str) -> Registration:
    """`infra1=http://a:1,infra1=http://b:1`: the name once, the URLs together."""
    pairs = [pair.partition("=") for pair in value.split(",")]
    return Registration(
        member=pairs[0][0], id=id_, peer_urls=",".join(url for _, _, url in pairs if url)
    )


def _in_order(found: list[tuple[int, Registration]]) -> tuple[Registration, ...]:
    return tuple(each for _, each in sorted(found, key=lambda pair: pair[0]))


def _text(entry: dict[str, Any], name: str) -> str:
    return base64.b64decode(str(entry.get(name, ""))).decode("utf-8", "replace")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()

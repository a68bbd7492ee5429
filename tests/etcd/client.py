"""A client of one member that owes nothing to the project's own: urllib, and etcd's JSON and metrics.

Whatever goes wrong with a question is an OSError.
"""

from __future__ import annotations

import base64
import json
import re
import time
import urllib.request
from typing import Any

TIMEOUT_S = 10.0
"""For what must succeed, on a machine that may be busy."""

REFUSED_S = 2.0
"""For what may as well fail: whoever has not answered by then is taken not to."""

_RECEIVED = re.compile(
    r'^etcd_network_peer_received_bytes_total\{From="([0-9a-f]+)"\} (\S+)$', re.M
)


def put(endpoint: str, key: str, value: str, timeout_s: float = TIMEOUT_S) -> None:
    """Write; on return it is acknowledged."""
    _ask(endpoint, "kv/put", timeout_s, key=_coded(key), value=_coded(value))


def is_put(endpoint: str, key: str, value: str, timeout_s: float = REFUSED_S) -> bool:
    """Write; whether it was acknowledged in time."""
    try:
        put(endpoint, key, value, timeout_s)
    except OSError:
        return False
    return True


def get(
    endpoint: str, key: str, *, serializable: bool = False, timeout_s: float = TIMEOUT_S
) -> str | None:
    """The value, None if there is none; `serializable`: as this member has it, which may be stale."""
    answer = _ask(endpoint, "kv/range", timeout_s, key=_coded(key), serializable=serializable)
    found = answer.get("kvs")
    return base64.b64decode(found[0]["value"]).decode() if found else None


def all_below(endpoint: str, prefix: str, timeout_s: float = TIMEOUT_S) -> dict[str, str]:
    """The keys that begin so, with their values, as this member has them."""
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    asked = {"key": _coded(prefix), "range_end": _coded(end), "serializable": True}
    found = _ask(endpoint, "kv/range", timeout_s, **asked).get("kvs", ())
    return {
        base64.b64decode(pair["key"]).decode(): base64.b64decode(pair["value"]).decode()
        for pair in found
    }


def everything(endpoint: str) -> dict[str, str]:
    """All keys with their values."""
    answer = _ask(endpoint, "kv/range", TIMEOUT_S, key=_coded("\0"), range_end=_coded("\0"))
    return {_text(pair["key"]): _text(pair.get("value", "")) for pair in answer.get("kvs", [])}


def delete(endpoint: str, key: str) -> None:
    """Delete; on return it is acknowledged."""
    _ask(endpoint, "kv/deleterange", TIMEOUT_S, key=_coded(key))


def cluster_id(endpoint: str) -> str:
    """The ID of the cluster that the member is in, in hex."""
    answer = _ask(endpoint, "maintenance/status", TIMEOUT_S)
    return format(int(answer["header"]["cluster_id"]), "x")


def answers(endpoint: str, *, serializable: bool = False, timeout_s: float = REFUSED_S) -> bool:
    """Whether a read is answered in time."""
    try:
        get(endpoint, "any", serializable=serializable, timeout_s=timeout_s)
    except OSError:
        return False
    return True


def ask(endpoint: str, method: str, **body: object) -> dict[str, Any]:
    """The answer to any question of etcd's JSON gateway."""
    return _ask(endpoint, method, TIMEOUT_S, **body)


def received_bytes(endpoint: str, timeout_s: float = TIMEOUT_S) -> dict[str, float]:
    """How many bytes the member has received of each other one, by that one's ID, as etcd counts."""
    host, _, port = endpoint.rpartition(":")
    with urllib.request.urlopen(f"{host}:{int(port) + 2}/metrics", timeout=timeout_s) as answer:
        return {peer: float(count) for peer, count in _RECEIVED.findall(answer.read().decode())}


def serves_metrics(endpoint: str) -> bool:
    """Whether the member's metrics can be had: of one that starts, before it has seen a quorum."""
    try:
        received_bytes(endpoint, REFUSED_S)
    except OSError:
        return False
    return True


def puts_s(endpoint: str, count: int) -> list[float]:
    """How long each of so many puts took, one after the other."""
    taken = []
    for number in range(count):
        began = time.monotonic()
        put(endpoint, "timed", str(number))
        taken.append(time.monotonic() - began)
    return taken


def _ask(endpoint: str, method: str, timeout_s: float, **body: object) -> dict[str, Any]:
    request = urllib.request.Request(f"{endpoint}/v3/{method}", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        content: dict[str, Any] = json.loads(answer.read())
        return content


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(coded: str) -> str:
    return base64.b64decode(coded).decode()

"""Why a question to a member had no answer, in words. Pure."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Sequence

import h11

LATE = "does not answer in time"
NOT_LISTENING = "does not listen at its client URL"
CUT_SHORT = "ends the connection without an answer"
USUAL_AT_START = frozenset({LATE, NOT_LISTENING, CUT_SHORT})
"""What a member that starts does until it has seen a quorum."""

NOT_ETCD = "something else than etcd answers at its client URL"


def trouble_words(error: BaseException) -> str:
    """What an exchange ended with instead of an answer, as the end of a sentence about the member."""
    match error:
        case TimeoutError():
            return LATE
        case ssl.SSLError():
            reason = (error.reason or str(error)).lower().replace("_", " ")
            return f"cannot be asked over TLS ({reason})"
        case ConnectionRefusedError():
            return NOT_LISTENING
        case socket.gaierror():
            return "advertises a client URL whose host does not resolve here"
        case h11.ProtocolError():
            return NOT_ETCD
        case _:
            return CUT_SHORT


_TLS = re.compile(r"(?:remote error: )?tls: ([a-z0-9 :.]+?)(?:[\"\\;)]|$)")
_IN_THE_LOG = (
    (
        b"certificate has expired or is not yet valid",
        "has, or is shown, a certificate whose time is over or has not come (see its log)",
    ),
    (b"cluster ID mismatch", "belongs to another cluster than its peers (cluster ID mismatch)"),
)


LINES_OF_LOG = 40
"""How far back a member's log is searched: what is in the way is written again every few seconds."""


def log_trouble(lines: Sequence[bytes]) -> str | None:
    """Why a member that runs has no place among its peers, by the last lines of its log; None if unsaid.

    The texts are those of etcd 3.4 to 3.7 (`rafthttp`) and of Go's `crypto/tls`.
    """
    for raw in reversed(lines):
        for marker, words in _IN_THE_LOG:
            if marker in raw:
                return words
        if b"tls: " in raw and (found := _TLS.search(raw.decode(errors="replace"))):
            return f"has trouble with TLS: {found[1].strip()} (see its log)"
    return None

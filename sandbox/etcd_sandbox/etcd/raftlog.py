"""Finds the few lines of a member's log that are signs, without looking at the others."""

from __future__ import annotations

from etcd_sandbox.etcd.lastwords import fatal_cause
from etcd_sandbox.etcd.logline import level_of
from etcd_sandbox.etcd.sign import Sign, SignKind, sign_of

__all__ = ["Sign", "SignKind", "fatal_cause", "level_of", "scan"]

_ALWAYS = b""

_MARKERS: tuple[tuple[bytes, bytes], ...] = (
    (_ALWAYS, b" at term "),
    (_ALWAYS, b'"msg":"leadership transfer '),
    (_ALWAYS, b"stepped down to follower since quorum is not active"),
    (b";", b"received signal; shutting down"),
    (b"|", b" leadership transfer from "),
    (b"|", b" signal, shutting down"),
)
"""What to search for, each behind a rare byte of its line: without that byte there is no search.

Long markers are found faster than short ones. Only capnslog writes bars.
"""

_START_MARKERS: tuple[tuple[bytes, bytes], ...] = (
    (_ALWAYS, b'"msg":"starting local member'),
    (_ALWAYS, b'"msg":"serving '),
    (_ALWAYS, b"published local member to cluster through raft"),
    (_ALWAYS, b'"msg":"v2 API proxy starting"'),
    (_ALWAYS, b"v2 proxy started listening on client requests"),
    (b"|", b"etcdserver: starting member "),
    (b"|", b"embed: listening for peers on "),
    (b"|", b"embed: ready to serve client requests"),
    (b"|", b"etcdserver: published {Name:"),
    (b"|", b"etcdmain: proxy: this proxy supports v2 API only"),
)

_END_MARKERS: tuple[tuple[bytes, bytes], ...] = (
    (_ALWAYS, b"the member has been permanently removed from the cluster"),
    (_ALWAYS, b'"stacktrace":"'),
    (_ALWAYS, b"panic: "),
    (_ALWAYS, b"fatal error: "),
    (b"|", b" C | "),
)

_END_BYTES = 64 * 1024
"""How far from the end of a chunk the last words of a process can be: nothing but a trace follows."""


_ONLY_AT_START = (
    SignKind.BOOTSTRAPPED,
    SignKind.PEER_SERVING,
    SignKind.CLIENT_SERVING,
    SignKind.PUBLISHED,
    SignKind.PROXY,
)


def scan(chunk: bytes, *, starting: bool = True) -> list[Sign]:
    """The signs in whole lines of a member's log, in their order.

    `starting=False` leaves out the signs of a start, which come once
    in a life, and so saves a third of the time (measured: 0.9 instead of 1.3 ms for 1 MiB of
    zap's lines).
    """
    starts: set[int] = set()
    _search(chunk, _MARKERS + _START_MARKERS if starting else _MARKERS, 0, starts)
    _search(chunk, _END_MARKERS, max(0, len(chunk) - _END_BYTES), starts)
    signs: list[Sign] = []
    for start in sorted(starts):
        end = chunk.find(b"\n", start)
        sign = sign_of(chunk[start:] if end < 0 else chunk[start:end])
        if sign is not None and (starting or sign.kind not in _ONLY_AT_START):
            signs.append(sign)
    return signs


def _search(
    chunk: bytes, markers: tuple[tuple[bytes, bytes], ...], begin: int, starts: set[int]
) -> None:
    """Add to `starts` where the lines begin that hold one of `markers` after `begin`."""
    for guard, marker in markers:
        if guard not in chunk:
            continue
        at = chunk.find(marker, begin)
        while at >= 0:
            starts.add(chunk.rfind(b"\n", 0, at) + 1)
            end = chunk.find(b"\n", at)
            at = chunk.find(marker, end) if end >= 0 else -1

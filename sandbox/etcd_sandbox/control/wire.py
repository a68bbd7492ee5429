"""How values cross the control socket: plans and errors as JSON, log lines as frames.

A log stream is a sequence of frames. Each begins with one line of ASCII:

    L <seq> <time_us> <bytes> <process>   whole log lines follow, <bytes> long
    S <lines>                             so many lines were rotated away before they were read
    N                                     the reader has caught up; what follows is new
    X <lines> <0|1> <why>                 so many lines could not be kept so far; whether that goes on
    E <why>                               the last: why everything was ended, where nobody asked for it

An upgrade is a stream of JSON objects, one a line: `{"plan": …}` (UpgradePlan), `{"member": …}`
(MemberUpgrade) for each one that is done, and last `{"verdict": …}` or `{"error": …}`.

`seq` numbers the chunks of a cluster in their order of arrival (one that grew is sent in several
frames), `time_us` is microseconds since the epoch when it began to arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, NamedTuple

from etcd_sandbox.errors import BY_EXIT_CODE, ProcessFailed, SandboxError


class LinesFrame(NamedTuple):
    """Whole lines of one process, each ended by a newline, as the process wrote them."""

    seq: int
    time_us: int
    process: str
    data: bytes


class SkippedFrame(NamedTuple):
    """So many lines are gone from the files before this reader came to them."""

    lines: int


class NowFrame(NamedTuple):
    """Everything that was there when the stream was opened has been sent."""


class LostFrame(NamedTuple):
    """So many lines, by now, are in no file, since the disk refused them; whether it still does."""

    lines: int
    losing: bool
    why: str


class EndedFrame(NamedTuple):
    """Everything was ended, though nobody asked for it, and why."""

    why: str


Frame = LinesFrame | SkippedFrame | NowFrame | LostFrame | EndedFrame


def lines_header(seq: int, time_us: int, size: int, process: str) -> bytes:
    """The first line of a frame of log lines."""
    return b"L %d %d %d %s\n" % (seq, time_us, size, process.encode())


def skipped_frame(lines: int) -> bytes:
    """A whole frame that tells of lost lines."""
    return b"S %d\n" % lines


def lost_frame(lines: int, losing: bool, why: str) -> bytes:
    """A whole frame that tells of lines that could not be kept."""
    return b"X %d %d %s\n" % (lines, losing, why.encode())


def ended_frame(why: str) -> bytes:
    """A whole frame that tells why everything was ended."""
    return b"E %s\n" % why.encode(errors="backslashreplace")


NOW_FRAME = b"N\n"

_LARGEST_KEPT_BYTES = 4 << 20


def read_frames(stream: BinaryIO) -> Iterator[Frame]:
    """The frames of a log stream until its end; a frame cut off by the end is left out."""
    while (header := stream.readline()).endswith(b"\n"):
        match header.split():
            case [b"L", seq, time_us, size, process]:
                data = stream.read(int(size))
                if len(data) < int(size):
                    return
                yield LinesFrame(int(seq), int(time_us), process.decode(), data)
            case [b"S", lines]:
                yield SkippedFrame(int(lines))
            case [b"N"]:
                yield NowFrame()
            case [b"X", lines, losing, *why]:
                yield LostFrame(int(lines), losing == b"1", b" ".join(why).decode())
            case [b"E", *_]:
                yield EndedFrame(header[2:-1].decode())


def error_to_wire(error: SandboxError) -> dict[str, object]:
    """The body of an answer that tells of an error."""
    return {
        "error": {
            "what": error.what,
            "where": error.where,
            "hint": error.hint,
            "detail": error.detail,
            "exit_code": error.exit_code,
            "failed": isinstance(error, ProcessFailed),
        }
    }


def error_from_wire(body: object) -> SandboxError:
    """The exception for the body of an answer that is not a success."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return SandboxError(f"the supervisor answered with something unexpected: {body!r}"[:300])
    exit_code = error.get("exit_code", 1)
    kind: Callable[..., SandboxError] = BY_EXIT_CODE.get(exit_code, SandboxError)
    if error.get("failed"):
        kind = partial(ProcessFailed, status=exit_code)
    return kind(
        str(error.get("what", "")),
        str(error.get("where", "")),
        str(error.get("hint", "")),
        str(error.get("detail", "")),
    )


def keep_freed_memory() -> None:
    """Have glibc keep freed blocks of a stream's size instead of giving them back to the system.

    Freeing one mapped block raises the size from which blocks are mapped, and the size of the
    heap's end that is given back, for the rest of the process's life (mallopt(3),
    M_MMAP_THRESHOLD). Without it every chunk costs fresh pages: half of the time of a burst.
    """
    block = bytearray(_LARGEST_KEPT_BYTES)
    del block

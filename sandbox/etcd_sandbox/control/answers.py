"""What an answer of the supervisor means, and the errors for when there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from etcd_sandbox.control.wire import error_from_wire
from etcd_sandbox.errors import NotRunning, SandboxError, TimedOut
from etcd_sandbox.host.obstacle import owner_name
from etcd_sandbox.paths import ClusterPaths


def checked(status: int, content: bytes) -> object:
    """The JSON of a whole answer.

    Raises the error that the supervisor answered with, ConnectionResetError for half an answer.
    """
    try:
        answer = json.loads(content)
    except ValueError:
        if status < 400:
            raise ConnectionResetError("the connection ended amid the answer") from None
        answer = content.decode(errors="replace")
    if status >= 400:
        raise error_from_wire(answer)
    return answer


def status_in(first_line: bytes) -> int:
    """The status that an answer begins with. Raises ConnectionResetError where there is no answer."""
    words = first_line.split(None, 2)
    if len(words) < 2 or not words[1].isdigit():
        raise ConnectionResetError("the connection ended before the answer")
    return int(words[1])


@contextmanager
def connection_errors(paths: ClusterPaths) -> Iterator[None]:
    """What goes wrong with the connection, as an error of ours."""
    try:
        yield
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise not_running(paths.name) from error
    except TimeoutError as error:
        raise silent(paths) from error
    except PermissionError as error:
        raise not_ours(paths) from error
    except OSError as error:
        raise gone(paths) from error


def checked_news(news: dict[str, Any]) -> dict[str, Any]:
    """One line of a stream that tells of work; raises the error that ended the work."""
    if "error" in news:
        raise error_from_wire(news)
    return news


def not_running(name: str) -> NotRunning:
    """The error for a cluster that has no supervisor."""
    return NotRunning(
        f"no cluster {name!r} is running",
        hint="etcd-sandbox up starts one; etcd-sandbox ls shows what there is",
    )


def not_ours(paths: ClusterPaths) -> SandboxError:
    """The error for a supervisor that another user has started: after one `sudo`, for example."""
    owner = owner_name(paths.socket.stat().st_uid)
    return SandboxError(
        f"cluster {paths.name!r} was started by {owner}, and only {owner} can reach it",
        str(paths.socket),
        f"sudo etcd-sandbox -c {paths.name} down, with this ETCD_SANDBOX_HOME, ends it; "
        "-c NAME starts another",
    )


def gone(paths: ClusterPaths) -> NotRunning:
    """The error for a connection that ended before the answer."""
    return NotRunning(
        f"the supervisor of cluster {paths.name!r} ended while it was asked",
        hint=f"its log is {paths.supervisor_log}",
    )


def silent(paths: ClusterPaths) -> TimedOut:
    """The error for a supervisor that does not answer."""
    return TimedOut(
        f"the supervisor of cluster {paths.name!r} did not answer in time",
        hint=f"its log is {paths.supervisor_log}",
    )

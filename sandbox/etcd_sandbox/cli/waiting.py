"""Whom an end waits for: said when it lasts longer than a moment."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from etcd_sandbox.cli import diagnostics
from etcd_sandbox.errors import SandboxError

if TYPE_CHECKING:
    from etcd_sandbox.control.client import ControlClient

NAMED_AFTER_S = 2.0
"""When a stop lasts so long, it is said whom it waits for."""


def waits_for(status: Mapping[str, Any]) -> str:
    """The processes that still run, with their pids: `web (pid 12), db (pid 13)`; empty for none."""
    return ", ".join(
        f"{process['name']} (pid {process['pid']})"
        for process in (*status["members"], *status["processes"])
        if process["pid"] is not None
    )


@contextlib.contextmanager
def named_when_late(client: ControlClient, hint: str) -> Iterator[None]:
    """Within, everything is being stopped: after a while a note names what still runs, and `hint`."""

    def name() -> None:
        with contextlib.suppress(SandboxError):
            if late := waits_for(client.status()):
                diagnostics.note(f"waiting for {late}; {hint}")

    timer = threading.Timer(NAMED_AFTER_S, name)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()

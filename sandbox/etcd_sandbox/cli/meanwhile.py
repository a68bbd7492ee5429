"""What is told while a change of the members is waited for, and when it is not waited for any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from etcd_sandbox.cli import diagnostics
from etcd_sandbox.cli.settings import settings
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.verb import Verb


@contextmanager
def told_meanwhile(client: ControlClient, verb: Verb) -> Iterator[None]:
    """Within, it is said what etcd waits for; on Ctrl-C, that the change is made all the same."""
    if not (settings().quiet or settings().json):
        threading.Thread(target=_tell, args=(client,), name="meanwhile", daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        diagnostics.note(
            f"'{verb}' goes on without this command, to its end: etcd-sandbox events -f shows it"
        )
        raise


def _tell(client: ControlClient) -> None:
    with suppress(SandboxError):
        for event in client.events(follow=True, tail=0):
            if event["kind"] == Kind.MEMBER_WAITING:
                diagnostics.note(f"{event['member']} waits: {event['why']}")

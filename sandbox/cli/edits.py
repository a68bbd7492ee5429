"""Sees edits of a running cluster's Procfile or profile, and says in one line what they would change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from sandbox.cli.diagnostics import one_line
from sandbox.control.client import ControlClient
from sandbox.errors import NotRunning, SandboxError
from sandbox.inputs import Caller, plan_again

DEBOUNCE_MS = 200
"""An editor's several writes within this time are one edit."""

FIRST_LOOK_MS = 1000


class EditWatch(threading.Thread):
    """Tells `say` about each edit of `path`; with `apply`, makes the running set match."""

    def __init__(
        self,
        client: ControlClient,
        path: Path,
        caller: Caller,
        say: Callable[[str], None],
        *,
        apply: bool,
    ) -> None:
        super().__init__(name="edits", daemon=True)
        self._client = client
        self._path = path
        self._caller = caller
        self._say = say
        self._apply = apply
        self._told = ""

    def run(self) -> None:
        """Watch until the process ends."""
        from watchfiles import watch

        # The directory is watched, since many editors replace the file by another one.
        changes = watch(
            self._path.parent,
            watch_filter=lambda _, changed: Path(changed).name == self._path.name,
            debounce=DEBOUNCE_MS,
            recursive=False,
            raise_interrupt=False,
            rust_timeout=FIRST_LOOK_MS,
            yield_on_timeout=True,
        )
        looked = False
        try:
            for changed in changes:
                # The first look also finds an edit that was made before the watch began.
                if changed or not looked:
                    self.look()
                looked = True
        except OSError as error:
            self._say(f"edits of {self._path.name} are not seen any more ({error.strerror})")

    def look(self) -> None:
        """Say what the file as it is now would change; the same is said once."""
        try:
            text = self._difference()
        except NotRunning:
            return  # everything has stopped: there is nothing that could be changed
        except SandboxError as error:
            text = f"{self._path.name} changed, but cannot be used: {one_line(error)}"
        if text and text != self._told:
            self._say(text)
        self._told = text

    def _difference(self) -> str:
        import msgspec

        planned = plan_again(self._client.plan(), self._client.paths, self._caller)
        wanted = msgspec.to_builtins(planned.spec)
        answer = self._client.apply(wanted, dry_run=True)
        line = str(answer["line"])
        if not line:
            return ""
        if answer.get("refused"):
            return f"{self._path.name} changed: {line}"
        if not self._apply:
            return f"{self._path.name} changed: {line}; etcd-sandbox apply makes it so"
        self._client.apply(wanted, dry_run=False)
        return f"{self._path.name} changed: {line}; done"

"""Sees edits of a running cluster's Procfile or profile, and says in one line what they would change."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from etcd_sandbox.cli.diagnostics import one_line
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import NotRunning, SandboxError
from etcd_sandbox.inputs.caller import Caller
from etcd_sandbox.inputs.plan import plan_again

DEBOUNCE_MS = 200
"""An editor's several writes within this time are one edit."""

FIRST_LOOK_MS = 1000

LINKS_LIMIT = 40
"""The kernel follows no more symbolic links than so many."""


def places_of(path: Path) -> frozenset[Path]:
    """The file, and each symbolic link on the way to it: an edit may change any of them."""
    found = {path}
    for _ in range(LINKS_LIMIT):
        link = next(
            (place for place in (*reversed(path.parents), path) if place.is_symlink()), None
        )
        if link is None:
            break
        found.add(link)
        path = Path(os.path.normpath(link.parent / link.readlink() / path.relative_to(link)))
    found.add(path)
    # Those right beneath the root are the system's own.
    return frozenset(place for place in found if place.parent != place.parent.parent)


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
        try:
            while self._watch(places_of(self._path)):
                pass
        except OSError as error:
            self._say(f"edits of {self._path.name} are not seen any more ({error.strerror})")

    def _watch(self, places: frozenset[Path]) -> bool:
        """Look at each edit; True once a link on the way to the file leads elsewhere."""
        from watchfiles import watch

        names = {place.name for place in places}
        # Directories are watched, since many editors replace the file by another one.
        changes = watch(
            *{place.parent for place in places},
            watch_filter=lambda _, changed: Path(changed).name in names,
            debounce=DEBOUNCE_MS,
            recursive=False,
            raise_interrupt=False,
            rust_timeout=FIRST_LOOK_MS,
            yield_on_timeout=True,
        )
        looked = False
        for changed in changes:
            # The first look also finds an edit that was made before the watch began.
            if changed or not looked:
                self.look()
                if places_of(self._path) != places:
                    return True
            looked = True
        return False

    def look(self) -> None:
        """Say what the file as it is now would change; the same is said once."""
        try:
            text = pending(self._client, self._path, self._caller, apply=self._apply)
        except NotRunning:
            return  # everything has stopped: there is nothing that could be changed
        if text and text != self._told:
            self._say(text)
        self._told = text


def pending(client: ControlClient, path: Path, caller: Caller, *, apply: bool) -> str:
    """One line of what the file as it is now would change; empty for nothing. `apply` makes it so.

    Raises NotRunning.
    """
    import msgspec

    try:
        planned = plan_again(client.plan(), client.paths, caller)
        wanted = msgspec.to_builtins(planned.spec)
        answer = client.apply(wanted, dry_run=True)
        line = str(answer["line"])
        if not line:
            return ""
        if answer.get("refused"):
            return f"{path.name} changed: {line}"
        if not apply:
            return f"{path.name} changed: {line}; etcd-sandbox apply makes it so"
        client.apply(wanted, dry_run=False)
    except NotRunning:
        raise
    except SandboxError as error:
        return f"{path.name} changed, but cannot be used: {one_line(error)}"
    return f"{path.name} changed: {line}; done"

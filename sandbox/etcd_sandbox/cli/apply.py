"""`apply`, and edits of a running cluster's input: what they would change, seen as they come, and made so."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from etcd_sandbox.cli import diagnostics, output
from etcd_sandbox.cli.check import here
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import InputError, NotRunning, SandboxError
from etcd_sandbox.inputs.caller import Caller
from etcd_sandbox.inputs.plan import plan_again
from etcd_sandbox.model.spec import PLAN_SCHEMA
from etcd_sandbox.plan.recorded import as_builtins

DEBOUNCE_MS = 200
"""An editor's several writes within this time are one edit."""

FIRST_LOOK_MS = 1000

LINKS_LIMIT = 40
"""The kernel follows no more symbolic links than so many."""


@click.command("apply")
@click.option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
@common(data=True)
def apply(dry_run: bool) -> None:
    """Make the running set match the changed Procfile or profile.

    What did not change is not touched. What changed is started anew, what came is started,
    what went is stopped. A member with another peer URL is dialled there from then on: etcd's list
    of members has it first, then the member is started anew. Other members than before are refused.
    """
    from etcd_sandbox.cli.choice import running

    client = running()
    plan = client.plan()
    _refuse_piped(plan["source"])
    if not dry_run:
        refuse_another_version(plan)
    planned = plan_again(plan, client.paths, here())
    diagnostics.warn(*planned.spec.notes)
    answer = client.apply(as_builtins(planned.spec), dry_run=dry_run)
    if settings().json:
        output.document(answer)
        return
    output.lines(told(answer, dry_run=dry_run))
    fits = dry_run and answer["line"] and not answer.get("refused")
    output.next_step("apply" if fits else "status")


def refuse_another_version(plan: Mapping[str, Any]) -> None:
    """Raises SandboxError for a supervisor of an earlier version: it would record the plan without what it does not know."""
    if plan.get("schema", 0) != PLAN_SCHEMA:
        raise SandboxError(
            "an earlier version of etcd-sandbox started this cluster, and cannot follow a plan of this one",
            hint="etcd-sandbox down, then etcd-sandbox up: it comes up with the edits and its data",
        )


def _refuse_piped(source: dict[str, Any]) -> None:
    """Raises InputError where the input can have no edits."""
    if source["path"] in source.get("texts", {}):
        kind = "Procfile" if source["kind"] == "procfile" else "profile"
        flag = "-f" if kind == "Procfile" else "-p"
        raise InputError(
            f"the {kind} of this cluster came through a pipe, so there is no file to be edited",
            source["path"],
            f"put the {kind} into a file, then etcd-sandbox down and etcd-sandbox up {flag} FILE",
        )


def told(answer: dict[str, Any], *, dry_run: bool) -> list[str]:
    """What was or would be done, a line for each kind."""
    verbs = {"changed": "changed", "came": "started", "went": "stopped"}
    lines = [
        f"{'would be ' if dry_run else ''}{verb}: {', '.join(answer[kind])}"
        for kind, verb in verbs.items()
        if answer[kind]
    ]
    lines += [
        f"{'would be ' if dry_run else ''}dialled by its peers at {each['after']}, not at "
        f"{each['before']}: {each['member']}"
        for each in answer.get("moved", ())
    ]
    if refused := answer.get("refused"):
        lines.append(f"the {refused} differs: a running cluster does not take that from a file")
    return lines or ["nothing to do: what runs is what the input says"]


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
    try:
        plan = client.plan()
        planned = plan_again(plan, client.paths, caller)
        wanted = as_builtins(planned.spec)
        answer = client.apply(wanted, dry_run=True)
        line = str(answer["line"])
        if not line:
            return ""
        if answer.get("refused"):
            return f"{path.name} changed: {line}"
        if not apply:
            return f"{path.name} changed: {line}; etcd-sandbox apply makes it so"
        refuse_another_version(plan)
        client.apply(wanted, dry_run=False)
    except NotRunning:
        raise
    except SandboxError as error:
        return f"{path.name} changed, but cannot be used: {diagnostics.one_line(error)}"
    return f"{path.name} changed: {line}; done"

"""Saves a snapshot of a running cluster: from which member, into a file that is whole or not there at all.

It speaks to the member itself, as etcdctl does: a backup needs neither etcdctl nor a quorum.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct

from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.etcd import snapshotfile
from etcd_sandbox.etcd.gateway import Gateway
from etcd_sandbox.host.etcdctl import by_hand
from etcd_sandbox.model.access import Credentials
from etcd_sandbox.model.selector import candidates_of, resolve
from etcd_sandbox.model.state import Role

if TYPE_CHECKING:
    from etcd_sandbox.etcd.snapshotfile import SnapshotFacts

QUORUM_WITHIN_S = 2.0
"""How long a read that needs a quorum may take before the snapshot is taken without one."""

COUNT_WITHIN_S = 2.0


class Snapshot(Struct, frozen=True, kw_only=True):
    """A snapshot that was saved: the file `path`, its bytes, its sha256 in hex, what is in it.

    `keys` is None where the member did not say. `version` is that of the etcd of `member`, whose
    `endpoint` it was taken from. `quorum`: the member was up to date with a quorum when it began;
    without, what only others had written is missing. `by_hand` is the command of etcdctl that does the same.
    """

    path: str
    size_bytes: int
    sha256: str
    revision: int
    keys: int | None
    version: str | None
    member: str
    role: str | None
    endpoint: str
    quorum: bool
    by_hand: str


def save(
    client: ControlClient,
    path: Path,
    *,
    on: Sequence[str] = (),
    overwrite: bool = False,
    timeout_s: float = 30.0,
) -> Snapshot:
    """Save a snapshot of the cluster in the file `path`, from the member that `on` selects.

    By default that is the leader, whose state is the newest; without one, the voter that has applied the most.
    `timeout_s` is how long the member may be silent. Raises InputError for a file that is there
    already or cannot be, and when `on` selects several; SandboxError when no member answers, and
    TimedOut.
    """
    typed, path = path, path.absolute()
    _refuse(path, overwrite)
    plan, status = client.plan(), client.status()
    chosen = _chosen(status["members"], on)
    member = next(
        process["member"]
        for process in plan["processes"]
        if process.get("member") and process["name"] == chosen["process"]
    )
    user = client.user or plan.get("user") or ""
    with _Draft(path, overwrite=overwrite) as draft:
        quorum, keys, facts = asyncio.run(_taken(member, draft, timeout_s, user))
    return Snapshot(
        path=str(path),
        size_bytes=facts.size_bytes,
        sha256=facts.sha256,
        revision=facts.revision,
        keys=keys,
        version=chosen["version"],
        member=chosen["name"],
        role=chosen["role"],
        endpoint=member.get("endpoint") or member["client_url"],
        quorum=quorum,
        by_hand=by_hand(
            member, user if status.get("authentication") else "", ["snapshot", "save", str(typed)]
        ),
    )


def _chosen(members: Sequence[Mapping[str, Any]], on: Sequence[str]) -> Mapping[str, Any]:
    """The member that the snapshot is taken from, as `status` shows it."""
    if not members:
        raise SandboxError(
            "this cluster has no etcd member, so there is nothing to take a snapshot of"
        )
    if not on:
        able = [member for member in members if member["role"] in _ABLE]
        if not able:
            raise SandboxError(
                "no member answers, so none can give a snapshot",
                hint="start one: etcd-sandbox start NAME, or etcd-sandbox status shows why",
            )
        return max(able, key=_freshness)
    names = resolve(on, candidates_of(members))
    found = [member for member in members if member["process"] in names]
    if len(found) > 1:
        raise InputError(
            "a snapshot is taken from one member, and these are several: "
            + ", ".join(member["name"] for member in found),
            hint=f"name one: --on {found[0]['name']}",
        )
    if not found:
        raise InputError(f"{' '.join(on)} is no member", hint="a snapshot is taken from a member")
    if found[0]["role"] not in _ABLE:
        raise SandboxError(
            f"{found[0]['name']} cannot give a snapshot: "
            + ("it is a learner" if found[0]["role"] == Role.LEARNER else "it does not answer"),
            hint="leave out --on to take it from one that can",
        )
    return found[0]


_ABLE = (Role.LEADER, Role.FOLLOWER, Role.CANDIDATE)
"""Learners and proxies refuse (measured: `rpc not supported for learner`)."""


def _freshness(member: Mapping[str, Any]) -> tuple[bool, int, int]:
    return (
        member["role"] == Role.LEADER,
        member["term"] or 0,
        member["raft_applied_index"] or 0,
    )


async def _taken(
    member: Mapping[str, Any], draft: _Draft, silence_s: float, user: str | None
) -> tuple[bool, int | None, SnapshotFacts]:
    """Whether a quorum was there, how many keys there are, and the checked file's facts."""
    gateway = Gateway(
        member.get("client_cert") or "",
        member.get("client_key") or "",
        Credentials.parse(user) if user else None,
    )
    url = member["client_url"]
    try:
        # Once such a read is answered, the member has applied all that was acknowledged before.
        quorum = await gateway.linearizable_read(url, QUORUM_WITHIN_S)
        async with aclosing(gateway.snapshot(url, silence_s)) as pieces:
            async for piece in pieces:
                draft.write(piece)
        facts = draft.checked()
        keys = await gateway.count(url, facts.revision, COUNT_WITHIN_S)
    finally:
        await gateway.aclose()
    return quorum, keys, facts


class _Draft:
    """The file beside the one that is meant, `FILE.part`: renamed when all is well, else removed."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._overwrite = overwrite

    def __enter__(self) -> Self:
        try:
            self._fd = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritable(error, self._part) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise SandboxError(
                "another snapshot is being written to this file", str(self._part), "wait for it"
            ) from None
        # What a killed command left.
        os.ftruncate(self._fd, 0)
        self._there = True
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if error is None:
                _refuse(self._path, self._overwrite)
                self._part.replace(self._path)
                self._there = False
                _sync(self._path.parent)
        except OSError as trouble:
            raise _unwritable(trouble, self._path) from trouble
        finally:
            if self._there:
                with contextlib.suppress(OSError):
                    self._part.unlink(missing_ok=True)
            os.close(self._fd)

    def write(self, piece: bytes) -> None:
        """Add a piece."""
        view = memoryview(piece)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise _unwritable(error, self._part) from error

    def checked(self) -> SnapshotFacts:
        """The facts of the written file, once it is safe on the disk and found whole."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise _unwritable(error, self._part) from error
        try:
            return snapshotfile.read(self._part)
        except InputError as error:
            raise SandboxError(
                f"what the member sent is no whole snapshot: {error.what}", detail=error.detail
            ) from error


def _refuse(path: Path, overwrite: bool) -> None:
    """Raises InputError where no file of that path can be made."""
    if path.is_dir():
        raise InputError(
            "this is a directory", str(path), f"name a file in it: {path / 'backup.db'}"
        )
    if not path.parent.is_dir():
        raise InputError(
            "there is no such directory",
            str(path.parent),
            f"mkdir -p {shlex.quote(str(path.parent))}",
        )
    if path.exists() and not overwrite:
        raise InputError(
            "this file is there already", str(path), "--force replaces it; or name another file"
        )


def _unwritable(error: OSError, path: Path) -> SandboxError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = "free some space, or name a file on another disk"
    else:
        hint = "name a file in a directory that you can write"
    return SandboxError(f"the snapshot cannot be written ({error.strerror})", str(path), hint)


def _sync(directory: Path) -> None:
    """The new name itself must outlive a crash as well."""
    with contextlib.suppress(OSError):
        fd = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

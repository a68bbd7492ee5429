"""Brings up a cluster that belongs to this process, and takes it down without a trace."""

from __future__ import annotations

import logging
import os
import subprocess
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.clusterlock import is_running, purge
from sandbox.errors import InputError, SandboxError
from sandbox.inputs import DEFAULT_MEMBERS, Caller, Options, plan_up, recorded_plan
from sandbox.launch import Launched, launch, left_behind, sweep
from sandbox.leftovers import clear_abandoned, clear_leftovers, passing_cluster
from sandbox.model.credentials import Credentials
from sandbox.model.spec import Bootstrap, Runtime
from sandbox.paths import ClusterPaths, cluster_paths
from sandbox.restoreddata import restored_data
from sandbox.restoring import plan_restore
from sandbox.start import KILLED_WITHIN_S, stop, stop_at_once

_log = logging.getLogger("sandbox")

_lives: set[Life] = set()
"""Those that have not ended, also when nobody holds them any more: their pipes are still open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a cluster is to be: the arguments of `Cluster`."""

    members: int | None = None
    profile: str | Path | None = None
    procfile: str | Path | None = None
    etcd: str | Path | None = None
    base_port: int | str | None = None
    name: str | None = None
    links: bool | None = None
    bootstrap: str | None = None
    discovery: str | None = None
    runtime: str | None = None
    image: str | None = None
    image_from_binary: bool = False
    restore: str | Path | None = None
    timeout_s: float = 30.0
    keep_data: bool = False
    user: str | None = None

    def __post_init__(self) -> None:
        if self.keep_data and self.name is None:
            raise InputError(
                "data can only be kept for a cluster with a name",
                hint='Cluster(name="mine", keep_data=True) finds it again',
            )
        if self.user is not None:
            Credentials.parse(self.user, "user")
        if isinstance(self.base_port, str) and self.base_port != "auto":
            raise InputError(f"base_port is a port or 'auto', not {self.base_port!r}")
        if self.restore is not None and self.procfile is not None:
            raise InputError(
                "a snapshot cannot be restored into the cluster of a Procfile: its commands say "
                "themselves where the data is",
                hint="use members or profile",
            )
        if self.restore is not None and self.bootstrap not in (None, Bootstrap.STATIC):
            raise InputError(
                "members that are restored from a snapshot know each other",
                hint="leave out bootstrap",
            )
        for name, words in (("bootstrap", Bootstrap), ("runtime", Runtime)):
            if (word := getattr(self, name)) is not None and word not in list(words):
                raise InputError(
                    f"{name!r} cannot be {word!r}", hint=f"choose one of: {', '.join(words)}"
                )

    @property
    def ephemeral(self) -> bool:
        """Whether the members' data is ours to delete: that of a Procfile never is."""
        return not self.keep_data and self.procfile is None

    def options(self) -> Options:
        """As the inputs take them."""
        members = self.members
        nothing = self.profile is None and self.procfile is None and self.restore is None
        if members is None and nothing:
            members = DEFAULT_MEMBERS
        return Options(
            members=members,
            profile=_text(self.profile),
            procfile=_text(self.procfile),
            etcd=_text(self.etcd),
            base_port=self.base_port,
            links=self.links,
            bootstrap=self.bootstrap,
            discovery=self.discovery,
            runtime=self.runtime,
            image=self.image,
            image_from_binary=self.image_from_binary,
            fresh=self.ephemeral,
            ephemeral=self.ephemeral,
        )


class Life:
    """A cluster that this process started and that ends with it, at the latest."""

    def __init__(self, paths: ClusterPaths, launched: Launched, wishes: Wishes) -> None:
        self.paths = paths
        self._launched = launched
        self._wishes = wishes
        self._owner = os.getpid()
        _lives.add(self)

    def end(self) -> None:
        """Stop everything and, unless the data is to be kept, delete the cluster's directory.

        In a fork of the process that started the cluster nothing happens.
        """
        if self._owner != os.getpid():
            return
        if not self._wishes.ephemeral:
            with suppress(SandboxError):
                stop(self.paths)
        stop_at_once(self.paths)
        self._launched.let_go()
        _lives.discard(self)
        if is_running(self.paths):
            self._launched.force()
        with suppress(subprocess.TimeoutExpired):
            self._launched.guard.wait(KILLED_WITHIN_S)
        if left_behind(self.paths):
            sweep(self.paths)
        if not self._wishes.keep_data:
            with suppress(SandboxError):
                purge(self.paths)

    def let_go_in_fork(self) -> None:
        """Close the copy of the pipe that a fork has: it must not keep the cluster alive."""
        self._launched.let_go()


def begin(wishes: Wishes) -> Life:
    """Start guard and supervisor; the members are not ready yet.

    What killed processes left of their clusters is cleared first. Raises what `up` would: an
    input that cannot be used, ports that are taken, a cluster of that name that runs.
    """
    for line in clear_abandoned():
        _log.warning(line)
    paths = passing_cluster("py") if wishes.name is None else cluster_paths(wishes.name)
    if line := clear_leftovers(paths):
        _log.warning(line)
    if not wishes.keep_data:
        _refuse_kept_data(paths)
    caller = Caller(cwd=Path.cwd(), env=dict(os.environ))
    restoration = None
    if wishes.restore is not None:
        restoration = plan_restore(Path(wishes.restore), wishes.options(), paths, caller)
    planned = restoration.planned if restoration else plan_up(wishes.options(), paths, caller)
    try:
        for note in (*planned.spec.notes, *(restoration.notes if restoration else ())):
            _log.warning(note)
        _log.info("%s: %s", paths.name, planned.says)
        with restored_data(restoration, paths) if restoration else nullcontext() as data:
            launched = launch(
                planned.spec,
                paths,
                owned=True,
                fresh=wishes.ephemeral,
                restored=data,
                inherited_fds=planned.held,
            )
    except BaseException:
        if not wishes.keep_data and not is_running(paths):
            with suppress(SandboxError):
                purge(paths)
        raise
    finally:
        for fd in planned.held:
            os.close(fd)  # the guard holds the port locks now
    return Life(paths, launched, wishes)


def _refuse_kept_data(paths: ClusterPaths) -> None:
    recorded = recorded_plan(paths)
    if recorded is None or recorded.ephemeral:
        return
    if any(process.member.data_owned for process in recorded.members if process.member is not None):
        raise InputError(
            f"cluster {paths.name!r} has a plan and data that were to be kept",
            str(paths.root),
            "keep_data=True continues it; another name, or none, makes another cluster",
        )


def _text(value: str | Path | None) -> str | None:
    return None if value is None else str(value)


def _let_go_in_fork() -> None:
    for life in _lives:
        life.let_go_in_fork()


os.register_at_fork(after_in_child=_let_go_in_fork)

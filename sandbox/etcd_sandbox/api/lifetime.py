"""Brings up a cluster that belongs to this process, and takes it down without a trace."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.api.values import check_arguments, members_told
from etcd_sandbox.backup.restoring import Restoration, plan_restore, restored_data
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.host.clusterlock import is_running, purge
from etcd_sandbox.host.launch import Launched, launch, left_behind, sweep
from etcd_sandbox.host.planfile import recorded_plan
from etcd_sandbox.host.start import (
    KILLED_WITHIN_S,
    clear_abandoned,
    clear_leftovers,
    passing_cluster,
    stop,
    stop_at_once,
)
from etcd_sandbox.inputs.caller import Caller, Planned
from etcd_sandbox.inputs.olddata import refuse_foreign_data
from etcd_sandbox.inputs.options import DECLARED, DEFAULT_MEMBERS, Options, check_together
from etcd_sandbox.inputs.plan import plan_up
from etcd_sandbox.model.access import Credentials
from etcd_sandbox.model.bootstrap import DEFAULT_BOOTSTRAP
from etcd_sandbox.model.spec import SourceKind
from etcd_sandbox.paths import ClusterPaths, cluster_paths, working_directory
from etcd_sandbox.plan.ways import way_of

_log = logging.getLogger("etcd_sandbox")

_lives: set[Life] = set()
"""Those that have not ended, also when nobody holds them any more: their pipes are still open."""


class Wishes(Struct, frozen=True, kw_only=True):
    """What a cluster is to be: the arguments of `Cluster`; `given` are those that `up` has as options."""

    given: Options
    name: str | None
    restore: str | Path | None
    timeout_s: float
    keep_data: bool
    user: str | None

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Wishes:
        """Raises InputError for arguments that cannot be meant, or contradict each other."""
        check_arguments(arguments)
        options = {name for name, option in DECLARED.items() if option.python}
        given: dict[str, Any] = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in arguments.items()
            if name in options
        }
        own = {name: value for name, value in arguments.items() if name not in options}
        return cls(given=Options(**given), **own)

    def __post_init__(self) -> None:
        given = self.given
        check_together(given, lambda option: option.name)
        if self.keep_data and self.name is None:
            raise InputError(
                "data can only be kept for a cluster with a name",
                hint='Cluster(name="mine", keep_data=True) finds it again',
            )
        if self.user is not None:
            Credentials.parse(self.user, "user")
        if isinstance(given.base_port, str) and given.base_port != "auto":
            raise InputError(f"base_port is a port or 'auto', not {given.base_port!r}")
        if self.restore is not None and given.procfile is not None:
            raise InputError(
                "a snapshot cannot be restored into the cluster of a Procfile: its commands say "
                "themselves where the data is",
                hint="use members or profile",
            )
        if self.restore is not None and given.bootstrap not in (None, DEFAULT_BOOTSTRAP):
            raise InputError(
                "members that are restored from a snapshot know each other",
                hint="leave out bootstrap",
            )
        for option in DECLARED.values():
            word = getattr(given, option.name)
            if option.words and word is not None and word not in option.words:
                raise InputError(
                    f"{option.name!r} cannot be {word!r}",
                    hint=f"choose one of: {', '.join(option.words)}",
                )

    @property
    def ephemeral(self) -> bool:
        """Whether the members' data is ours to delete: that of a Procfile never is."""
        return not self.keep_data and self.given.procfile is None

    def options(self) -> Options:
        """As the inputs take them."""
        options = replace(self.given, fresh=self.ephemeral, ephemeral=self.ephemeral)
        sources = (options.members, options.profile, options.procfile, self.restore)
        if all(source is None for source in sources):
            return replace(options, members=DEFAULT_MEMBERS)
        return options


class Life:
    """A cluster that this process started and that ends with it, at the latest."""

    def __init__(
        self,
        paths: ClusterPaths,
        planned: Planned,
        restoration: Restoration | None,
        wishes: Wishes,
    ) -> None:
        """Start guard and supervisor. The port locks that `planned` holds are ours from then on."""
        self.paths = paths
        self.restoration = restoration
        self.members_at_first: tuple[object, ...] = ()
        self._planned = planned
        self._held = planned.held
        self._wishes = wishes
        self._owner = os.getpid()
        self._launched = self._launch()
        _lives.add(self)

    def ready(self) -> None:
        """Note who the members are, now that the cluster is ready."""
        recorded = recorded_plan(self.paths)
        self.members_at_first = () if recorded is None else members_told(recorded)

    def hindrance(self) -> str:
        """Why the cluster cannot begin again; empty where it can."""
        spec = self._planned.spec
        if any(not each.member.data_owned for each in spec.members):
            return "its Procfile's commands say where the data is, which is not ours to delete"
        return way_of(spec).used_up

    def begin_again(self, timeout_s: float) -> None:
        """Kill everything and start the cluster of the first plan anew, without data, on the same ports.

        Raises what a start raises. Not where there is a hindrance.
        """
        self._stop()
        self._launched = self._launch()
        ControlClient(self.paths).ready(timeout_s)
        self.ready()

    def end(self) -> None:
        """Stop everything and, unless the data is to be kept, delete the cluster's directory.

        In a fork of the process that started the cluster nothing happens.
        """
        if self._owner != os.getpid():
            return
        if not self._wishes.ephemeral:
            with suppress(SandboxError):
                stop(self.paths)
        _lives.discard(self)
        try:
            self._stop()
        finally:
            self._close_locks()
        if not self._wishes.keep_data:
            with suppress(SandboxError):
                purge(self.paths)

    def let_go_in_fork(self) -> None:
        """Close the copies of the pipe and the locks that a fork has: they must not keep the cluster alive."""
        self._launched.let_go()
        self._close_locks()

    def _launch(self) -> Launched:
        restoration = self.restoration
        with restored_data(restoration, self.paths) if restoration else nullcontext() as data:
            return launch(
                self._planned.spec,
                self.paths,
                owned=True,
                fresh=self._wishes.ephemeral or bool(self.members_at_first),
                restored=data,
                inherited_fds=self._held,
            )

    def _stop(self) -> None:
        stop_at_once(self.paths)
        self._launched.let_go()
        if is_running(self.paths):
            self._launched.force()
        self._launched.guard.wait(KILLED_WITHIN_S)
        if left_behind(self.paths):
            sweep(self.paths)

    def _close_locks(self) -> None:
        held, self._held = self._held, ()
        for fd in held:
            os.close(fd)


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
    caller = Caller(cwd=working_directory(), env=dict(os.environ))
    restoration = None
    if wishes.restore is not None:
        restoration = plan_restore(Path(wishes.restore), wishes.options(), paths, caller)
    planned = restoration.planned if restoration else plan_up(wishes.options(), paths, caller)
    try:
        if not wishes.keep_data and planned.spec.source.kind is not SourceKind.PROCFILE:
            refuse_foreign_data(planned.spec, "a cluster without keep_data=True")
        for note in (*planned.spec.notes, *(restoration.notes if restoration else ())):
            _log.warning(note)
        _log.info("%s: %s", paths.name, planned.says)
        return Life(paths, planned, restoration, wishes)
    except BaseException:
        for fd in planned.held:
            os.close(fd)
        if not wishes.keep_data and not is_running(paths):
            with suppress(SandboxError):
                purge(paths)
        raise


def _refuse_kept_data(paths: ClusterPaths) -> None:
    recorded = recorded_plan(paths)
    if recorded is None or recorded.ephemeral:
        return
    if any(process.member.data_owned for process in recorded.members):
        raise InputError(
            f"cluster {paths.name!r} has a plan and data that were to be kept",
            str(paths.root),
            "keep_data=True continues it; another name, or none, makes another cluster",
        )


def _let_go_in_fork() -> None:
    for life in _lives:
        life.let_go_in_fork()


os.register_at_fork(after_in_child=_let_go_in_fork)

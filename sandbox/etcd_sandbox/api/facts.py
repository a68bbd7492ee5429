"""What both kinds of cluster know without asking: their name, their members, where they answer."""

from __future__ import annotations

from pathlib import Path
from typing import Self, TypedDict

from etcd_sandbox.api import values
from etcd_sandbox.api.lifetime import Life, Wishes
from etcd_sandbox.control.answers import not_running
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import InputError, NotRunning
from etcd_sandbox.host.clusterlock import is_running
from etcd_sandbox.host.etcdctl import program_variables
from etcd_sandbox.host.planfile import recorded_plan
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.paths import ClusterPaths, cluster_paths
from etcd_sandbox.plan.recorded import as_builtins


class ClusterArguments(TypedDict, total=False):
    """The arguments of `Cluster`, for what passes them on."""

    members: int | None
    profile: str | Path | None
    procfile: str | Path | None
    etcd: str | Path | None
    base_port: int | str | None
    name: str | None
    links: bool | None
    client_links: bool | None
    disk_faults: bool | None
    bootstrap: str | None
    discovery: str | None
    runtime: str | None
    image: str | None
    image_from_binary: bool | None
    restore: str | Path | None
    timeout_s: float
    keep_data: bool
    user: str | None


class ClusterFacts:
    """The arguments of `Cluster` and `AsyncCluster`, and what can be said without a question."""

    def __init__(
        self,
        *,
        members: int | None = None,
        profile: str | Path | None = None,
        procfile: str | Path | None = None,
        etcd: str | Path | None = None,
        base_port: int | str | None = None,
        name: str | None = None,
        links: bool | None = None,
        client_links: bool | None = None,
        disk_faults: bool | None = None,
        bootstrap: str | None = None,
        discovery: str | None = None,
        runtime: str | None = None,
        image: str | None = None,
        image_from_binary: bool | None = None,
        restore: str | Path | None = None,
        timeout_s: float = 30.0,
        keep_data: bool = False,
        user: str | None = None,
    ) -> None:
        """Say what the cluster is to be; nothing is started yet.

        `members`: how many, 1 to 25; three when neither profile nor procfile is given.
        `profile`: the name of a built-in profile, or a profile's path. `procfile`: its path.
        `etcd`: the path of a program or a version (`3.5`, `3.5.1`); the best found by default.
        `base_port`: the first member's client port; `"auto"` finds a free block; None is 12379,
        or what the profile says. `name`: what `etcd-sandbox -c NAME` calls it; a unique one by
        default. `links`: whether the members' peer traffic goes through links, so that it can be
        cut and slowed down; None means yes, but no for a Procfile. `client_links`: whether clients
        reach the members through links, too; `endpoints` are those of the links then. `disk_faults`: whether the
        members are started so that their disks can be slowed and broken without a restart (Linux). `bootstrap`: how the members are
        told of each other, `"static"`, `"discovery"` or `"dns"`; `discovery`: the URL of a discovery
        service that runs already. `runtime`: `"process"`, `"podman"` or `"docker"`; `image`: the
        containers' image, by default etcd's official one; `image_from_binary`: it is built from the
        etcd on this machine. `restore`: the path of a snapshot whose keys the cluster begins with; it
        has as many members as the snapshot's cluster had voters unless `members` or `profile` say
        how many. `timeout_s`: how long the
        start may take. `keep_data`: keep data, logs and events at the end, for the next start
        under this `name`; else everything is deleted. The data of a Procfile's members stays
        where its commands put it, in any case.

        `user` is `NAME:PASSWORD` of the user of etcd to ask the members as, where authentication is on.

        Raises InputError for arguments that contradict each other.
        """
        arguments = dict(locals())
        del arguments["self"]
        self._wishes = Wishes.of(arguments)
        self._life: Life | None = None
        self._attached: ClusterPaths | None = None

    @classmethod
    def attach(cls, name: str = "default", *, user: str | None = None) -> Self:
        """A cluster that runs already and is not ours: leaving the with-block does not stop it.

        Raises NotRunning when no cluster of that name runs.
        """
        paths = cluster_paths(name)
        if not is_running(paths):
            raise not_running(name)
        attached = cls(name=name, user=user)
        attached._attached = paths
        return attached

    def __repr__(self) -> str:
        paths = self._known_paths()
        kind = type(self).__name__
        return f"<{kind} {paths.name!r}>" if paths is not None else f"<{kind}, not up>"

    @property
    def is_up(self) -> bool:
        """Whether it was started, or attached to, and not closed."""
        return self._known_paths() is not None

    @property
    def name(self) -> str:
        """What `etcd-sandbox -c NAME` calls it."""
        return self._paths.name

    @property
    def directory(self) -> Path:
        """Where its files are: logs, events, data, the plan."""
        return self._paths.root

    @property
    def members(self) -> tuple[str, ...]:
        """The members' names, running or not."""
        return tuple(process.member.name for process in self._plan.members)

    @property
    def endpoints(self) -> list[str]:
        """The members' client URLs, running or not: `["http://127.0.0.1:12379", …]`."""
        return values.endpoints_in(self._plan)

    @property
    def env(self) -> dict[str, str]:
        """Variables for a program: `ETCDCTL_ENDPOINTS` and what TLS needs, and `ETCD_SANDBOX_…` as `run` sets them."""
        return program_variables(as_builtins(self._plan), self._paths)

    @property
    def _paths(self) -> ClusterPaths:
        paths = self._known_paths()
        if paths is None:
            kind = type(self).__name__
            raise NotRunning(
                "the cluster is not up", hint=f"use it within 'with {kind}() as cluster:'"
            )
        return paths

    @property
    def _control(self) -> ControlClient:
        return ControlClient(self._paths, self._wishes.user)

    @property
    def _plan(self) -> ClusterSpec:
        # The file follows every change of the membership.
        plan = recorded_plan(self._paths)
        if plan is None:
            raise not_running(self._paths.name)
        return plan

    def _known_paths(self) -> ClusterPaths | None:
        return self._attached if self._life is None else self._life.paths

    def _check_not_up(self) -> None:
        if self.is_up:
            raise InputError(f"cluster {self.name!r} is up already")

"""Members are processes of this machine: what every other runtime refines."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.config.profileshape import Profile
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.flags import compose
from etcd_sandbox.model.spec import (
    AnyProcess,
    ClusterSpec,
    ContainerNetwork,
    EtcdBinary,
    MemberProcess,
    MemberSpec,
    Runtime,
)
from etcd_sandbox.plan.memberargv import as_profiled
from etcd_sandbox.plan.memberoptions import told


class Process(Struct, frozen=True, kw_only=True):
    """A runtime as a plan has it."""

    runtime: Runtime = Runtime.PROCESS
    network: ContainerNetwork | None = None

    by_name: ClassVar[bool] = False
    """Whether the others look for a member at a name, so that it cannot move."""

    gives_resolver: ClassVar[bool] = False
    """Whether members get a /etc/resolv.conf of their own from it, and need no mount."""

    no_filter: ClassVar[str] = ""
    """Why a member's calls of its disk cannot be stopped, after its name; empty where they can."""

    # The plan of a new cluster.

    @property
    def is_apart(self) -> bool:
        """Whether members reach each other on a network of their own, by their names."""
        return self.network is ContainerNetwork.PUBLISHED

    def host_prefix(self, cluster: str) -> str:
        """What stands before a member's name in that of its host; empty where hosts have no names."""
        return ""

    def placed(self, member: MemberSpec, profile: Profile, cwd: str, data_root: Path) -> MemberSpec:
        """The member with what the profile's flags say of it. Raises InputError for a place that it cannot have."""
        return as_profiled(member, profile, cwd, data_root.parent)

    def run(
        self,
        process: AnyProcess,
        binary: EtcdBinary,
        cluster: str,
        data_root: Path,
        resolver: tuple[str, ...] = (),
    ) -> AnyProcess:
        """The process as it runs `binary` with its own flags.

        The words `resolver`, before a command, let it see the file that is their last in the place
        of `/etc/resolv.conf`. Raises InputError for names and places that cannot be.
        """
        return self.composed(replace(process, wrapper=resolver), binary.path, process.flags)

    # Edits of a process.

    def composed(self, process: AnyProcess, program: str, flags: Mapping[str, str]) -> AnyProcess:
        """The process as it executes the etcd at `program` with these flags, within its wrapper."""
        process = replace(process, flags=dict(flags))
        words = compose(program, told(process))
        return replace(process, argv=(*process.wrapper, *words), shown=shlex.join(words))

    def renamed(self, process: MemberProcess, like: MemberSpec) -> MemberProcess:
        """What runs `process`, which took the place of the member `like`, called after it."""
        return process

    def with_program(self, process: MemberProcess, binary: EtcdBinary) -> MemberProcess:
        """The process around another etcd. Raises InputError where it cannot run that."""
        is_container = process.container is not None
        if is_container != bool(binary.image):
            raise InputError(
                f"{process.own_name} {'is a container' if is_container else 'is no container'}, and "
                f"etcd {binary.version} is {'in an image' if binary.image else 'a program'}",
                hint="bring up a cluster of the other kind: --runtime",
            )
        return process

    # Exports.

    def in_profile(self, spec: ClusterSpec) -> dict[str, str | bool]:
        """What `[cluster]` says of the runtime."""
        return {}

    def lost_in_commands(self, spec: ClusterSpec) -> tuple[str, ...]:
        """What commands of this machine leave out, a sentence each."""
        return ()

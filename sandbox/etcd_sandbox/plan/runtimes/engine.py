"""Members are containers of podman or docker: the engine's words stand before etcd's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import ClassVar

from msgspec.structs import replace

from etcd_sandbox.config.profileshape import Profile
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.spec import (
    CLUSTER_LABEL,
    AnyProcess,
    ClusterSpec,
    ContainerNetwork,
    ContainerSpec,
    EtcdBinary,
    MemberProcess,
    MemberSpec,
    ProcessSpec,
    Runtime,
)
from etcd_sandbox.plan.memberargv import as_profiled, keys_of
from etcd_sandbox.plan.runtimes.process import Process

_ANYWHERE = "0.0.0.0"
_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")


OFFICIAL_IMAGE = "gcr.io/etcd-development/etcd"
"""Where etcd's releases are published as images, by its release notes; tags are like `v3.6.14`."""

BUILT_IMAGE = "localhost/etcd-sandbox"
"""What images that are built from an etcd of this machine are called; they hold nothing else."""


class Engine(Process, frozen=True, kw_only=True):
    """A container engine: `program` is the path of `podman` or `docker`.

    `options` are what `run` needs on this machine: whose the files are, where the output goes.
    `tells_pid`: it writes a container's pid into a file of our choice. Both are in the commands of a recorded plan only.
    """

    runtime: Runtime
    program: str
    network: ContainerNetwork = ContainerNetwork.HOST
    options: tuple[str, ...] = ()
    tells_pid: bool = False

    by_name: ClassVar[bool] = True
    gives_resolver: ClassVar[bool] = True
    no_filter: ClassVar[str] = "runs in a container: the calls of its disk cannot be stopped there"

    @classmethod
    def recorded(cls, planned: ClusterSpec | ProcessSpec) -> Engine:
        """The engine of a plan, or of one process."""
        processes = planned.processes if isinstance(planned, ClusterSpec) else (planned,)
        first = next(iter(containers_of(*processes)), None)
        apart = first is not None and first.network
        return cls(
            runtime=planned.runtime,
            program=first.engine if first is not None else "",
            network=ContainerNetwork.PUBLISHED if apart else ContainerNetwork.HOST,
        )

    def host_prefix(self, cluster: str) -> str:
        return container_name(cluster, "") if self.is_apart else ""

    def placed(self, member: MemberSpec, profile: Profile, cwd: str, data_root: Path) -> MemberSpec:
        if keys := keys_of(profile, member.name, "wal-dir"):
            raise InputError(
                f"the logs of {member.name} would be lost with its container, which keeps only its data directory",
                profile.place(*keys[0]),
                "leave 'wal-dir' out: the logs are then kept in the data directory",
            )
        return as_profiled(member, profile, cwd, None)

    def run(
        self,
        process: AnyProcess,
        binary: EtcdBinary,
        cluster: str,
        data_root: Path,
        resolver: tuple[str, ...] = (),
    ) -> AnyProcess:
        """The process as a container of the image of `binary`.

        The data directory has the same path inside and outside. The engine mounts the file of `resolver`
        itself. Raises InputError for names that an engine does not take.
        """
        own = process.own_name
        data, root = data_root / own, data_root.parent
        _check(own, data)
        container = ContainerSpec(
            runtime=self.runtime,
            engine=self.program,
            name=container_name(cluster, own),
            image=binary.image,
            program=binary.path,
            data_dir=str(data),
            pid_file=str(root / "containers" / f"{own}.pid") if self.tells_pid else "",
            network=f"etcd-sandbox-{cluster}" if self.is_apart else "",
        )
        published = _ports(process.member) if process.member and self.is_apart else ()
        wrapper = (
            self.program,
            "run",
            "--rm",
            "--pull=never",
            f"--name={container.name}",
            f"--label={CLUSTER_LABEL}={root}",
            f"--network={container.network or 'host'}",
            *map(_publish, published),
            *self.options,
            *((f"--pidfile={container.pid_file}",) if container.pid_file else ()),
            f"--volume={data}:{data}",
            *(f"--volume={file}:/etc/resolv.conf:ro" for file in resolver[-1:]),
            *(f"--env={key}={value}" for key, value in process.env.items()),
            f"--entrypoint={container.program}",
        )
        process = replace(process, wrapper=wrapper, container=container)
        return self.composed(process, container.program, process.flags)

    def composed(self, process: AnyProcess, program: str, flags: Mapping[str, str]) -> AnyProcess:
        within: ProcessSpec = process
        if isinstance(process, MemberProcess) and self.is_apart:
            within = replace(process, member=_listening_anywhere(process.member))
        executed = Process.composed(self, within, _container(process).image, flags)
        return replace(Process.composed(self, process, program, flags), argv=executed.argv)

    def renamed(self, process: MemberProcess, like: MemberSpec) -> MemberProcess:
        member, old = process.member, _container(process)
        pid_file = (
            PurePosixPath(old.pid_file).with_name(f"{member.name}.pid") if old.pid_file else ""
        )
        new = replace(
            old,
            name=old.name.removesuffix(like.name) + member.name,
            data_dir=member.data_dir,
            pid_file=str(pid_file),
        )
        words = {
            f"--name={old.name}": f"--name={new.name}",
            f"--pidfile={old.pid_file}": f"--pidfile={new.pid_file}",
            f"--volume={old.data_dir}:{old.data_dir}": f"--volume={new.data_dir}:{new.data_dir}",
            **dict(zip(map(_publish, _ports(like)), map(_publish, _ports(member)), strict=True)),
        }
        return _reworded(process, words, new)

    def with_program(self, process: MemberProcess, binary: EtcdBinary) -> MemberProcess:
        old = _container(Process.with_program(self, process, binary))
        new = replace(old, image=binary.image, program=binary.path)
        return _reworded(
            process, {f"--entrypoint={old.program}": f"--entrypoint={new.program}"}, new
        )

    def in_profile(self, spec: ClusterSpec) -> dict[str, str | bool]:
        said: dict[str, str | bool] = {
            "runtime": self.runtime.value,
            "container_network": self.network.value,
        }
        images = {container.image for container in containers_of(*spec.members)}
        if all(map(is_built, images)):
            return said | {"image_from_binary": True}
        return said | ({"image": images.pop()} if len(images) == 1 else {})

    def lost_in_commands(self, spec: ClusterSpec) -> tuple[str, ...]:
        etcds = (process.member.etcd for process in spec.members)
        versions = ", ".join(sorted({etcd.version for etcd in etcds if etcd is not None}))
        lost = f"the members are containers here; there they run the etcd on PATH: let it be {versions}"
        moved = "member IDs differ there: they are made of peer URLs, which are on 127.0.0.1"
        return (lost, moved) if self.is_apart else (lost,)


def containers_of(*processes: ProcessSpec) -> list[ContainerSpec]:
    """The containers that these processes run in."""
    return [process.container for process in processes if process.container is not None]


def container_name(cluster: str, name: str) -> str:
    """The name of a container: that of its cluster and of its member or service."""
    return f"etcd-sandbox-{cluster}-{name}"


def is_built(image: str) -> bool:
    """Whether only this machine has the image, since it was built here."""
    return image.startswith(f"{BUILT_IMAGE}:")


def _container(process: ProcessSpec) -> ContainerSpec:
    assert process.container is not None
    return process.container


def _listening_anywhere(member: MemberSpec) -> MemberSpec:
    """Ports are published to the container's own address, not to its loopback."""
    return replace(
        member,
        listen_urls=tuple(url.at(_ANYWHERE) for url in member.listen_urls),
        metrics_url=member.metrics_url and member.metrics_url.at(_ANYWHERE),
    )


def _reworded(
    process: MemberProcess, words: Mapping[str, str], container: ContainerSpec
) -> MemberProcess:
    """The process with these words of the engine in the place of others."""
    wrapper = tuple(words.get(word, word) for word in process.wrapper)
    return replace(process, wrapper=wrapper, container=container)


def _check(name: str, data: Path) -> None:
    if not _NAME.match(name):
        raise InputError(
            f"{name!r} cannot name a container",
            hint="use letters, digits, '.', '_' and '-' only, or --runtime process",
        )
    if ":" in str(data):
        raise InputError(
            "a path with ':' cannot be mounted into a container",
            str(data),
            "set ETCD_SANDBOX_HOME to a directory without ':' in its path",
        )


def _ports(member: MemberSpec) -> tuple[int, ...]:
    """What the host reaches: clients and metrics. Peers reach each other by the engine's network."""
    urls = (member.client_url, member.metrics_url)
    return tuple(url.port for url in urls if url and url.port)


def _publish(port: int) -> str:
    return f"--publish=127.0.0.1:{port}:{port}"

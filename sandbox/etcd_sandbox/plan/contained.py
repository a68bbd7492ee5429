"""How an etcd that is ours is executed: its flags are a dict, argv is rendered from them, and an engine's words stand before it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.flags import compose
from etcd_sandbox.model.spec import (
    CLUSTER_LABEL,
    AnyProcess,
    ContainerNetwork,
    ContainerSpec,
    EtcdBinary,
    ProcessSpec,
    Runtime,
)

_LOOPBACK, _ANYWHERE = "//127.0.0.1:", "//0.0.0.0:"
_LISTEN = ("listen-client-urls", "listen-peer-urls", "listen-metrics-urls")
_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")


OFFICIAL_IMAGE = "gcr.io/etcd-development/etcd"
"""Where etcd's releases are published as images, by its release notes; tags are like `v3.6.14`."""

BUILT_IMAGE = "localhost/etcd-sandbox"
"""What images that are built from an etcd of this machine are called; they hold nothing else."""


class Engine(Struct, frozen=True, kw_only=True):
    """A container engine: `program` is the path of `podman` or `docker`.

    `options` are what `run` needs on this machine: whose the files are, where the output goes.
    `tells_pid`: it writes a container's pid into a file of our choice.
    """

    runtime: Runtime
    program: str
    network: ContainerNetwork = ContainerNetwork.HOST
    options: tuple[str, ...] = ()
    tells_pid: bool = False

    @property
    def is_apart(self) -> bool:
        """Containers reach each other on a network of their own, by their names."""
        return self.network is ContainerNetwork.PUBLISHED


def composed(process: AnyProcess, program: str, flags: Mapping[str, str]) -> AnyProcess:
    """The process as it executes the etcd at `program` with these flags, within what wraps it."""
    container = process.container
    heard = {
        # Ports are published to the container's own address, not to its loopback.
        name: value.replace(_LOOPBACK, _ANYWHERE) if name in _LISTEN else value
        for name, value in flags.items()
    }
    arguments = compose("", heard if container and container.network else flags)[1:]
    return replace(
        process,
        flags=dict(flags),
        argv=(*process.wrapper, container.image if container else program, *arguments),
        shown=shlex.join(compose(program, flags)),
    )


def container_name(cluster: str, name: str) -> str:
    """The name of a container: that of its cluster and of its member or service."""
    return f"etcd-sandbox-{cluster}-{name}"


def network_name(cluster: str) -> str:
    """The name of the engine's network for containers that are not on the host's."""
    return f"etcd-sandbox-{cluster}"


def in_container(
    process: AnyProcess,
    engine: Engine,
    binary: EtcdBinary,
    cluster: str,
    data_root: Path,
    resolv_conf: str = "",
) -> AnyProcess:
    """The process as a container of the image of `binary`.

    The data directory has the same path inside and outside. A file `resolv_conf` takes the place
    of the container's own. Raises InputError for names that an engine does not take.
    """
    own = process.own_name
    data, root = data_root / own, data_root.parent
    _check(own, data)
    pid_file = root / "containers" / f"{own}.pid" if engine.tells_pid else None
    program = process.argv[0]
    container = ContainerSpec(
        runtime=engine.runtime,
        engine=engine.program,
        name=container_name(cluster, own),
        image=binary.image,
        program=program,
        data_dir=str(data),
        pid_file=str(pid_file or ""),
        network=network_name(cluster) if engine.is_apart else "",
    )
    wrapper = (
        engine.program,
        "run",
        "--rm",
        "--pull=never",
        f"--name={container.name}",
        f"--label={CLUSTER_LABEL}={root}",
        f"--network={container.network or 'host'}",
        *(f"--publish=127.0.0.1:{port}:{port}" for port in _ports(process) if engine.is_apart),
        *engine.options,
        *((f"--pidfile={pid_file}",) if pid_file else ()),
        f"--volume={data}:{data}",
        *((f"--volume={resolv_conf}:/etc/resolv.conf:ro",) if resolv_conf else ()),
        *(f"--env={key}={value}" for key, value in process.env.items()),
        f"--entrypoint={program}",
    )
    return composed(replace(process, wrapper=wrapper, container=container), program, process.flags)


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


def _ports(process: ProcessSpec) -> tuple[int, ...]:
    """What the host reaches: clients and metrics. Peers reach each other by the engine's network."""
    if process.member is None:
        return ()
    urls = (process.member.client_url, process.member.metrics_url or "")
    return tuple(int(url.rpartition(":")[2]) for url in urls if url)

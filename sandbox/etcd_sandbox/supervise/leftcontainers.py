"""Containers and networks of a cluster that nobody watches: cleared by the label that they were given.

As a program (`python -m etcd_sandbox.supervise.leftcontainers ENGINE STATE-DIRECTORY`) it is what the
guard runs when the supervisor died.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path

from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.host.enginecommand import ask_engine
from etcd_sandbox.model.spec import CLUSTER_LABEL, ContainerSpec, ProcessSpec, Runtime

_ATTEMPTS = 5
_ATTEMPT_PAUSE_S = 0.2


def containers_of(processes: Iterable[ProcessSpec]) -> list[ContainerSpec]:
    """The containers that these processes run in."""
    return [process.container for process in processes if process.container is not None]


def command_for(engine: str, root: Path) -> list[str]:
    """The command that clears what `engine` has of the cluster whose state directory is `root`."""
    return [sys.executable, "-P", "-m", __name__, engine, str(root)]


def clear(engine: str, root: Path) -> list[str]:
    """Remove every container and network of that cluster; the names of the containers.

    Raises SandboxError when the engine does not do it.
    """
    ours = f"--filter=label={CLUSTER_LABEL}={root}"
    listed = ask_engine(engine, "ps", "--all", ours, "--format={{.Names}}")
    names = sorted(listed.require("list containers").split())
    _remove(engine, names)
    networks = ask_engine(engine, "network", "ls", "--quiet", ours)
    for network in networks.require("list networks").split():
        ask_engine(engine, "network", "rm", network).require(f"remove the network {network}")
    return names


def make_room(containers: Iterable[ContainerSpec], root: Path) -> None:
    """See to it that the names of these containers are free, and that their network is there.

    A container of ours that was left is removed; raises InputError where another has the name.
    """
    named = {container.name: container for container in containers}
    for engine in dict.fromkeys(container.engine for container in named.values()):
        of_engine = [name for name, container in named.items() if container.engine == engine]
        taken = _owners(engine, of_engine)
        for name, owner in taken.items():
            if owner != str(root):
                raise _foreign(named[name], owner)
        _remove(engine, list(taken))
    for container in named.values():
        if container.network:
            _make_network(container.engine, container.network, root)
            break


def removal(engine: str, *names: str) -> tuple[str, ...]:
    """The engine's command that removes these containers at once, whatever they do."""
    # docker kills what it is forced to remove; podman asks first, and waits.
    at_once = ("--time=0",) if Path(engine).name == Runtime.PODMAN else ()
    return ("rm", "--force", "--volumes", *at_once, *names)


def _owners(engine: str, names: list[str]) -> dict[str, str]:
    """Those of the names that a container has, with the state directory that it belongs to."""
    shown = f'{{{{.Name}}}} {{{{index .Config.Labels "{CLUSTER_LABEL}"}}}}'
    # It fails when one of them is not there, and shows the others.
    answer = ask_engine(engine, "container", "inspect", f"--format={shown}", *names)
    lines = (line.partition(" ") for line in answer.out.splitlines() if line.strip())
    return {name.lstrip("/"): owner for name, _, owner in lines}


def _foreign(container: ContainerSpec, owner: str) -> InputError:
    known = owner not in ("", "<no value>")
    whose = f"it belongs to another cluster, {owner}" if known else "it is not one of etcd-sandbox"
    return InputError(
        f"a container of {container.runtime} is called {container.name} already, and {whose}",
        hint=f"{container.runtime} rm --force {container.name} removes it if you mean that; "
        "-c NAME gives this cluster another name",
    )


def _remove(engine: str, names: list[str]) -> None:
    if not names:
        return
    # Of a container whose own monitor was killed, podman finds out by failing to remove it.
    for _ in range(_ATTEMPTS - 1):
        if ask_engine(engine, *removal(engine, *names)).code == 0:
            return
        time.sleep(_ATTEMPT_PAUSE_S)
    ask_engine(engine, *removal(engine, *names)).require(f"remove {', '.join(names)}")


def _make_network(engine: str, network: str, root: Path) -> None:
    label = f"--label={CLUSTER_LABEL}={root}"
    if ask_engine(engine, "network", "inspect", network).code != 0:
        made = ask_engine(engine, "network", "create", label, network)
        made.require(f"make the network {network}", "use --container-network host")


def main() -> int:
    """Clear what one engine has of one cluster; the exit code."""
    engine, root = sys.argv[1:]
    try:
        clear(engine, Path(root))
    except SandboxError as error:
        print(error, file=sys.stderr)  # noqa: T201 - into the supervisor's log
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

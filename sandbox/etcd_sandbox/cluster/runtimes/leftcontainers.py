"""Containers and networks of a cluster that nobody watches: cleared by the label that they were given.

As a program (`python -m etcd_sandbox.cluster.runtimes.leftcontainers ENGINE STATE-DIRECTORY`) it is what the
guard runs when the supervisor died.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.host.enginecommand import ask_engine
from etcd_sandbox.model.spec import CLUSTER_LABEL, ContainerSpec, Runtime

REMOVED_WITHIN_S = 15.0
"""How long an engine may take to be rid of what it is to remove."""

_PAUSE_S = 0.1


def command_for(engine: str, root: Path) -> list[str]:
    """The command that clears what `engine` has of the cluster whose state directory is `root`."""
    return [sys.executable, "-P", "-m", __name__, engine, str(root)]


def clear(engine: str, root: Path) -> list[str]:
    """Remove every container and network of that cluster; the names of the containers.

    Raises SandboxError when the engine still lists one of them in the end.
    """
    ours = f"--filter=label={CLUSTER_LABEL}={root}"

    def containers() -> list[str]:
        listed = ask_engine(engine, "ps", "--all", ours, "--format={{.Names}}")
        return listed.require("list containers").split()

    def networks() -> list[str]:
        listed = ask_engine(engine, "network", "ls", "--quiet", ours)
        return listed.require("list networks").split()

    gone = _remove_all(engine, containers, lambda names: removal(engine, *names))
    _remove_all(engine, networks, lambda names: ("network", "rm", *names))
    return sorted(gone)


def remove(engine: str, names: Sequence[str]) -> None:
    """Have the engine be without these containers. Raises SandboxError when it has one in the end."""
    if names:
        _remove_all(
            engine, lambda: list(_owners(engine, names)), lambda left: removal(engine, *left)
        )


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
        remove(engine, list(taken))
    for container in named.values():
        if container.network:
            _make_network(container.engine, container.network, root)
            break


def removal(engine: str, *names: str) -> tuple[str, ...]:
    """The engine's command that removes these containers at once, whatever they do."""
    # docker kills what it is forced to remove; podman asks first, and waits.
    at_once = ("--time=0",) if Path(engine).name == Runtime.PODMAN else ()
    return ("rm", "--force", "--volumes", *at_once, *names)


def _owners(engine: str, names: Sequence[str]) -> dict[str, str]:
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


def _remove_all(
    engine: str,
    listed: Callable[[], list[str]],
    removal_of: Callable[[Sequence[str]], Sequence[str]],
) -> set[str]:
    """Remove what the engine lists until it lists none of it; all that was removed.

    The list alone tells: `podman rm --force` removes nothing and ends with 0 where one of its names has gone
    meanwhile (`removeContainers` in podman 4.3.1's cmd/podman/containers/rm.go), since the clean-up that a
    container's monitor starts at its end (`podman container cleanup --rm`) was quicker. And of a container whose
    monitor was killed podman finds out by failing to remove it.
    """
    deadline = time.monotonic() + REMOVED_WITHIN_S
    names = listed()
    seen = set(names)
    while names:
        answer = ask_engine(engine, *removal_of(names))
        names = listed()
        seen |= set(names)
        if names and time.monotonic() >= deadline:
            reason = answer.reason if answer.code else f"{answer.name} lists it after all"
            raise SandboxError(
                f"{answer.name} cannot remove {', '.join(names)}: {reason}",
                hint=f"{answer.name} {' '.join(removal_of(names))} tries it once more",
            )
        if names:
            time.sleep(_PAUSE_S)
    return seen


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

"""Which etcd `upgrade --to` means: a program of this machine, or an image where members are containers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.release import choose
from etcd_sandbox.model.spec import ClusterSpec, ContainerNetwork, EtcdBinary, Runtime
from etcd_sandbox.plan.recorded import of_running


def etcd_meant(to: str, plan: Mapping[str, Any], cwd: Path) -> EtcdBinary:
    """The etcd for the members of the running `plan` (a ClusterSpec as JSON).

    `to` is a version (`3.5`: the newest 3.5.x here) or a path, from `cwd`; for containers it may
    name an image (it has a colon). Raises InputError where there is none.
    """
    if not to.strip():
        raise InputError("--to needs a version or a path", hint="--to 3.5, say")
    if "/" in to and ":" not in to:
        to = str(cwd / Path(to).expanduser())
    spec = of_running(plan)
    return choose(to) if spec.runtime is Runtime.PROCESS else _image(to, spec)


def as_json(binary: EtcdBinary) -> dict[str, Any]:
    """As the supervisor takes it."""
    found = msgspec.to_builtins(binary)
    assert isinstance(found, dict)
    return found


def _image(to: str, spec: ClusterSpec) -> EtcdBinary:
    from etcd_sandbox.containers import find_engine, image_chooser
    from etcd_sandbox.plan.contained import BUILT_IMAGE

    containers = [process.container for process in spec.members if process.container is not None]
    apart = any(container.network for container in containers)
    engine = find_engine(
        spec.runtime, ContainerNetwork.PUBLISHED if apart else ContainerNetwork.HOST
    )
    # What was built from a program of this machine is built from one again.
    built = all(container.image.startswith(f"{BUILT_IMAGE}:") for container in containers)
    if ":" in to:
        return image_chooser(engine, to, from_binary=False, choose=choose)("")
    return image_chooser(engine, "", built, choose)(to)

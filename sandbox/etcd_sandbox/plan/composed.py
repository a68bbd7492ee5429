"""An etcd whose command the sandbox composes: its flags are a dict, and what is executed is rendered from them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from msgspec.structs import replace

from etcd_sandbox.etcd.flags import compose
from etcd_sandbox.model.spec import AnyProcess

_LOOPBACK, _ANYWHERE = "//127.0.0.1:", "//0.0.0.0:"
_LISTEN = ("listen-client-urls", "listen-peer-urls", "listen-metrics-urls")


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

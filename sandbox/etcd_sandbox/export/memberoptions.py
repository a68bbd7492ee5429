"""A member's etcd options as an export has them: those of its own, and what no export can take over."""

from __future__ import annotations

from urllib.parse import urlsplit

from etcd_sandbox.config.profileflags import BOOTSTRAP_FLAGS, RESERVED_FLAGS
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.spec import ClusterSpec, ProcessSpec
from etcd_sandbox.plan.contained import BUILT_IMAGE
from etcd_sandbox.plan.memberoptions import (
    command_of,
    invocation_of,
    is_composed,
    options,
    port_of,
    the_member,
)

__all__ = [
    "command_of",
    "invocation_of",
    "is_built",
    "is_composed",
    "options",
    "own_options",
    "port_of",
    "refuse_others_ways",
    "the_member",
]

_COMPOSED_ALWAYS = {"logger": "zap", "log-outputs": "stderr"}


def own_options(spec: ClusterSpec, process: ProcessSpec) -> dict[str, str]:
    """Those that do not make the cluster: what a profile has in `[etcd]` and `flags`."""
    added = {"peer-auto-tls": "true"} if spec.dns is not None and spec.dns.tls else {}
    added |= _COMPOSED_ALWAYS
    return {
        name: value
        for name, value in options(process).items()
        if name not in RESERVED_FLAGS and name not in BOOTSTRAP_FLAGS and added.get(name) != value
    }


def is_built(process: ProcessSpec) -> bool:
    """Whether the member's container has an image that only this machine has."""
    etcd = the_member(process).etcd
    return etcd is not None and etcd.image.startswith(f"{BUILT_IMAGE}:")


def refuse_others_ways(process: ProcessSpec, kind: str) -> None:
    """Raises InputError for a Procfile's member that the members' names and ports do not describe."""
    if is_composed(process):
        return
    place = f"{process.name} in the Procfile"
    if found := sorted(BOOTSTRAP_FLAGS & options(process).keys()):
        raise InputError(
            f"its members find each other by --{found[0]}: {kind} cannot take that over",
            place,
            "name the way instead: etcd-sandbox export "
            f"{kind} -n 3 --bootstrap {'dns' if 'srv' in found[0] else 'discovery'}",
        )
    member = the_member(process)
    for url in (member.client_url, member.peer_url):
        if urlsplit(url).scheme != "http":
            raise InputError(
                f"{url or 'a URL that is missing'} is not plain http: {kind} cannot take over its certificates",
                place,
                "export procfile or shell keeps its command as it is",
            )

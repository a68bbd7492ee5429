"""What a way to start is planned from: what was found before, and the members that it is for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from etcd_sandbox.model.bootstrap import Bootstrap, DiscoveryProtocol, DiscoverySpec
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.plan.ports import MemberPorts
from etcd_sandbox.plan.runtimes import Process


class Registrants(Struct, frozen=True, kw_only=True):
    """Whom a discovery service is to introduce: names and peer URLs, and the protocols that all
    their etcds speak, the better one first."""

    protocols: tuple[DiscoveryProtocol, ...]
    members: tuple[tuple[str, str], ...]


class BootstrapInputs(Struct, frozen=True, kw_only=True):
    """What a way needs that a plan cannot know by itself.

    `token` is that of our own discovery service; `ask_service` gives the token of an existing
    one, and None means our own. `size` None: the number of members.
    `dnsmasq` is the program, None where it is not installed; `mount` runs a command with a
    resolver of its own; `records` are the text and the place of a file of records that replaces ours.
    """

    bootstrap: Bootstrap = Bootstrap.STATIC
    token: str = ""
    size: int | None = None
    ask_service: Callable[[Registrants], DiscoverySpec] | None = None
    dnsmasq: str | None = None
    mount: tuple[str, ...] = ()
    records: tuple[str, str] | None = None


class Request(Struct, frozen=True, kw_only=True):
    """The members that a way is planned for: `ports` of the voters, `binaries` of all, in their order."""

    inputs: BootstrapInputs
    cluster: str
    token: str
    cwd: str
    data_root: Path
    ports: tuple[tuple[str, MemberPorts], ...]
    binaries: dict[str, EtcdBinary]
    runtime: Process

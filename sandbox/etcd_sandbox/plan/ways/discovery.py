"""Members that a discovery service introduces to each other: its protocol, its process, their flags."""

from __future__ import annotations

import shlex
from base64 import b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path

from etcd_sandbox.config.profileflags import Flag
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.flags import spelled
from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.bootstrap import Bootstrap, DiscoveryProtocol, DiscoverySpec
from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary, ProcessSpec, Service
from etcd_sandbox.plan.memberargv import ENV_DROP
from etcd_sandbox.plan.ports import PORT_LIMIT, PORTS_PER_MEMBER
from etcd_sandbox.plan.ways.request import Registrants, Request
from etcd_sandbox.plan.ways.static import Static

V2_PATH = "/v2/keys/discovery"
"""Where tokens of the v2 protocol are kept, by etcd's documentation."""

_V3_SINCE = (3, 6)
_V2_UNTIL = (3, 7)
_HEARTBEAT_MS, _ELECTION_MS = 10, 100
"""The service has one member: its only election need not take a second."""


class Discovery(Static):
    """A discovery service, ours or another, introduces the members to each other once."""

    bootstrap = Bootstrap.DISCOVERY

    def __init__(self, discovery: DiscoverySpec) -> None:
        # What takes the place of the cluster token in member IDs: measured on 3.4 to 3.7.
        super().__init__(discovery.token_url or discovery.token)
        self.discovery: DiscoverySpec = discovery
        self.places = discovery.places

    @classmethod
    def planned(cls, request: Request) -> Discovery:
        inputs, protocols = request.inputs, protocols_of(request.binaries.values())
        if inputs.ask_service is not None:
            peers = tuple((name, Address.here(own.peer)) for name, own in request.ports)
            return cls(inputs.ask_service(Registrants(protocols=protocols, members=peers)))
        used = (p for _, own in request.ports for p in range(own.client, own.peer_listener + 1))
        port = _service_port(request.ports[0][1].client, used)
        size = inputs.size or len(request.ports)
        return cls(_own_service(protocols[0], port, inputs.token, size))

    @classmethod
    def recorded(cls, spec: ClusterSpec) -> Discovery:
        assert spec.discovery is not None
        return cls(spec.discovery)

    @property
    def flags(self) -> dict[str, Flag]:
        discovery = self.discovery
        if discovery.protocol is DiscoveryProtocol.V2:
            return {"discovery": discovery.token_url}
        secure: dict[str, Flag] = (
            {"discovery-insecure-transport": False} if discovery.service.is_secure else {}
        )
        return {
            "discovery-endpoints": discovery.service.netloc,
            "discovery-token": discovery.token,
            **secure,
        }

    def services(self, request: Request) -> list[ProcessSpec]:
        if not self.discovery.process:
            return []
        binary = service_binary(self.discovery.protocol, tuple(request.binaries.values()))
        service = _service_process(self.discovery, request.data_root, request.cwd)
        return [request.runtime.run(service, binary, request.cluster, request.data_root)]

    def notes(self, request: Request) -> tuple[str, ...]:
        voters = [(name, request.binaries[name]) for name, _ in request.ports]
        return _size_notes(self.discovery, voters)

    @property
    def ports(self) -> frozenset[int]:
        service = self.discovery.service.port or 0
        return frozenset(range(service, service + PORTS_PER_MEMBER))

    @property
    def own_service(self) -> str:
        return self.discovery.process

    @property
    def register(self) -> str:
        discovery, quiet = self.discovery, ("curl", "-fsS", "-o", "/dev/null")
        if discovery.token_url:
            url = f"{discovery.token_url}/_config/size"
            return shlex.join((*quiet, "-X", "PUT", url, "-d", f"value={discovery.size}"))
        key, value = _base64(_size_key(discovery.token)), _base64(str(discovery.size))
        body = f'{{"key": "{key}", "value": "{value}"}}'
        return shlex.join((*quiet, f"{discovery.service}/v3/kv/put", "-d", body))

    @property
    def is_registered(self) -> str:
        discovery = self.discovery
        if not discovery.process:
            return ""
        if discovery.token_url:
            url = f"{discovery.token_url}/_config/size"
            return shlex.join(("curl", "-fs", "-o", "/dev/null", url))
        body = f'{{"key": "{_base64(_size_key(discovery.token))}"}}'
        asked = shlex.join(("curl", "-fs", f"{discovery.service}/v3/kv/range", "-d", body))
        # An answer about a key that is not there is an answer without "kvs".
        return f"{asked} | grep -q kvs"

    @property
    def about_service(self) -> tuple[str, ...]:
        if not self.discovery.process:
            return ()
        return (
            f"The discovery service registers the token for {self.discovery.size} members itself;",
            "the members wait for that. Delete their data and the service's together.",
        )

    @property
    def single_use(self) -> str:
        return self.discovery.token

    def flags_elsewhere(self, service: str, initial_cluster: str, token: str) -> dict[str, str]:
        discovery = self.discovery
        place = service if discovery.process else discovery.service
        if discovery.token_url:
            return {"discovery": discovery.token_url.replace(discovery.service, place, 1)}
        return {"discovery-endpoints": Address(place).netloc, "discovery-token": discovery.token}

    def lost_in_commands(self, kind: str) -> tuple[str, ...]:
        if self.discovery.process:
            return ()
        return (
            f"the token {self.discovery.token} at {self.discovery.service} is good for one cluster: "
            f"where this one has used it up, register another for the {kind}",
        )

    @property
    def lost_in_containers(self) -> tuple[str, ...]:
        if self.discovery.process:
            return ()
        return (
            f"the discovery service {self.discovery.service} must be reachable from containers, and "
            "its token unused",
        )

    def in_profile(self, spec: ClusterSpec) -> dict[str, str | int]:
        discovery, table = self.discovery, dict[str, str | int](bootstrap=self.bootstrap.value)
        if not discovery.process:
            table["discovery"], table["discovery_token"] = discovery.service, discovery.token
        if discovery.size != len(spec.members):
            table["discovery_size"] = discovery.size
        return table

    @property
    def used_up(self) -> str:
        return "" if self.discovery.process else f"its token at {self.discovery.service} was used"


def protocols_of(binaries: Iterable[EtcdBinary]) -> tuple[DiscoveryProtocol, ...]:
    """The protocols that all these etcds speak, the better one first: v2 has gone in 3.7.

    Raises InputError for versions that have none in common.
    """
    versions = sorted({binary.version for binary in binaries}, key=parse)
    spoken = []
    if all(parse(version)[:2] >= _V3_SINCE for version in versions):
        spoken.append(DiscoveryProtocol.V3)
    if all(parse(version)[:2] < _V2_UNTIL for version in versions):
        spoken.append(DiscoveryProtocol.V2)
    if spoken:
        return tuple(spoken)
    raise InputError(
        f"etcd {' and '.join(versions)} have no discovery protocol in common: "
        "v2 ended with 3.6, v3 began with 3.6",
        hint="give all members one version with --etcd, or use --bootstrap static",
    )


def token_url(service: str, token: str) -> str:
    """The URL of a token of the v2 protocol."""
    return f"{service.rstrip('/')}{V2_PATH}/{token}"


def _own_service(protocol: DiscoveryProtocol, port: int, token: str, size: int) -> DiscoverySpec:
    """The service that the sandbox itself starts, serving clients on `port`."""
    service = Address.here(port)
    return DiscoverySpec(
        protocol=protocol,
        service=service,
        token=token,
        size=size,
        token_url=token_url(service, token) if protocol is DiscoveryProtocol.V2 else "",
        process=Service.DISCOVERY.value,
    )


def _service_port(base_port: int, taken: Iterable[int]) -> int:
    """The client port of our own service: right behind the first member's ports.

    Raises InputError where no port is left there.
    """
    port, used = base_port + PORTS_PER_MEMBER, set(taken)
    # Members may stand so close that this is one of theirs: then behind them all.
    if used & set(range(port, port + PORTS_PER_MEMBER)):
        port = max(used) + 1
    if port + 1 > PORT_LIMIT:
        raise InputError(
            f"behind the members' ports, those of the discovery service pass {PORT_LIMIT}",
            hint="use a lower --base-port",
        )
    return port


def service_binary(protocol: DiscoveryProtocol, binaries: Sequence[EtcdBinary]) -> EtcdBinary:
    """Which of the members' etcds can be the service: v2 is served by 3.4 and 3.5 only."""
    if protocol is DiscoveryProtocol.V3:
        return binaries[0]
    return next(binary for binary in binaries if parse(binary.version)[:2] < _V3_SINCE)


def _service_process(discovery: DiscoverySpec, data_root: Path, cwd: str) -> ProcessSpec:
    """The etcd that is the discovery service."""
    is_v2 = discovery.protocol is DiscoveryProtocol.V2
    peer = discovery.service.moved(1)
    name = discovery.process
    flags: dict[str, Flag] = {
        "name": name,
        "data-dir": str(data_root / name),
        "listen-client-urls": discovery.service,
        "advertise-client-urls": discovery.service,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"{name}={peer}",
        "initial-cluster-token": "etcd-sandbox-discovery",
        "heartbeat-interval": _HEARTBEAT_MS,
        "election-timeout": _ELECTION_MS,
        "logger": "zap",
        "log-outputs": "stderr",
    }
    if is_v2:
        flags["enable-v2"] = True
    return ProcessSpec(
        name=name,
        argv=(),
        shown="",
        cwd=cwd,
        flags=spelled(flags),
        env_drop=ENV_DROP,
        service=Service.DISCOVERY,
    )


def _size_notes(
    discovery: DiscoverySpec, members: Sequence[tuple[str, EtcdBinary]]
) -> tuple[str, ...]:
    """What will come of a token that has not exactly one place for each member."""
    missing = discovery.places - len(members)
    if missing > 0:
        return (
            f"the discovery token is for {discovery.size} members: the cluster begins when "
            f"{missing} more than these {len(members)} {'have' if missing > 1 else 'has'} "
            "registered with it",
        )
    return tuple(
        f"{name} is one more than the {discovery.size} members of the discovery token: "
        + (
            f"etcd {binary.version} makes it a proxy, which has no vote and no data"
            if parse(binary.version)[:2] < _V3_SINCE
            else f"etcd {binary.version} refuses to start it"
        )
        for name, binary in members[discovery.places :]
    )


def _size_key(token: str) -> str:
    """etcd 3.6: `server/etcdserver/api/v3discovery/discovery.go`."""
    return f"/_etcd/registry/{token}/_config/size"


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()

"""The DNS way at work: writes what the server reads, and lets members start when it tells them all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from etcd_sandbox.cluster.ways.static import Static
from etcd_sandbox.dns import query
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.failures import explain_dns
from etcd_sandbox.model.bootstrap import DnsSpec
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.model.state import BootstrapStatus, ProcessState
from etcd_sandbox.plan.runtimes import runtime_of
from etcd_sandbox.plan.ways.dns import dig_lines, dnsmasq_config, records_path, resolver_config
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.supervisor import Supervisor

ANSWERS_WITHIN_S = 5.0
_ASK_TIMEOUT_S = 1.0


class Dns(Static):
    """SRV records name the members; a server of ours answers for them.

    Made, it has written the files: the server is executed before `prepare`.
    """

    def __init__(self, spec: ClusterSpec, supervisor: Supervisor, bus: Bus) -> None:
        super().__init__(spec, supervisor, bus)
        self._dns = dns = _dns_of(spec)
        for path, text in (
            (records_path(dns), dnsmasq_config(dns)),
            (Path(dns.resolv_conf), resolver_config(dns)),
        ):
            try:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            except OSError as error:
                raise SandboxError(
                    f"the DNS records cannot be written ({error.strerror})",
                    str(path),
                    "free some space, or set ETCD_SANDBOX_HOME to another disk",
                ) from error

    @staticmethod
    def preflight(spec: ClusterSpec) -> None:
        """The machine must allow what members that find each other by DNS need."""
        from etcd_sandbox.dns.machine import look
        from etcd_sandbox.dns.needs import lacks

        dns = _dns_of(spec)
        found = lacks(look(dns.address, dns.mount), resolver_given=runtime_of(spec).gives_resolver)
        if found:
            raise SandboxError(
                "members cannot be found by DNS here: "
                + "; and ".join(lack.what for lack in found),
                hint="; ".join(dict.fromkeys(lack.mend for lack in found)),
            )

    def explain(self, lines: Sequence[bytes]) -> str | None:
        return explain_dns(self._dns, lines)

    async def prepare(self) -> None:
        """Return when the server has given every record. Raises SandboxError when it does not."""
        if missing := await self._missing():
            raise SandboxError(
                f"the DNS server has no record {missing[0]}",
                self._place,
                f"it was given {records_path(self._dns)}: somebody else answers at its address",
            )
        self._bus.publish(
            Kind.RECORDS_SERVED,
            process=self._dns.process,
            domain=self._dns.domain,
            address=self._dns.address,
            records=len(self._dns.srv) + len(self._dns.hosts),
            dig=list(dig_lines(self._dns)),
        )

    async def answering(self) -> None:
        """Return when the server answers, whatever it has. Raises SandboxError when it does not."""
        await self._missing()

    def told(self) -> BootstrapStatus:
        """The domain, and where its server is."""
        return BootstrapStatus(
            way=self._spec.bootstrap,
            runtime=self._spec.runtime,
            service=self._place,
            process=self._dns.process,
            domain=self._dns.domain,
            lack=self.lack() or None,
        )

    def lack(self) -> str:
        """Members that do not come up wait for their names where the server does not run."""
        server = self._supervisor.processes[self._dns.process]
        if server.state is ProcessState.RUNNING:
            return ""
        paused = server.state is ProcessState.PAUSED
        mend = f"resume {server.name}" if paused else f"start {server.name}"
        return (
            f"the DNS server of this cluster is {server.state}, and members look each other up "
            f"there: etcd-sandbox {mend}"
        )

    @property
    def _place(self) -> str:
        return f"{self._dns.address}:{query.PORT}"

    async def _missing(self) -> list[str]:
        """The records that the server does not give, as soon as it answers."""
        return await self._answered(
            self._dns.process,
            "the DNS server",
            self._place,
            ANSWERS_WITHIN_S,
            lambda: asyncio.to_thread(self._ask),
        )

    def _ask(self) -> list[str]:
        server = self._dns.address
        told = {
            name: query.services(server, name, _ASK_TIMEOUT_S)
            for name in dict.fromkeys(record.name for record in self._dns.srv)
        }
        missing = [
            f"{record.name} SRV {record.target}:{record.port}"
            for record in self._dns.srv
            if (record.target, record.port) not in told[record.name]
        ]
        return missing + [
            f"{host.name} A {host.address}"
            for host in self._dns.hosts
            if host.address not in query.addresses(server, host.name, _ASK_TIMEOUT_S)
        ]


def _dns_of(spec: ClusterSpec) -> DnsSpec:
    assert spec.dns is not None
    return spec.dns

"""Has a discovery service introduce the members: registers their token, and watches who registers."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from etcd_sandbox.cluster.preflight import check_free
from etcd_sandbox.cluster.ways.static import Static
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.datadir import has_data, is_of_proxy
from etcd_sandbox.etcd.failures import explain_discovery
from etcd_sandbox.model.bootstrap import DiscoveryProtocol, DiscoverySpec
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import ClusterSpec, members_of
from etcd_sandbox.model.state import BootstrapStatus, ProcessState, Registration
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.supervisor import Supervisor

if TYPE_CHECKING:
    from etcd_sandbox.etcd.discovery import DiscoveryClient, TokenState

SERVES_WITHIN_S = 10.0
"""How long our own service may take until it answers: 0.1 s usually, and the machine may be busy."""

_LOOK_FIRST_S = 0.02
_LOOK_FIRST_ELSEWHERE_S = 0.25
_LOOK_LAST_S = 1.0


class Discovery(Static):
    """The discovery service at work for one cluster: asked often while its members boot, then no more."""

    starts_together = True

    def __init__(self, spec: ClusterSpec, supervisor: Supervisor, bus: Bus) -> None:
        super().__init__(spec, supervisor, bus)
        self._discovery = _discovery_of(spec)
        self._state: TokenState | None = None
        self._trouble = ""
        self._watching: asyncio.Task[None] | None = None

    @staticmethod
    def preflight(spec: ClusterSpec) -> None:
        """The addresses of our own service must be free."""
        discovery = _discovery_of(spec)
        if discovery.process:
            check_free("the discovery service", (discovery.service, discovery.service.moved(1)))

    def explain(self, lines: Sequence[bytes]) -> str | None:
        return explain_discovery(self._discovery, lines)

    async def prepare(self) -> None:
        """Return when the service knows the token; at once where every member has its data already.

        Raises SandboxError for a service that does not come up or does not take the token.
        """
        client = await asyncio.to_thread(_client)
        if self._all_have_data:
            self._watching = asyncio.create_task(self._watch(client, tell=False))
            return
        try:
            if not self._discovery.given and await self._register(client):
                self._bus.publish(
                    Kind.TOKEN_REGISTERED,
                    token=self._discovery.token,
                    size=self._discovery.size,
                    service=self._discovery.service,
                )
        except BaseException:
            await client.aclose()
            raise
        is_new = not any(has_data(data_dir) for data_dir in self._data_dirs)
        self._watching = asyncio.create_task(self._watch(client, tell=is_new))

    async def answering(self) -> None:
        """Return when our own service knows the token again; what it keeps outlives it."""
        if self._discovery.process:
            client = await asyncio.to_thread(_client)
            try:
                await self._register(client)
            finally:
                await client.aclose()

    def told(self) -> BootstrapStatus:
        """The service, the token, and who has registered as far as is known."""
        discovery, state = self._discovery, self._state
        return BootstrapStatus(
            way=self._spec.bootstrap,
            runtime=self._spec.runtime,
            service=discovery.service,
            process=discovery.process or None,
            protocol=discovery.protocol,
            token=discovery.token,
            size=discovery.size if state is None else state.size,
            registered=None if state is None else state.registered[: state.size],
        )

    def lack(self) -> str:
        """Who has not registered, and who could; why the service is not asked."""
        if self._all_have_data or (self._state is not None and self._state.is_full):
            return ""
        if self._state is None or self._trouble:
            return f"{self._trouble or 'the discovery service has not answered yet'}: " + (
                f"etcd-sandbox status and etcd-sandbox logs {self._discovery.process} show why"
                if self._discovery.process
                else "etcd-sandbox logs shows what the members say of it"
            )
        return what_lacks(
            self._discovery,
            self._state,
            len(self._spec.members),
            self._idle(self._state.registered),
        )

    def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def _register(self, client: DiscoveryClient) -> bool:
        """Register the token; whether that was new. Our own service may have to come up first."""
        own, place = self._discovery.process, self._discovery.service
        if not own:
            return await client.register(self._discovery)
        return await self._answered(
            own,
            "the discovery service",
            place,
            SERVES_WITHIN_S,
            lambda: client.register(self._discovery),
        )

    async def _watch(self, client: DiscoveryClient, *, tell: bool) -> None:
        """Look at the token until it is complete or the members need it no more."""
        try:
            pause_s = _LOOK_FIRST_S if self._discovery.process else _LOOK_FIRST_ELSEWHERE_S
            while True:
                # Asked before the look: who registers last has data before one can look again.
                need_it_no_more = self._all_have_data
                if await self._look(client, tell=tell) or need_it_no_more:
                    return
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 1.1, _LOOK_LAST_S)
        finally:
            await client.aclose()

    async def _look(self, client: DiscoveryClient, *, tell: bool) -> bool:
        """Whether the token is complete; `tell` of everyone who is new."""
        try:
            state = await client.state(self._discovery)
        except SandboxError as error:
            self._trouble = str(error)
            return False
        self._trouble = ""
        if state is None:
            self._trouble = f"the token {self._discovery.token} is not registered there any more"
            return False
        before = 0 if self._state is None else len(self._state.registered)
        self._state = state
        if tell:
            for registration in state.registered[before : state.size]:
                self._bus.publish(
                    Kind.MEMBER_REGISTERED,
                    registration.member,
                    id=registration.id,
                    peer_urls=registration.peer_urls,
                )
            if state.is_full:
                self._bus.publish(Kind.DISCOVERY_COMPLETE, size=state.size)
        return state.is_full

    def _idle(self, registered: tuple[Registration, ...]) -> list[str]:
        """The processes of members that neither run nor have registered."""
        names = {registration.member for registration in registered}
        return [
            process.name
            for process in self._spec.members
            if process.member.name not in names
            and self._supervisor.processes[process.name].state is ProcessState.STOPPED
        ]

    @property
    def _data_dirs(self) -> list[str]:
        """Of the members that have a place."""
        return [
            process.member.data_dir
            for process in members_of(self._spec.wanted_processes)
            if not process.is_surplus
        ]

    @property
    def _all_have_data(self) -> bool:
        return all(has_data(each) or is_of_proxy(each) for each in self._data_dirs)


def _discovery_of(spec: ClusterSpec) -> DiscoverySpec:
    assert spec.discovery is not None
    return spec.discovery


def _client() -> DiscoveryClient:
    # Imported by a thread, while the service boots.
    client: DiscoveryClient = importlib.import_module(
        "etcd_sandbox.etcd.discovery"
    ).DiscoveryClient()
    return client


def what_lacks(discovery: DiscoverySpec, state: TokenState, members: int, idle: list[str]) -> str:
    """What an incomplete token waits for; `members` is how many there are here, `idle` those not started."""
    have, missing = len(state.registered), state.size - len(state.registered)
    text = (
        f"the discovery token is for {state.size} members, and {have} "
        f"{'has' if have == 1 else 'have'} registered: "
    )
    if idle:
        return text + f"etcd-sandbox start {' '.join(idle[:missing])}"
    if discovery.protocol is DiscoveryProtocol.V2:
        flags = f"--discovery {discovery.token_url}"
    else:
        flags = f"--discovery {discovery.service} --discovery-token {discovery.token}"
    text += (
        f"start {missing} more with {flags}, or etcd-sandbox down and etcd-sandbox up --fresh with "
    )
    if discovery.given:
        return text + "another token"
    return text + f"--discovery-size {members}"

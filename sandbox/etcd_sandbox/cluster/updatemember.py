"""Gives a member another peer URL: on etcd's list first, since its peers dial it there, then its process."""

from __future__ import annotations

import asyncio
import time

from msgspec.structs import replace

from etcd_sandbox.cluster import preflight
from etcd_sandbox.cluster.changecontext import ChangeContext, member_of
from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.etcd.datadir import has_data
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import ProcessSpec, as_member
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.plan.changes import peer_urls_of, runs_differently


class UpdateMember:
    """Members of one cluster that move. Deadlines are monotonic."""

    def __init__(self, at: ChangeContext) -> None:
        self._at = at

    async def move(self, wanted: ProcessSpec, deadline: float) -> None:
        """Have it as `wanted`, which has its name. Raises SandboxError, and says what is done by then."""
        process, member = self._at.members.processes[wanted.name], member_of(wanted)
        peer_urls = peer_urls_of(member)
        anew = runs_differently(process.spec, wanted)
        await asyncio.to_thread(self._check_free, process.spec, wanted)
        # Members that never ran have no list yet.
        began = await asyncio.to_thread(self._have_data)
        peer = await self._at.listed.find(wanted.name, deadline) if began else None
        if not began:
            self._at.members.add(wanted)
        if peer is not None and member.peer_url not in peer.peer_urls:
            await self._at.listed.update(wanted.name, peer.id, peer_urls, deadline)
            self._at.bus.publish(
                Kind.MEMBER_MOVED,
                member.name,
                process=wanted.name,
                id=peer.id,
                peer_url=member.peer_url,
            )
        runs = process.state.alive or process.state is ProcessState.BACKOFF
        if not anew:
            self._take(wanted)
            return
        await process.stop()
        self._at.members.faults.take_in(wanted)
        process.adopt(wanted)
        self._take(wanted)
        if runs:
            await self._started(wanted, deadline)

    async def _started(self, wanted: ProcessSpec, deadline: float) -> None:
        name = member_of(wanted).name
        try:
            async with asyncio.timeout(max(1.0, deadline - time.monotonic())):
                await self._at.verbs.start([self._at.members.processes[wanted.name]])
        except TimeoutError:
            raise TimedOut(
                f"{name} was not ready in time at its new peer URL, which etcd's list of members has",
                hint=f"etcd-sandbox logs {name} shows why",
            ) from None
        except SandboxError as error:
            raise type(error)(
                f"{error.what}; etcd's list of members has its new peer URL",
                error.where,
                error.hint,
                error.detail,
            ) from error

    def _have_data(self) -> bool:
        return any(has_data(member.data_dir) for _, member in self._at.members.items())

    def _take(self, wanted: ProcessSpec) -> None:
        """The plan, and who is who, have it from now on."""
        self._at.members.renew(wanted)
        plan = self._at.spec()
        processes = (wanted if each.name == wanted.name else each for each in plan.processes)
        self._at.adopt(replace(plan, processes=tuple(processes)))

    def _check_free(self, before: ProcessSpec, wanted: ProcessSpec) -> None:
        """The new addresses must be free before etcd is asked; the others are its own still."""
        old = {*member_of(before).listen_urls}
        new = tuple(url for url in member_of(wanted).listen_urls if url not in old)
        member = replace(member_of(wanted), listen_urls=new)
        preflight.check_ports(replace(as_member(wanted), member=member))
        if member_of(before).link != member_of(wanted).link:
            preflight.check_links([wanted])

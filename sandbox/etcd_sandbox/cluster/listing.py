"""etcd's list of members as the members of one cluster have it, and how it differs from the plan."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING

from etcd_sandbox.errors import InputError
from etcd_sandbox.model.selector import Candidate, id_meant, resolve
from etcd_sandbox.model.state import Peer, ProcessState
from etcd_sandbox.model.upgrade import Unlike
from etcd_sandbox.plan.listed import stranger_words, strangers, unlike

if TYPE_CHECKING:
    from etcd_sandbox.cluster.cluster import Cluster

ANSWER_WITHIN_S = 2.0


class Listing:
    """Asks every member that runs: after an upgrade, or apart, they may have different lists."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._members = cluster.members

    async def everyone(self) -> tuple[Peer, ...]:
        """Who is on any member's list, each once; empty where none answers."""
        asked = [
            member.client_url
            for name, member in self._members.items()
            if self._members.runs(name) and not self._members.is_proxy(name)
        ]
        lists = await asyncio.gather(
            *(self._members.gateway.members(url, ANSWER_WITHIN_S) for url in asked)
        )
        return tuple(_each_once(peer for listed in lists for peer in listed or ()))

    async def strangers(self) -> tuple[Peer, ...]:
        """The entries that are no process of ours."""
        processes = self._members.processes
        ids = (
            self._members.id_of(name)
            for name in self._members.names
            if processes[name].state is not ProcessState.REMOVED
        )
        return strangers(ids, await self.everyone())

    async def peer_urls(self) -> dict[str, tuple[str, ...]]:
        """Where the members are dialled, by process name, as etcd's list has it."""
        entries = {peer.id: peer.peer_urls for peer in await self.everyone()}
        ids = {name: self._members.id_of(name) or "" for name in self._members.names}
        return {name: entries[id_] for name, id_ in ids.items() if id_ in entries}

    async def meant(self, words: Sequence[str], candidates: Sequence[Candidate]) -> dict[str, Peer]:
        """Those of the words that are IDs of entries that are no process of ours."""
        names = {name for each in candidates for name in (each.process, each.member)}
        ids = {word: id_ for word in words if word not in names and (id_ := id_meant(word))}
        if not ids:
            return {}
        entries = {peer.id: peer for peer in await self.strangers()}
        return {word: entries[id_] for word, id_ in ids.items() if id_ in entries}

    async def resolved(
        self, words: Sequence[str], candidates: Sequence[Candidate], seed: int | None = None
    ) -> tuple[str, ...]:
        """The processes that the words mean (see `selector.resolve`).

        An ID of etcd's list that is none of them is told from one that nobody has.
        """
        try:
            return resolve(words, candidates, seed)
        except InputError:
            for peer in (await self.meant(words, candidates)).values():
                raise InputError(
                    f"{stranger_words(peer)} is on etcd's list of members, but is no process of ours",
                    hint=f"etcd-sandbox remove {peer.id} takes it off the list, and nothing else can be "
                    "done to it here",
                ) from None
            raise

    async def unlike_plan(self, version: str, but: Container[str] = ()) -> tuple[Unlike, ...]:
        """How etcd's list differs from the plan, once members were upgraded to `version`.

        Entries with an ID in `but` are passed over.
        """
        listed = [peer for peer in await self.everyone() if peer.id not in but]
        members = {
            process.name: process.member
            for process in self._cluster.spec.members
            if not self._members.is_outsider(process.name)
            and self._members.processes[process.name].state is not ProcessState.REMOVED
        }
        ids = {name: self._members.id_of(name) for name in members}
        return unlike(members, ids, listed, version) if listed else ()


def _each_once(peers: Iterable[Peer]) -> Iterable[Peer]:
    """One entry for each ID; where the lists differ, the one without a vote."""
    found: dict[str, Peer] = {}
    for peer in peers:
        if peer.id not in found or peer.is_learner:
            found[peer.id] = peer
    return found.values()

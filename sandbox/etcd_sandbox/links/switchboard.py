"""All connections, the rules, and whose connection is whose while a rule is on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping

from etcd_sandbox.links.connection import Connection, Stage
from etcd_sandbox.links.lane import Lane
from etcd_sandbox.links.owners import Ends, owners
from etcd_sandbox.links.wire import Line, LinkState
from etcd_sandbox.model.fault import Pair, Rule

Sweep = Callable[[Mapping[str, int], Collection[Ends]], Mapping[Ends, str]]

_CLEAR = Lane(Rule())

log = logging.getLogger("links")


class Switchboard:
    """Connects whoever dials, as the state says. Without rules nobody asks who it is."""

    def __init__(self, sweep: Sweep = owners) -> None:
        self._sweep = sweep
        self._state = LinkState()
        self._lanes: dict[Pair, Lane] = {}
        self._connections: set[Connection] = set()
        self._unknown: set[Connection] = set()
        self._sweeping = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def protocol(self, line: Line) -> asyncio.Protocol:
        """What a listener of that link gives to a connection that it accepts."""
        return Connection(line, self._accepted, self._connections.discard).accepted

    async def enforce(self, state: LinkState) -> None:
        """Put a state in force; on return no byte crosses a cut, on old connections or new ones."""
        resets = {
            pair for pair, count in state.resets.items() if count > self._state.resets.get(pair, 0)
        }
        self._state = state
        self._lanes = {
            pair: lane
            if (lane := self._lanes.get(pair)) is not None and lane.rule == rule
            else Lane(rule, pair)
            for pair, rule in state.rules.items()
        }
        for connection in tuple(self._connections):
            if connection.dialler is not None or not state.rules:
                self._settle(connection)
        if state.rules or resets:
            await self._attribute({each for each in self._connections if each.dialler is None})
        for connection in tuple(self._connections):
            if connection.pair in resets:
                connection.abort()
            if connection.stage is Stage.CLOSED:
                await connection.gone()

    def _accepted(self, connection: Connection) -> None:
        self._connections.add(connection)
        if self._state.rules and connection.dialler is None:
            task = asyncio.create_task(self._attribute({connection}))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._settle(connection)

    async def _attribute(self, connections: set[Connection]) -> None:
        """Find out who dialled these, and settle them. One sweep serves all who wait for it."""
        self._unknown |= connections
        async with self._sweeping:
            # Who finds nobody here was served by the sweep that it waited for.
            batch, self._unknown = self._unknown, set()
            if not batch:
                return
            wanted = {each.ends for each in batch if each.ends is not None}
            found = await self._find(wanted)
            for connection in batch:
                if connection.ends is not None:
                    connection.dialler = found.get(connection.ends)
                self._settle(connection)

    async def _find(self, wanted: Collection[Ends]) -> Mapping[Ends, str]:
        try:
            return await asyncio.to_thread(self._sweep, dict(self._state.pids), wanted)
        except Exception:
            log.exception("cannot tell who dialled: refused")
            return {}

    def _settle(self, connection: Connection) -> None:
        rules = self._state.rules
        if not rules:
            connection.obey(_CLEAR, _CLEAR)
        elif connection.dialler is None:
            # Whoever it is might be on the other side of a cut. A peer dials again at once.
            connection.abort()
        else:
            ends = (connection.dialler, connection.line.member)
            connection.obey(self._lane(*ends), self._lane(*reversed(ends)))

    def _lane(self, sender: str, receiver: str) -> Lane:
        return self._lanes.get((sender, receiver), _CLEAR)

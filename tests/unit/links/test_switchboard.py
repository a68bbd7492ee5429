"""Who is connected, held, refused: connections and sweeps that the test makes up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

from etcd_sandbox.links.flow import Flow
from etcd_sandbox.links.owners import Ends
from etcd_sandbox.links.switchboard import Switchboard
from etcd_sandbox.links.wire import Line, LinkState
from etcd_sandbox.model.fault import Pair, Rule

from tests.unit.links.sockets import FakeTransport

CUT = Rule(cut=True)
LINE = Line(member="b", fd=-1, host="127.0.0.1", port=1)  # where nobody listens
PORTS = {1001: "a", 1002: "a", 1003: "c"}


class Sweeps:
    """Sweeps that know the owners of `PORTS`, and wait while `may_end` is not set."""

    def __init__(self) -> None:
        self.asked: list[set[int]] = []
        self.may_end = threading.Event()
        self.may_end.set()
        self.fails = False

    def __call__(self, pids: Mapping[str, int], wanted: Collection[Ends]) -> dict[Ends, str]:
        self.asked.append({ends[1] for ends in wanted})
        self.may_end.wait(10)
        if self.fails:
            raise OSError
        return {ends: PORTS[ends[1]] for ends in wanted if PORTS.get(ends[1]) in pids}


class Board:
    """A switchboard, and the transports of those who dialled."""

    def __init__(self) -> None:
        self.sweeps = Sweeps()
        self.board = Switchboard(self.sweeps)
        self.pids = {"a": 1, "b": 2, "c": 3}
        self.number = 0

    def accept(self, port: int) -> FakeTransport:
        flow = self.board.protocol(LINE)
        assert isinstance(flow, Flow)
        transport = FakeTransport(("127.0.0.1", 12380), ("127.0.0.1", port))
        transport.abort = self._abort(flow, transport)  # type: ignore[method-assign]
        flow.connection_made(transport)
        return transport

    def _abort(self, flow: Flow, transport: FakeTransport) -> Any:
        def abort() -> None:
            if not transport.aborted:
                transport.aborted = True
                asyncio.get_running_loop().call_soon(lost)

        def lost() -> None:
            transport.closed = True
            flow.connection_lost(None)

        return abort

    async def tell(self, rules: dict[Pair, Rule]) -> None:
        self.number += 1
        await self.board.enforce(LinkState(number=self.number, pids=self.pids, rules=rules))


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 10))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - fakes tell nobody
        await asyncio.sleep(0)


async def until_swept(board: Board, times: int) -> None:
    await until(lambda: len(board.sweeps.asked) >= times)


def test_nobody_asks_who_dials_while_there_is_no_rule() -> None:
    async def test() -> None:
        board = Board()
        await board.tell({})
        dialled = board.accept(1001)
        await until(lambda: dialled.aborted)  # it was dialled on: nobody listens there
        assert board.sweeps.asked == []

    run(test())


def test_one_sweep_serves_all_who_wait_for_it() -> None:
    async def test() -> None:
        board = Board()
        await board.tell({("a", "b"): CUT})
        board.sweeps.may_end.clear()
        first = board.accept(1001)
        await until_swept(board, 1)
        second, third = board.accept(1002), board.accept(9999)
        board.sweeps.may_end.set()
        await until(lambda: third.aborted)
        assert board.sweeps.asked == [{1001}, {1002, 9999}]
        assert not first.aborted  # held
        assert not second.aborted

    run(test())


def test_who_is_not_known_is_refused_also_when_the_sweep_fails() -> None:
    async def test() -> None:
        board = Board()
        await board.tell({("c", "a"): CUT})
        board.sweeps.fails = True
        dialled = board.accept(1001)
        await until(lambda: dialled.aborted)

    run(test())


def test_a_cut_is_in_force_only_when_who_was_there_has_been_swept_and_reset() -> None:
    async def test() -> None:
        board = Board()
        await board.tell({("a", "b"): CUT})
        held = board.accept(1001)
        board.sweeps.may_end.clear()
        stranger = board.accept(9999)
        telling = asyncio.create_task(board.tell({("a", "b"): CUT, ("b", "a"): CUT}))
        await until_swept(board, 1)
        assert not telling.done()
        board.sweeps.may_end.set()
        await telling
        assert stranger.closed
        assert not held.aborted

    run(test())


def test_the_end_of_all_rules_frees_who_still_waits_for_a_sweep() -> None:
    async def test() -> None:
        board = Board()
        await board.tell({("a", "b"): CUT})
        board.sweeps.may_end.clear()
        waiting = board.accept(1003)
        await until_swept(board, 1)
        await board.tell({})
        await until(lambda: waiting.aborted)  # dialled on, and refused by nobody's port
        board.sweeps.may_end.set()

    run(test())


def test_what_was_held_is_reset_when_its_cut_becomes_a_delay() -> None:
    async def test() -> None:
        board = Board()
        await board.tell({("a", "b"): CUT})
        held = board.accept(1001)
        await until_swept(board, 1)
        await board.tell({("a", "b"): CUT})
        assert not held.aborted
        await board.tell({("a", "b"): Rule(delay_s=1)})
        assert held.closed

    run(test())

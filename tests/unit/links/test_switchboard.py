"""Who is connected, held, refused: connections and sweeps that the test makes up."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from typing import Any

import pytest
from etcd_sandbox.links.flow import Flow
from etcd_sandbox.links.owners import Ends
from etcd_sandbox.links.switchboard import Switchboard
from etcd_sandbox.links.wire import Line, LinkState
from etcd_sandbox.model.fault import Pair, Rule
from msgspec.structs import replace

from tests.unit.links.sockets import FakeTransport

CUT = Rule(cut=True)
APART: dict[Pair, Rule] = {("a", "b"): CUT, ("b", "a"): CUT}
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

    def __init__(self, line: Line = LINE) -> None:
        self.line = line
        self.sweeps = Sweeps()
        self.board = Switchboard(self.sweeps)
        self.pids = {"a": 1, "b": 2, "c": 3}
        self.number = 0

    def accept(self, port: int) -> FakeTransport:
        flow = self.board.protocol(self.line)
        assert isinstance(flow, Flow)
        transport = FakeTransport(("127.0.0.1", 12380), ("127.0.0.1", port))
        transport.abort = self._abort(flow, transport)  # type: ignore[method-assign]
        transport.protocol = flow
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

    async def tell(self, rules: dict[Pair, Rule], resets: dict[Pair, int] | None = None) -> None:
        self.number += 1
        await self.board.enforce(
            LinkState(number=self.number, pids=self.pids, rules=rules, resets=resets or {})
        )


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
        await board.tell(APART)
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
        await board.tell(APART)
        held = board.accept(1001)
        board.sweeps.may_end.clear()
        stranger = board.accept(9999)
        telling = asyncio.create_task(board.tell(APART))
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
        await board.tell(APART)
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
        await board.tell(APART)
        held = board.accept(1001)
        await until_swept(board, 1)
        await board.tell(APART)
        assert not held.aborted
        await board.tell({("a", "b"): Rule(delay_s=1)})
        assert held.closed

    run(test())


@contextlib.asynccontextmanager
async def answering() -> AsyncIterator[tuple[Line, list[bytes]]]:
    """A member that answers each piece with the same, and what it has received."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                got.append(data)
                writer.write(data)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield Line(member="b", fd=-1, host="127.0.0.1", port=port), got


@pytest.mark.parametrize(
    ("cut", "request_arrives", "answer_arrives"),
    [(("a", "b"), False, False), (("b", "a"), True, False), (("c", "b"), True, True)],
)
def test_one_way_is_the_direction_of_the_bytes_on_connections_that_either_has_dialled(
    cut: Pair, request_arrives: bool, answer_arrives: bool
) -> None:
    async def test() -> None:
        async with answering() as (line, got):
            board = Board(line)
            await board.tell({cut: CUT})
            dialled = board.accept(1001)
            dialled.protocol.data_received(b"hello")
            if request_arrives:
                await until(lambda: got == [b"hello"])
            if answer_arrives:
                await until(lambda: dialled.written == [b"hello"])
            await asyncio.sleep(0.02)
            assert (got == [b"hello"], dialled.written == [b"hello"]) == (
                request_arrives,
                answer_arrives,
            )
            assert not dialled.aborted
            await board.tell({})
            # What was held is half a message of long ago.
            assert dialled.aborted is not answer_arrives
            dialled.abort()

    run(test())


def test_a_reset_aborts_what_is_open_between_the_pair_now_and_nothing_else() -> None:
    async def test() -> None:
        async with answering() as (line, _):
            board = Board(line)
            await board.tell({})
            hit, spared = board.accept(1001), board.accept(1003)
            for each in (hit, spared):
                each.protocol.data_received(b"hello")
            await until(lambda: hit.written == spared.written == [b"hello"])
            await board.tell({}, {("a", "b"): 1})
            assert hit.aborted
            assert not spared.aborted
            later = board.accept(1002)
            await board.tell({}, {("a", "b"): 1})
            assert not later.aborted
            await board.tell({}, {("a", "b"): 2})
            assert later.aborted
            assert not spared.aborted
            spared.abort()

    run(test())


@contextlib.asynccontextmanager
async def of_clients() -> AsyncIterator[tuple[Board, list[bytes], FakeTransport]]:
    """A link in front of clients, one of whom has had an answer."""
    async with answering() as (line, got):
        board = Board(replace(line, clients=True))
        await board.tell({})
        client = board.accept(9999)
        client.protocol.data_received(b"hello")
        await until(lambda: client.written == [b"hello"])
        yield board, got, client
        client.abort()


def both_ways(rule: Rule) -> dict[Pair, Rule]:
    return {("b", "clients"): rule, ("clients", "b"): rule}


def test_clients_that_are_cut_off_are_in_a_black_hole_until_that_is_healed() -> None:
    async def test() -> None:
        async with of_clients() as (board, got, client):
            await board.tell(both_ways(CUT))
            new = board.accept(9998)
            for each in (client, new):
                each.protocol.data_received(b"more")
            await asyncio.sleep(0.02)
            assert got == [b"hello"]
            assert not client.aborted
            assert not new.aborted
            await board.tell({})
            assert client.aborted
            assert new.aborted
            assert board.sweeps.asked == []  # a client need not be known

    run(test())


def test_clients_that_are_refused_are_reset_now_and_later() -> None:
    async def test() -> None:
        async with of_clients() as (board, _, client):
            await board.tell(both_ways(Rule(cut=True, refuse=True)))
            assert client.aborted
            new = board.accept(9998)
            await until(lambda: new.aborted)

    run(test())


def test_a_cut_between_members_leaves_clients_alone_and_the_other_way_round() -> None:
    async def test() -> None:
        async with of_clients() as (board, _, client):
            await board.tell(APART)
            client.protocol.data_received(b"more")
            await until(lambda: client.written == [b"hello", b"more"])
            await board.tell({}, {("a", "b"): 1})
            assert not client.aborted
            await board.tell({}, {("a", "b"): 1, ("b", "clients"): 1})
            assert client.aborted

    run(test())

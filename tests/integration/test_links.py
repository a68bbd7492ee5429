"""The peer links on small real members: each a process that listens behind its link and dials others."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from etcd_sandbox.links.keeper import Link, Links
from etcd_sandbox.model.fault import Pair, Rule

from tests.conftest import until
from tests.etcd.ports import free_ports
from tests.programs import can_be_bound

DEADLINE_S = 20.0
NEVER_S = 0.4
"""How long something is watched that must not happen."""

CUT = Rule(cut=True)

MEMBER = """
import hashlib, json, socket, sys, threading, time

def serve(connection):
    stream = connection.makefile("rb", buffering=0)
    last = 0.0
    how = stream.readline().strip()
    print(json.dumps({"began": how.decode()}), flush=True)
    try:
        if how == b"echo":
            while data := connection.recv(65536):
                print(json.dumps({"got": len(data)}), flush=True)
                connection.sendall(data)
        elif how == b"stamp":
            for line in stream:
                connection.sendall(b"%s %.6f\\n" % (line.strip(), time.monotonic()))
        elif how == b"clock":
            for line in stream:
                if line.endswith(b"\\n"):
                    if not last:
                        print(json.dumps({"ticked": True}), flush=True)
                    last = float(line)
        elif how == b"digest":
            data = stream.read()
            print(json.dumps({"got": len(data)}), flush=True)
            connection.sendall(hashlib.sha256(data).hexdigest().encode() + data)
        elif how == b"count":
            while data := connection.recv(65536):
                print(json.dumps({"counted": len(data)}), flush=True)
        elif how == b"never read":
            threading.Event().wait()
        connection.shutdown(socket.SHUT_WR)
        print(json.dumps({"served": how.decode()}), flush=True)
    except OSError as error:
        print(json.dumps({"broken": error.errno}), flush=True)
    print(json.dumps({"last": last}), flush=True)
    stream.close()
    connection.close()

def listen(port):
    listener = socket.create_server(("127.0.0.1", port))
    print(json.dumps({"listening": port}), flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

def exchange(connection, size):
    # Both directions at once, and the end of one before the other's.
    sent, received = hashlib.sha256(), hashlib.sha256()
    def send():
        block = bytes(range(256)) * 4
        for number in range(size // 1024):
            data = number.to_bytes(8, "big") + block[8:]
            sent.update(data)
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    sender = threading.Thread(target=send)
    sender.start()
    total = 0
    while data := connection.recv(1 << 20):
        received.update(data)
        total += len(data)
    sender.join()
    return [total, sent.hexdigest() == received.hexdigest()]

def fill(connection, most):
    connection.settimeout(1)
    total = 0
    try:
        while total < most:
            total += connection.send(bytes(1 << 16))
    except TimeoutError:
        pass
    return total

def stream(connection):
    try:
        while True:
            connection.sendall(b"%.6f\\n" % time.monotonic())
            time.sleep(0.001)
    except OSError:
        pass

def dialled(port, how):
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(how.encode() + b"\\n")
    return connection

if len(sys.argv) > 1:
    threading.Thread(target=listen, args=(int(sys.argv[1]),), daemon=True).start()
connections = {}
for line in sys.stdin:
    name, verb, *arguments = json.loads(line)
    answer = None
    try:
        if verb == "dial":
            connections[name] = dialled(*arguments)
        elif verb == "send":
            connections[name].sendall(arguments[0].encode())
        elif verb == "receive":
            size, timeout = arguments
            connections[name].settimeout(timeout)
            answer = b""
            while len(answer) < size and (data := connections[name].recv(size - len(answer))):
                answer += data
            answer = answer.decode()
        elif verb == "line":
            connections[name].settimeout(20)
            answer = connections[name].makefile("r").readline()
        elif verb == "finish":
            connections[name].shutdown(socket.SHUT_WR)
        elif verb == "close":
            connections.pop(name).close()
        elif verb == "pour":
            send = connections[name].sendall
            threading.Thread(target=send, args=(bytes(arguments[0]),), daemon=True).start()
        elif verb == "exchange":
            answer = exchange(connections[name], *arguments)
        elif verb == "stream":
            threading.Thread(target=stream, args=(connections[name],), daemon=True).start()
        elif verb == "fill":
            answer = fill(connections[name], *arguments)
        print(json.dumps({"answer": answer}), flush=True)
    except TimeoutError:
        print(json.dumps({"error": "timeout"}), flush=True)
    except OSError as error:
        print(json.dumps({"error": error.errno}), flush=True)
"""


class Broken(Exception):
    """A connection was reset or refused; `number` is the errno."""

    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.number = number


class Member:
    """A process that listens at `port` (None: does not) and dials as it is told."""

    def __init__(self, program: Path, port: int | None) -> None:
        arguments = [] if port is None else [str(port)]
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", str(program), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self.told: list[dict[str, Any]] = []
        self._answers: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if port is not None:
            until(lambda: {"listening": port} in self.told, DEADLINE_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            (self._answers if told.keys() & {"answer", "error"} else self.told).append(told)

    def __call__(self, name: str, verb: str, *arguments: object) -> Any:
        """What came of it. Raises TimeoutError, or Broken."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, verb, *arguments]) + "\n")
        self._process.stdin.flush()
        until(lambda: self._answers, 3 * DEADLINE_S)
        answer = self._answers.pop()
        if answer.get("error") == "timeout":
            raise TimeoutError
        if "error" in answer:
            raise Broken(answer["error"])
        return answer["answer"]

    def dial(self, port: int, how: str = "echo", name: str = "it") -> None:
        """Connect, and say what the other side shall do."""
        self(name, "dial", port, how)

    def talks(self, name: str = "it") -> bool:
        """Whether a word goes there and back."""
        self(name, "send", "hello")
        return bool(self(name, "receive", 5, DEADLINE_S) == "hello")

    def is_reset(self, name: str = "it") -> bool:
        """Whether the connection is aborted, now or within the deadline."""
        try:
            self(name, "receive", 1, DEADLINE_S)
        except Broken as error:
            return error.number == errno.ECONNRESET
        return False

    def is_refused(self, port: int, name: str = "it") -> bool:
        """Whether a new connection is aborted, be it while the first word is sent."""
        try:
            self.dial(port, name=name)
        except Broken:
            return True
        return self.is_reset(name)

    def hears_nothing(self, name: str = "it") -> bool:
        """Whether the connection stands and no byte comes."""
        try:
            self(name, "receive", 1, NEVER_S)
        except TimeoutError:
            return True
        return False

    def served(self) -> int:
        """How many connections have reached this member with a byte."""
        return sum("began" in told for told in self.told)

    def got(self) -> int:
        """How many bytes this member was sent by those who want an echo or a digest."""
        return sum(told.get("got", 0) for told in self.told)

    def counted(self) -> int:
        """How many bytes this member was sent by those who only pour."""
        return sum(told.get("counted", 0) for told in self.told)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue


class World:
    """Members a, b and c behind their links, and the loop of a supervisor."""

    def __init__(self, place: Path, environment: dict[str, str]) -> None:
        self._program = place / "member.py"
        self._program.write_text(MEMBER)
        names = ("a", "b", "c")
        ports = free_ports(2 * len(names))
        self.ports = dict(zip(names, ports, strict=False))
        self.targets = dict(zip(names, ports[len(names) :], strict=True))
        self.members = {name: self.new(self.targets[name]) for name in names}
        self.rules: dict[Pair, Rule] = {}
        self.started: list[int] = []
        self.ended: list[int] = []
        self._strangers: list[Member] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.links = Links(
            [
                Link(
                    member=name,
                    listen=("127.0.0.1", self.ports[name]),
                    target=("127.0.0.1", self.targets[name]),
                )
                for name in names
            ],
            on_started=self.started.append,
            on_ended=self.ended.append,
            environment=environment,
        )
        self.links.bind()
        self.do(self.links.start())
        self._loop.call_soon_threadsafe(self.links.open)
        self.tell({})

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    def new(self, port: int | None = None) -> Member:
        return Member(self._program, port)

    def stranger(self) -> Member:
        """A process that is no member."""
        self._strangers.append(self.new())
        return self._strangers[-1]

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)

    @property
    def pids(self) -> dict[str, int]:
        return {name: member.pid for name, member in self.members.items()}

    def tell(self, rules: dict[Pair, Rule]) -> None:
        """Put the rules in force."""
        self.rules = rules
        self.do(self.links.tell(self.pids, rules))

    def reset(self, *pairs: Pair) -> None:
        """Reset what is open between these now; the rules hold on."""
        self.do(self.links.tell(self.pids, self.rules, pairs))

    def add(self, name: str, link_port: int, own_port: int) -> None:
        """One more link."""
        link = Link(member=name, listen=("127.0.0.1", link_port), target=("127.0.0.1", own_port))
        self.in_loop(lambda: self.links.add(link))

    def drop(self, name: str) -> None:
        """One link less."""
        self.in_loop(lambda: self.links.drop(name))

    def in_loop(self, act: Callable[[], None]) -> None:
        async def acting() -> None:
            act()

        self.do(acting())

    def relay(self) -> psutil.Process:
        """The process of the links that runs now."""
        return psutil.Process(self.started[-1])

    def close(self) -> None:
        async def closing() -> None:
            self.links.close()
            await self.links.wait_closed()

        self.do(closing())

    def end(self) -> None:
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for member in (*self.members.values(), *self._strangers):
            member.end()


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Three members behind their links; of each of them nothing is left afterwards."""
    environment = dict(os.environ)
    if getattr(request, "param", "uvloop") == "asyncio":
        (tmp_path / "without").mkdir()
        (tmp_path / "without" / "uvloop.py").write_text("raise ImportError")
        path = (str(tmp_path / "without"), environment.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    made = World(tmp_path, environment)
    yield made
    made.end()


on_both_loops = pytest.mark.parametrize("world", ["uvloop", "asyncio"], indirect=True)
"""On uvloop, and as it is where that is not to be had: for what is about bytes and sockets."""


def both(one: str, another: str, rule: Rule) -> dict[Pair, Rule]:
    return {(one, another): rule, (another, one): rule}


@on_both_loops
def test_what_is_sent_arrives_byte_for_byte_in_both_directions_at_once(world: World) -> None:
    world["a"].dial(world.ports["b"])
    size = 32 << 20
    assert world["a"]("it", "exchange", size) == [size, True]


@on_both_loops
def test_a_link_that_comes_later_is_as_good_and_disturbs_nobody(world: World) -> None:
    world["a"].dial(world.ports["b"])
    assert world["a"].talks()
    relay = world.relay().pid
    link_port, own_port = free_ports(2)
    world.members["d"] = world.new(own_port)
    world.add("d", link_port, own_port)

    def is_there() -> bool:
        try:
            world["a"].dial(link_port, name="new")
        except Broken:
            return False
        return world["a"].talks("new")

    until(is_there, DEADLINE_S)
    assert world["a"].talks()
    assert world.relay().pid == relay
    world.tell(both("a", "d", CUT))
    assert world["a"].is_reset("new")
    world["d"].dial(world.ports["b"])
    assert world["d"].talks()
    world.tell({})

    # A process of the links that dies is replaced by one that knows them all.
    world.relay().kill()
    until(lambda: len(world.started) == 2, DEADLINE_S)
    world.tell({})
    world["b"].dial(link_port, name="again")
    assert world["b"].talks("again")

    world.drop("d")
    until(lambda: can_be_bound(link_port), DEADLINE_S)
    world["a"].dial(world.ports["b"], name="still")
    assert world["a"].talks("still")


@on_both_loops
def test_a_half_close_is_passed_on_and_the_answer_still_comes(world: World) -> None:
    world["a"].dial(world.ports["b"], "digest")
    text = "x" * 300_000
    world["a"]("it", "send", text)
    world["a"]("it", "finish")
    wanted = hashlib.sha256(text.encode()).hexdigest() + text
    assert world["a"]("it", "receive", len(wanted) + 1, DEADLINE_S) == wanted
    assert world["a"]("it", "receive", 1, DEADLINE_S) == ""


@on_both_loops
def test_who_dials_a_member_that_is_not_there_is_told_at_once(world: World) -> None:
    world["b"].end()
    began = time.monotonic()
    assert world["a"].is_refused(world.ports["b"])
    assert time.monotonic() - began < DEADLINE_S / 2  # so long twice, and the dialler gives up


def test_a_member_that_dies_takes_its_connections_with_it(world: World) -> None:
    world["a"].dial(world.ports["b"])
    assert world["a"].talks()
    world["b"].end()
    with contextlib.suppress(Broken):  # ended or reset, as the system closes it
        assert world["a"]("it", "receive", 1, DEADLINE_S) == ""
    world["a"]("it", "close")
    until_idle(world)


def until_idle(world: World) -> None:
    """Wait until the links hold no connection."""
    relay = world.relay()

    def connected() -> list[object]:
        return [each for each in relay.net_connections("tcp") if each.raddr]

    until(lambda: not connected(), DEADLINE_S, connected)


@on_both_loops
@pytest.mark.parametrize("rule", [Rule(), Rule(delay_s=60.0)], ids=["at once", "late"])
def test_who_is_not_read_or_late_makes_the_sender_wait_and_costs_little_memory(
    world: World, rule: Rule
) -> None:
    world.tell(both("a", "b", rule))
    world["a"].dial(world.ports["b"], "never read")
    before = world.relay().memory_info().rss
    most = 256 << 20
    assert world["a"]("it", "fill", most) < most / 4
    world.tell(both("a", "b", Rule(delay_s=30.0)))
    assert world["a"]("it", "fill", most) < most / 4
    assert world.relay().memory_info().rss - before < 40 << 20


@on_both_loops
def test_a_cut_resets_what_was_there_and_holds_what_comes(world: World) -> None:
    world["a"].dial(world.ports["b"])
    assert world["a"].talks()
    served = world["b"].served()
    world.tell(both("a", "b", CUT))
    until(lambda: {"broken": errno.ECONNRESET} in world["b"].told, DEADLINE_S)
    assert world["a"].is_reset()
    world["a"].dial(world.ports["b"], name="held")
    world["a"]("held", "send", "hello")
    assert world["a"].hears_nothing("held")
    assert world["b"].served() == served


def test_the_end_of_a_cut_resets_what_was_held_so_that_peers_dial_anew(world: World) -> None:
    world.tell(both("a", "b", CUT))
    world["a"].dial(world.ports["b"], name="held")
    world["a"]("held", "send", "hello")
    assert world["a"].hears_nothing("held")
    world.tell({})
    assert world["a"].is_reset("held")
    assert world["b"].served() == 0
    world["a"].dial(world.ports["b"])
    assert world["a"].talks()


def test_no_byte_that_is_sent_after_a_cut_is_in_force_crosses_it(world: World) -> None:
    names = [str(number) for number in range(10)]
    for name in names:
        world["a"].dial(world.ports["b"], "clock", name=name)
        world["a"](name, "stream")
    until(lambda: world["b"].told.count({"ticked": True}) == len(names), DEADLINE_S)
    world.tell(both("a", "b", CUT))
    in_force_at = time.monotonic()
    until(lambda: len(lasts(world["b"])) == len(names), DEADLINE_S)
    assert all(0.0 < last < in_force_at for last in lasts(world["b"]))


def lasts(member: Member) -> list[float]:
    return [told["last"] for told in member.told if "last" in told]


@on_both_loops
def test_who_gives_up_while_held_leaves_nothing_behind(world: World) -> None:
    world.tell(both("a", "b", CUT))
    for number in range(10):
        world["a"].dial(world.ports["b"], name=str(number))
    for number in range(10):
        world["a"](str(number), "close")
    until_idle(world)


def test_only_the_pair_that_is_cut_is_cut_in_both_directions(world: World) -> None:
    pairs = [(one, another) for one in "abc" for another in "abc" if one != another]
    for one, another in pairs:
        world[one].dial(world.ports[another], name=another)
        assert world[one].talks(another)
    world.tell(both("a", "b", CUT))
    for one, another in pairs:
        if {one, another} == {"a", "b"}:
            assert world[one].is_reset(another)
        else:
            assert world[one].talks(another)
    for one, another in pairs:
        world[one].dial(world.ports[another], name=another)
        if {one, another} == {"a", "b"}:
            assert world[one].hears_nothing(another)
        else:
            assert world[one].talks(another)


@on_both_loops
def test_a_cut_one_way_holds_those_bytes_whoever_dialled_and_its_end_resets(world: World) -> None:
    for one, another in (("a", "b"), ("b", "a")):
        world[one].dial(world.ports[another])
        assert world[one].talks()
    got = {name: world[name].got() for name in "ab"}
    world.tell({("a", "b"): CUT})
    for name in "ab":
        world[name]("it", "send", "hello")
        assert world[name].hears_nothing()  # b is not heard of by a's answer, a not by b
    # b's word arrived, and a answered it; a's own did not.
    until(lambda: world["a"].got() == got["a"] + 5, DEADLINE_S)
    assert world["b"].got() == got["b"]
    world.tell({})
    for name in "ab":
        assert world[name].is_reset()
    for one, another in (("a", "b"), ("b", "a")):
        world[one].dial(world.ports[another], name="anew")
        assert world[one].talks("anew")


@on_both_loops
def test_a_limit_holds_for_all_connections_of_a_pair_within_a_tenth(world: World) -> None:
    rate, size = 256 << 10, 256 << 10
    world.tell({("a", "b"): Rule(bytes_per_s=rate)})
    for name in ("one", "other"):
        world["a"].dial(world.ports["b"], "count", name=name)
        world["a"](name, "pour", size)
    until(lambda: world["b"].counted(), DEADLINE_S)
    began = time.monotonic()
    before = world["b"].counted()
    until(lambda: world["b"].counted() >= 1.9 * size, DEADLINE_S)
    passed, took_s = world["b"].counted() - before, time.monotonic() - began
    assert passed / took_s == pytest.approx(rate, rel=0.1)


def test_a_reset_breaks_what_is_open_also_in_the_middle_of_an_answer(world: World) -> None:
    world["a"].dial(world.ports["b"], name="open")
    assert world["a"].talks("open")
    world["c"].dial(world.ports["b"], name="spared")
    assert world["c"].talks("spared")
    world["b"].dial(world.ports["a"], "digest", name="answer")
    world.tell({("a", "b"): Rule(bytes_per_s=1000.0)})
    world["b"]("answer", "send", "x" * 100_000)
    world["b"]("answer", "finish")
    assert world["b"]("answer", "receive", 10, DEADLINE_S)
    world.reset(("a", "b"))
    assert world["a"].is_reset("open")
    with pytest.raises(Broken):
        world["b"]("answer", "receive", 200_000, DEADLINE_S)
    assert world["c"].talks("spared")
    world["a"].dial(world.ports["b"], name="anew")
    assert world["a"].talks("anew")


def test_flaky_links_stall_and_break_connections_and_lose_no_byte_of_one_that_stands(
    world: World,
) -> None:
    world.tell({("a", "b"): Rule(stall=1.0, seed=1)})
    world["a"].dial(world.ports["b"], "digest")
    began = time.monotonic()
    world["a"]("it", "send", "hello")
    world["a"]("it", "finish")
    wanted = hashlib.sha256(b"hello").hexdigest() + "hello"
    # All pieces are lost six times: 12.6 s. Without the rule what is held comes at once.
    assert world["a"].hears_nothing()
    world.tell({})
    assert world["a"]("it", "receive", len(wanted), DEADLINE_S) == wanted
    assert NEVER_S <= time.monotonic() - began < 12
    world.tell({("a", "b"): Rule(reset=1.0)})
    assert world["a"].is_refused(world.ports["b"], "broken")


def test_a_dialler_that_nobody_knows_is_refused_only_while_a_rule_is_on(world: World) -> None:
    stranger = world.stranger()
    stranger.dial(world.ports["c"])
    assert stranger.talks()
    world.tell(both("a", "b", CUT))
    assert stranger.is_reset()
    served = world["c"].served()
    assert stranger.is_refused(world.ports["c"], "while")
    assert world["c"].served() == served
    world.tell({})
    stranger.dial(world.ports["c"], name="after")
    assert stranger.talks("after")


def test_a_member_with_a_new_pid_is_refused_until_it_is_told(world: World) -> None:
    world.tell(both("a", "b", Rule(delay_s=0.001)))
    world["c"].end()
    reborn = world.stranger()
    assert reborn.is_refused(world.ports["a"])

    async def note() -> None:
        world.links.note_pids(world.pids | {"c": reborn.pid})

    world.do(note())

    def is_known() -> bool:
        try:
            reborn.dial(world.ports["a"])
            return reborn.talks()
        except Broken:
            return False

    until(is_known, DEADLINE_S)


def ways(member: Member, name: str = "it") -> tuple[float, float]:
    """How long a word takes to get there, and its answer to come back."""
    sent_at = time.monotonic()
    member(name, "send", "word\n")
    there_at = float(member(name, "line").split()[1])
    return there_at - sent_at, time.monotonic() - there_at


def test_a_delay_is_added_to_each_direction_of_old_and_new_connections(world: World) -> None:
    world["a"].dial(world.ports["b"], "stamp", name="old")
    ways(world["a"], "old")
    world.tell(both("a", "b", Rule(delay_s=0.2)))
    world["a"].dial(world.ports["b"], "stamp", name="new")
    world["a"].dial(world.ports["c"], "stamp", name="other")
    for name in ("old", "new"):
        there, back = zip(*(ways(world["a"], name) for _ in range(5)), strict=True)
        assert 0.198 <= min(there) < 0.4
        assert 0.198 <= min(back) < 0.6
    until_quick(world["a"], "other")
    world.tell({})
    for name in ("old", "new"):
        until_quick(world["a"], name)


def until_quick(member: Member, name: str) -> None:
    """A loaded machine makes a word late now and then, a delay each of them."""
    until(lambda: sum(ways(member, name)) < 0.2, DEADLINE_S)


def test_jitter_changes_the_time_and_not_the_order(world: World) -> None:
    world.tell(both("a", "b", Rule(delay_s=0.05, jitter_s=0.05)))
    world["a"].dial(world.ports["b"])
    text = ""
    for number in range(200):
        word = f"{number:05}."
        text += word
        world["a"]("it", "send", word)
    assert world["a"]("it", "receive", len(text), DEADLINE_S) == text


@on_both_loops
def test_a_delay_that_goes_or_changes_loses_nothing_and_holds_nothing_back(world: World) -> None:
    world["a"].dial(world.ports["b"])
    text = ""
    for number, delay_s in enumerate((0.0, 60.0, 30.0, 90.0)):
        world.tell(both("a", "b", Rule(delay_s=delay_s)))
        text += str(number) * 100_000
        world["a"]("it", "send", str(number) * 100_000)
    got = world["b"].got()
    assert got < len(text)
    world.tell({})
    assert world["a"]("it", "receive", len(text), DEADLINE_S) == text


@on_both_loops
def test_the_end_of_a_stream_waits_behind_the_late_bytes(world: World) -> None:
    world.tell(both("a", "b", Rule(delay_s=0.1)))
    world["a"].dial(world.ports["b"], "digest")
    world["a"]("it", "send", "x" * 100_000)
    world["a"]("it", "finish")
    answer = world["a"]("it", "receive", 64 + 100_001, DEADLINE_S)
    assert answer == hashlib.sha256(b"x" * 100_000).hexdigest() + "x" * 100_000


def test_the_same_state_again_changes_nothing(world: World) -> None:
    rules = {**both("a", "b", CUT), **both("a", "c", Rule(delay_s=0.05))}
    world["b"].dial(world.ports["c"])
    world["a"].dial(world.ports["c"], name="slow")
    world.tell(rules)
    world["a"].dial(world.ports["b"], name="held")
    assert world["a"].hears_nothing("held")
    for _ in range(3):
        world.tell(rules)
    assert world["a"].hears_nothing("held")
    assert world["a"].talks("slow")
    assert world["b"].talks()


@on_both_loops
def test_a_killed_links_process_comes_back_with_its_rules_in_force(world: World) -> None:
    world.tell(both("a", "b", CUT))
    world["a"].dial(world.ports["c"], name="old")
    assert world["a"].talks("old")
    world.relay().kill()
    # It may be accepted by the system before there is a process to decide.
    world["a"].dial(world.ports["b"], name="held")
    world["b"].dial(world.ports["c"])
    assert world["b"].talks()
    assert len(world.started) == 2
    assert world.ended == world.started[:1]
    assert world["a"].hears_nothing("held")
    assert world["b"].served() == 0
    world.tell({})
    world["a"].dial(world.ports["b"])
    assert world["a"].talks()


def test_a_state_that_is_told_while_the_process_dies_is_in_force_all_the_same(world: World) -> None:
    stopped = world.relay()
    stopped.suspend()
    telling = threading.Thread(target=world.tell, args=(both("a", "b", CUT),))
    telling.start()
    stopped.kill()
    telling.join(DEADLINE_S)
    assert not telling.is_alive()
    world["a"].dial(world.ports["b"])
    assert world["a"].hears_nothing()
    assert world["b"].served() == 0


def test_states_that_are_told_at_once_end_in_the_last(world: World) -> None:
    async def tell_many() -> None:
        rules = [both("a", "b", CUT if number % 2 else Rule()) for number in range(51)]
        await asyncio.gather(*(world.links.tell(world.pids, each) for each in rules))

    world.do(tell_many())
    world["a"].dial(world.ports["b"])
    assert world["a"].talks()


def test_nothing_is_left_after_the_links_are_closed(world: World) -> None:
    world["a"].dial(world.ports["b"])
    assert world["a"].talks()
    pid = world.relay().pid
    world.close()
    assert not psutil.pid_exists(pid)
    assert world.ended == [pid]
    assert all(can_be_bound(port) for port in world.ports.values())


KEEPER = """
import asyncio, os, sys
from etcd_sandbox.links.keeper import Link, Links

async def main():
    port, target = map(int, sys.argv[1:])
    links = Links(
        [Link(member="a", listen=("127.0.0.1", port), target=("127.0.0.1", target))],
        on_started=lambda pid: print(pid, flush=True),
        on_ended=lambda pid: None,
        environment=os.environ,
    )
    links.bind()
    await links.start()
    links.open()
    await links.tell({}, {})
    print("told", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_the_links_end_with_their_supervisor_however_it_ends() -> None:
    port, target = free_ports(2)
    supervisor = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(port), str(target)], stdout=subprocess.PIPE, text=True
    )
    with supervisor:
        assert supervisor.stdout is not None
        relay = psutil.Process(int(supervisor.stdout.readline()))
        assert supervisor.stdout.readline() == "told\n"
        supervisor.send_signal(signal.SIGKILL)
    until(lambda: has_ended(relay), DEADLINE_S)
    assert can_be_bound(port)


def has_ended(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def test_an_address_that_is_taken_is_named_and_the_others_are_given_back(world: World) -> None:
    (free,) = free_ports(1)
    links = Links(
        [
            Link(member="x", listen=("127.0.0.1", free), target=("127.0.0.1", 1)),
            Link(member="y", listen=("127.0.0.1", world.ports["a"]), target=("127.0.0.1", 1)),
        ],
        on_started=lambda _pid: None,
        on_ended=lambda _pid: None,
        environment={},
    )
    with pytest.raises(OSError, match=f"127.0.0.1:{world.ports['a']}") as raised:
        links.bind()
    assert raised.value.errno == errno.EADDRINUSE
    with (
        socket.socket() as strict
    ):  # SO_REUSEADDR would let it pass beside one that does not listen
        strict.bind(("127.0.0.1", free))

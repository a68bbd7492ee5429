"""The supervisor's process: wires everything together, and clears up after a dead one (`sweep`).

Executed by the guard with the arguments `--for LAUNCHER GUARD-FD`, before it is known
what is to run; the options come by a socket, its stdin, and with them the pipe of the ClusterSpec
as JSON (see `watch.run`). With OPTIONS-AS-JSON as its only argument it sweeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import logging
import os
import select
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

import msgspec

from etcd_sandbox.cluster import preflight, record, runtimes
from etcd_sandbox.cluster.cluster import Cluster
from etcd_sandbox.cluster.ways import way_of
from etcd_sandbox.control.wire import error_to_wire, keep_freed_memory
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.host.clusterlock import LOOKED_AT_EVERY_S, Ground, take_lock
from etcd_sandbox.host.obstacle import obstacle
from etcd_sandbox.host.planfile import record_plan, recorded_plan
from etcd_sandbox.model.access import USER_VARIABLE, Credentials, as_value
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import ClusterSpec, Runtime
from etcd_sandbox.paths import ClusterPaths, is_there
from etcd_sandbox.plan.recorded import UnreadablePlan
from etcd_sandbox.supervise import ledger, openfiles
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.logbook import Logbook
from etcd_sandbox.supervise.watch import LONGEST_MESSAGE, MOST_DESCRIPTORS

EXECUTED_WITHIN_S = 0.5
"""How long the control API is held back for the members' execution."""

_EXECUTED = (Kind.PROCESS_STARTED, Kind.PROCESS_EXITED)
"""What is said when a process was executed, or could not be."""

if TYPE_CHECKING:
    from etcd_sandbox.etcd.gateway import Gateway

_log = logging.getLogger("etcd_sandbox.daemon")


class Options(msgspec.Struct, forbid_unknown_fields=True):
    """What the launcher says. `owned` until the owner leaves the cluster to itself (SIGUSR1).

    `restored` is a directory with data that the members are to begin with.
    """

    root: str
    name: str
    status_fd: int = -1
    owned: bool = False
    fresh: bool = False
    restored: str = ""
    sweep: bool = False


class Guard:
    """The supervisor's end of the pipe to its guard."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        os.set_inheritable(fd, False)

    def __call__(self, line: str) -> None:
        """Report one process group (`+123`) or its end (`-123`)."""
        with contextlib.suppress(OSError):  # a dead guard: `watch` tells of it
            os.write(self._fd, line.encode() + b"\n")

    @property
    def is_dead(self) -> bool:
        """Whether the other end of its pipe was closed."""
        poll = select.poll()
        poll.register(self._fd, 0)
        return bool(poll.poll(0))

    async def died(self) -> None:
        """Return when the guard is gone."""
        gone = asyncio.Event()
        loop = asyncio.get_running_loop()

        def look() -> None:
            if self.is_dead:
                gone.set()
            else:
                self._timer = loop.call_later(1.0, look)

        look()
        await gone.wait()


async def run(options: Options, spec: ClusterSpec, guard: Guard, user: str = "") -> int:
    """Be the supervisor of `spec` until everything has ended; the exit code.

    `user` is the user of etcd to ask the members as, `NAME:PASSWORD`.
    """
    paths = ClusterPaths(options.name, Path(options.root))
    run_id = os.urandom(16).hex()
    clear_leftovers(paths)
    if not options.restored and not options.fresh:
        record.refuse_other_data(paths, spec)
    runtime = runtimes.runtime_of(spec)(spec, paths.root)
    runtime.preflight()
    openfiles.check(spec.wanted_processes)
    preflight.check(spec.wanted_processes)
    preflight.check_links(spec.processes)
    preflight.check_disk_faults(spec)
    way_of(spec).preflight(spec)
    # Old data goes when nothing is in the way of new any more.
    if options.restored:
        record.take_over(paths, Path(options.restored), fresh=options.fresh)
    elif options.fresh:
        record.wipe(paths)
    record_plan(paths, spec)
    record.write_left_off(paths)
    at_death = [json.dumps(command) for command in runtime.at_death]
    for command in at_death:
        guard(f"+{command}")

    bus = Bus(paths.events)
    logbook = Logbook(paths.logs)
    book = ledger.Ledger(paths.supervisor, run_id)
    cluster = Cluster(
        spec,
        paths,
        bus=bus,
        logbook=logbook,
        ledger=book,
        guard=guard,
        run=run_id,
        connect=partial(_connected, spec, user),
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, cluster.shutdown)
    released = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, released.set)
    executed = asyncio.Event()
    bus.listen(lambda event: executed.set() if event.kind in _EXECUTED else None)
    starting = cluster.begin()
    # What only questions and answers need is imported while the members work, none of it before
    # the first is executed: an importing thread would keep the loop from that.
    first = asyncio.ensure_future(executed.wait())
    await asyncio.wait(
        {starting, first}, timeout=EXECUTED_WITHIN_S, return_when=asyncio.FIRST_COMPLETED
    )
    first.cancel()
    await asyncio.to_thread(cluster.load)
    cluster.watch()
    await asyncio.wait({starting}, timeout=EXECUTED_WITHIN_S)
    # The importing thread gives way ten times as often: a member's sign is answered in
    # several steps, each of which would wait 5 ms for its turn.
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(usual_s / 10)
    server_module = await asyncio.to_thread(_load_server)
    sys.setswitchinterval(usual_s)
    # All that was imported stays (see `standby.DAEMON`): nobody need look whether it is garbage.
    gc.freeze()
    gc.enable()
    server = server_module.ControlServer(cluster)
    listener = server_module.bind(paths.place_socket())
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    # The socket listens already: a client that comes before uvicorn is up waits in its backlog.
    _say(options.status_fd, {"pid": os.getpid()})
    watching = asyncio.create_task(_end_without_guard(guard, cluster, options, released))
    standing = asyncio.create_task(_end_without_ground(Ground(paths), cluster))
    await cluster.ended.wait()
    watching.cancel()
    standing.cancel()
    logbook.close()
    bus.close()
    await serving
    await cluster.members.gateway.aclose()
    # In the place of a lost directory is another cluster's, or nobody's.
    if not cluster.lost_directory:
        await _tidy_up(paths, guard)
        await runtime.close()
    for command in at_death:
        guard(f"-{command}")
    if not cluster.lost_directory:
        book.close()
    return cluster.exit_code


async def _tidy_up(paths: ClusterPaths, guard: Guard) -> None:
    paths.remove_socket()
    if guard.is_dead or sys.platform != "linux":
        # Nobody else ends those who left their process group (elsewhere the guard cannot).
        await asyncio.to_thread(ledger.sweep, paths.supervisor)


def clear_leftovers(paths: ClusterPaths) -> tuple[list[str], list[str]]:
    """End what a supervisor that died left running; names of that, and clauses on what could not be removed.

    To be called by whoever holds the cluster's lock.
    """
    if not is_there(paths.supervisor):
        return [], []
    # The engine's clients first: one of them may be about to make a container.
    ended = ledger.sweep(paths.supervisor)
    members, left = _clear_members_of_the_dead(paths)
    if not left:  # otherwise the next command tries again
        paths.supervisor.unlink(missing_ok=True)
    return list(dict.fromkeys([*ended, *members])), left


def _clear_members_of_the_dead(paths: ClusterPaths) -> runtimes.Cleared:
    try:
        recorded = recorded_plan(paths)
    except UnreadablePlan:
        # Nobody knows what ran its members: whatever can have done so is asked.
        each = (runtimes.named(word).clear_unknown(word, paths.root) for word in Runtime)
        return [name for names in each for name in names], []
    if recorded is None:
        return [], []
    return runtimes.runtime_of(recorded)(recorded, paths.root).clear()


async def _end_without_guard(
    guard: Guard, cluster: Cluster, options: Options, released: asyncio.Event
) -> None:
    await guard.died()
    _log.error("the guard died")
    if options.owned and not released.is_set():
        # Nobody is left who would see the owner go.
        cluster.shutdown()


async def _end_without_ground(ground: Ground, cluster: Cluster) -> None:
    while True:
        if loss := ground.loss():
            _log.error("%s; everything is ended", loss.what)
            cluster.abandon(loss.what, has_directory=loss.has_directory)
            return
        await asyncio.sleep(LOOKED_AT_EVERY_S)


def _connected(spec: ClusterSpec, user: str) -> Gateway:
    from etcd_sandbox.etcd.gateway import Gateway

    members = [process.member for process in spec.members]
    cert, key = next(
        ((member.client_cert, member.client_key) for member in members if member.client_cert),
        ("", ""),
    )
    text = user or spec.user
    return Gateway(cert, key, Credentials.parse(text) if text else None)


def _load_server() -> ModuleType:
    class Unused(ModuleType):
        def __getattr__(self, _: str) -> None: ...

    # uvicorn's package imports its command line: click, watchfiles, multiprocessing, twice the rest of it.
    sys.modules.setdefault("uvicorn.main", Unused("uvicorn.main"))
    return importlib.import_module("etcd_sandbox.control.server")


def _say(fd: int, word: dict[str, object]) -> None:
    with contextlib.suppress(OSError):
        os.write(fd, json.dumps(word).encode() + b"\n")
        os.close(fd)


def _sweep(options: Options) -> int:
    """Clear up after a dead supervisor, under the cluster's lock; prints what came of it as JSON."""
    paths = ClusterPaths(options.name, Path(options.root))
    ended: list[str] = []
    left: list[str] = []
    lock = None
    try:
        with contextlib.suppress(FileNotFoundError):  # it was purged meanwhile
            lock = take_lock(paths)
        if lock is not None:
            ended, left = clear_leftovers(paths)
            paths.remove_socket()
            os.close(lock)
    except OSError as error:
        json.dump({"refused": {"errno": error.errno, "filename": error.filename}}, sys.stdout)
        return 0
    json.dump({"ended": ended, "left": left}, sys.stdout)
    return 0


def main() -> NoReturn:
    """Run the supervisor, or the sweep, and end with its exit code."""
    words = sys.argv[2:]  # after the name of this program (`standby.DAEMON`)
    if len(words) == 1:
        sys.exit(_sweep(msgspec.json.decode(words[0], type=Options)))
    sys.exit(_supervise(int(words[-1])))


def _supervise(guard_fd: int) -> int:
    keep_freed_memory()
    openfiles.take_all()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("uvicorn", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    guard = Guard(guard_fd)
    with socket.socket(fileno=0) as orders:
        message, fds, _, _ = socket.recv_fds(orders, LONGEST_MESSAGE, MOST_DESCRIPTORS)
        if not message:
            return 0  # there is nothing to run
        for fd in fds:
            os.set_inheritable(fd, False)
        log, status_fd, plan, *_ = fds  # what is behind is kept open: the locks
        orders.detach()
    for fd, place in ((plan, 0), (log, 1), (log, 2)):
        os.dup2(fd, place)
    os.close(plan)
    options = msgspec.json.decode(message, type=Options)
    options.status_fd = status_fd
    content = sys.stdin.buffer.read()
    # Not for the children: a password is nobody's business, and etcd warns of the variable's name.
    user = os.environ.pop(USER_VARIABLE, "")
    if path := os.environ.get("PYTHONPATH"):
        # It may be relative, and the links' process is executed from another directory.
        os.environ["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, path.split(os.pathsep)))
    if not content:
        return 1  # the launcher died before it handed the plan over
    try:
        os.chdir(options.root)
        spec = msgspec.json.decode(content, type=ClusterSpec, dec_hook=as_value)
        return asyncio.run(run(options, spec, guard, user))
    except SandboxError as error:
        _say(options.status_fd, error_to_wire(error))
        return error.exit_code
    except (OSError, RuntimeError, MemoryError) as error:
        told = obstacle(error)
        if not os.path.isdir(options.root):  # noqa: PTH112 - of a string
            told = SandboxError(
                "the state directory was deleted while the cluster started",
                options.root,
                "start it again",
            )
        if told is None and not isinstance(error, OSError):
            raise
        where = str(getattr(error, "filename", None) or options.root)
        why = getattr(error, "strerror", None) or error
        told = told or SandboxError(f"the supervisor cannot work ({why})", where)
        _say(options.status_fd, error_to_wire(told))
        _log.exception("cannot work")
        return 1

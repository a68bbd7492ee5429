"""The supervisor's event loop is never held up: log lines, answers and signals wait for no fault."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import threading
import time
from asyncio.events import Handle
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import etcd_sandbox.cluster.operations  # noqa: F401 - the supervisor loads it in a thread of its own
import pytest
from etcd_sandbox import verbs
from etcd_sandbox.cluster.cluster import Cluster
from etcd_sandbox.etcd.gateway import Gateway
from etcd_sandbox.host.planfile import record_plan
from etcd_sandbox.inputs.caller import Caller, Planned
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.plan import plan_up
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.model.verdict import Verdict
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.ledger import Ledger
from etcd_sandbox.supervise.logbook import Logbook

from tests.etcd.conftest import QUICK

LONGEST_S = 0.05


class Callbacks:
    """How long each callback of an event loop held it, without the time that it waited for a processor.

    That wait is the machine's business, and so is that of a process which is executed: who executes it
    stands until it runs its own program. Where the system does not tell the wait (Linux does), it counts.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.count = 0
        self.too_long: list[str] = []
        self._executing_s = 0.0
        self._thread = threading.get_ident()
        self._place = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")

    def time(self, run: Callable[[], None], handle: Handle) -> None:
        executing_s = self._executing_s
        taken_s = self._taken_s(run) - (self._executing_s - executing_s)
        self.count += 1
        self.longest_s = max(self.longest_s, taken_s)
        if taken_s > LONGEST_S:
            task = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]  # noqa: SLF001
            self.too_long.append(f"{taken_s:.3f} s: {handle!r} of {task!r}")

    def execute(self, run: Callable[[], None]) -> None:
        """Execute a process, which takes none of the callback's time."""
        if threading.get_ident() == self._thread:
            self._executing_s += self._taken_s(run)
        else:
            run()

    def _taken_s(self, run: Callable[[], None]) -> float:
        waited_s, began = self._waited_s(), time.perf_counter()
        run()
        return time.perf_counter() - began - (self._waited_s() - waited_s)

    def _waited_s(self) -> float:
        try:
            return int(self._place.read_bytes().split()[1]) / 1e9
        except OSError:
            return 0.0


@contextmanager
def timed_callbacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callbacks]:
    """Within, every callback of this thread's event loop is timed.

    What there is by now, such as all tests of this run, is not gone through for garbage meanwhile:
    the supervisor has nothing like it.
    """
    callbacks, plain = Callbacks(), Handle._run  # noqa: SLF001 - asyncio offers no other hook
    execute = subprocess.Popen._execute_child  # type: ignore[attr-defined]  # noqa: SLF001 - nor this

    def timed(handle: Handle) -> None:
        callbacks.time(lambda: plain(handle), handle)

    def executed(*args: object) -> None:
        callbacks.execute(lambda: execute(*args))

    gc.collect()
    gc.freeze()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Handle, "_run", timed)
            patch.setattr(subprocess.Popen, "_execute_child", executed)
            yield callbacks
    finally:
        gc.unfreeze()


@asynccontextmanager
async def supervised(planned: Planned, paths: ClusterPaths) -> AsyncIterator[Cluster]:
    """A cluster in this process and event loop, as the supervisor has it."""
    bus, logbook, book = Bus(paths.events), Logbook(paths.logs), Ledger(paths.supervisor, "loop")
    gateway = Gateway()
    cluster = Cluster(
        planned.spec,
        paths,
        bus=bus,
        logbook=logbook,
        ledger=book,
        guard=lambda _: None,
        run="loop",
        connect=lambda: gateway,
    )
    try:
        cluster.begin()
        cluster.watch()
        await cluster.ready(30)
        yield cluster
    finally:
        cluster.shutdown(kill=True)
        await cluster.ended.wait()
        logbook.close()
        bus.close()
        book.close()
        await gateway.aclose()


async def break_and_mend(cluster: Cluster) -> list[Verdict]:
    """Every verb once, and some of them on a majority."""
    orders = [
        Order(verb=verbs.KILL, select=("leader",)),
        Order(verb=verbs.START, select=("all",)),
        Order(verb=verbs.STOP, select=("leader",)),
        Order(verb=verbs.START, select=("all",)),
        Order(verb=verbs.MOVE_LEADER, select=("random",), seed=1),
        Order(verb=verbs.PAUSE, select=("leader",)),
        Order(verb=verbs.RESUME, select=("members",)),
        Order(verb=verbs.PARTITION, select=("leader",)),
        Order(verb=verbs.HEAL),
        Order(verb=verbs.CUT, select=("infra1",), versus=("infra2",)),
        Order(verb=verbs.SLOW, select=("all",), delay_s=0.02, jitter_s=0.01),
        Order(verb=verbs.HEAL),
        Order(verb=verbs.KILL, select=("majority",)),
        Order(verb=verbs.START, select=("all",)),
        Order(verb=verbs.RESTART, select=("followers",)),
    ]
    verdicts = []
    for order in orders:
        verdicts.append(await cluster.operations.act(order))
        await cluster.operations.status(with_hash=True)
    return verdicts


def test_no_verb_holds_the_event_loop_up(
    home: Path, tmp_path: Path, etcd_binary: EtcdBinary, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = tmp_path / "quick.toml"
    profile.write_text(QUICK)

    paths = ClusterPaths("loop", home / "loop")
    paths.root.mkdir()
    options = Options(members=3, profile=str(profile), etcd=etcd_binary.path, base_port="auto")
    planned = plan_up(options, paths, Caller(cwd=home, env=dict(os.environ)))
    record_plan(paths, planned.spec)

    async def everything() -> list[Verdict]:
        async with supervised(planned, paths) as cluster:
            return await break_and_mend(cluster)

    with timed_callbacks(monkeypatch) as callbacks:
        verdicts = asyncio.run(everything())

    for fd in planned.held:
        os.close(fd)
    assert all(verdict.settled for verdict in verdicts)
    assert callbacks.count > 1000, callbacks.longest_s
    assert callbacks.too_long == []


def test_a_callback_that_holds_the_loop_up_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hold() -> None:
        asyncio.get_running_loop().call_soon(time.sleep, 2 * LONGEST_S)
        await asyncio.sleep(0)

    with timed_callbacks(monkeypatch) as callbacks:
        asyncio.run(hold())

    assert len(callbacks.too_long) == 1
    assert "sleep" in callbacks.too_long[0]

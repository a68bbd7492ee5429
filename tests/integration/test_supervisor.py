"""The supervisor on small real programs, inside this process's event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.spec import ProcessSpec, Restart, Stdin
from etcd_sandbox.model.state import ProcessState
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.ledger import Ledger
from etcd_sandbox.supervise.logbook import Chunk, Logbook
from etcd_sandbox.supervise.process import child_environment
from etcd_sandbox.supervise.supervisor import Supervisor

DEADLINE_S = 20


def shell(name: str, script: str, **more: object) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        argv=("/bin/sh", "-c", script),
        shown=script,
        cwd=os.getcwd(),  # noqa: PTH109 - a string is wanted
        **more,  # type: ignore[arg-type]
    )


def python(name: str, script: str, **more: object) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-c", script),
        shown=script,
        cwd=os.getcwd(),  # noqa: PTH109 - a string is wanted
        **more,  # type: ignore[arg-type]
    )


class World:
    """A supervisor and what it has told."""

    def __init__(self, root: Path, specs: list[ProcessSpec]) -> None:
        self.bus = Bus(root / "events.jsonl")
        self.logbook = Logbook(root / "logs")
        self.reports: list[str] = []
        self.seen: list[Event] = []
        self.bus.listen(self.seen.append)
        self.supervisor = Supervisor(
            specs,
            bus=self.bus,
            logbook=self.logbook,
            ledger=Ledger(root / "supervisor.json", "test-run"),
            guard=self.reports.append,
            run="test-run",
            on_lines=lambda _process, _chunk: None,
        )

    def __getitem__(self, name: str):  # type: ignore[no-untyped-def]
        return self.supervisor.processes[name]

    def kinds(self) -> list[Kind]:
        return [event.kind for event in self.seen]

    def text(self, process: str | None = None) -> bytes:
        return b"".join(
            piece.data
            for piece in self.logbook.reader().read()
            if isinstance(piece, Chunk) and process in (None, piece.process)
        )

    async def until_logged(self, text: bytes, times: int = 1) -> None:
        reader = self.logbook.reader()
        seen = b""
        while seen.count(text) < times:
            seen += b"".join(p.data for p in reader.read() if isinstance(p, Chunk))
            if seen.count(text) < times:
                await reader.wait()
        reader.close()


@asynccontextmanager
async def world(root: Path, *specs: ProcessSpec) -> AsyncIterator[World]:
    made = World(root, list(specs))
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield made
    finally:
        for process in made.supervisor.processes.values():
            await process.crash(signal.SIGKILL)
        await made.supervisor.stop_all(list(made.supervisor.processes), 1.0)
        made.bus.close()


Story = Callable[[Path], Coroutine[object, object, None]]


def played(story: Story) -> Callable[[Path], None]:
    """Run an async test under asyncio."""

    def test(tmp_path: Path) -> None:
        asyncio.run(story(tmp_path))

    test.__name__ = story.__name__
    return test


@played
async def test_output_is_kept_whole_with_blank_lines_and_an_unterminated_end(root: Path) -> None:
    async with world(root, shell("a", r"printf 'one\n\n\ntwo\nlast'; printf 'err' >&2")) as w:
        await w["a"].start()
        await w["a"].wait_for(lambda life: life.state is ProcessState.EXITED)
        assert w.text() == b"one\n\n\ntwo\nlasterr\n"
        assert (root / "logs" / "a.log").read_bytes() == b"one\n\n\ntwo\nlasterr\n"


@played
async def test_the_event_of_a_start_bears_the_time_of_the_execution(root: Path) -> None:
    script = "import time; print(time.time(), flush=True)"
    began = datetime.now(UTC)
    async with world(root, python("p", script)) as here:
        # What is between the execution and its event: here, a disk that is slow.
        add = here.supervisor.ledger.add

        def slowly(name: str, pid: int) -> None:
            time.sleep(0.3)
            add(name, pid)

        here.supervisor.ledger.add = slowly  # type: ignore[method-assign]
        await here["p"].start()
        await here.until_logged(b".")
        (started,) = [event for event in here.seen if event.kind is Kind.PROCESS_STARTED]
        ran = datetime.fromtimestamp(float(here.text("p")), UTC)
        assert began <= datetime.fromisoformat(started.ts) <= ran


@played
async def test_the_last_line_is_there_before_the_exit_is_told(root: Path) -> None:
    async with world(root, shell("a", "echo first; printf 'last words'; exit 3")) as w:
        logged_at_exit: list[bytes] = []
        w.bus.listen(
            lambda event: (
                logged_at_exit.append(w.text()) if event.kind is Kind.PROCESS_EXITED else None
            )
        )
        await w["a"].start()
        await w["a"].wait_for(lambda life: life.state is ProcessState.EXITED)
        assert logged_at_exit == [b"first\nlast words\n"]
        assert w["a"].exit.code == 3


@played
async def test_a_line_written_in_pieces_is_one_line(root: Path) -> None:
    script = "import sys,time\nfor p in ('a','b','c\\n'):\n sys.stdout.write(p); sys.stdout.flush(); time.sleep(0.05)"
    async with world(root, python("a", script)) as w:
        await w["a"].start()
        await w["a"].wait_for(lambda life: life.state is ProcessState.EXITED)
        assert [p.data for p in w.logbook.reader().read() if isinstance(p, Chunk)] == [b"abc\n"]


@played
async def test_bytes_that_are_no_text_pass_unchanged(root: Path) -> None:
    script = "import sys\nsys.stdout.buffer.write(bytes(range(256)) + b'\\xff\\xfe\\r\\n')"
    async with world(root, python("a", script)) as w:
        await w["a"].start()
        await w["a"].wait_for(lambda life: life.state is ProcessState.EXITED)
        assert w.text() == bytes(range(256)) + b"\xff\xfe\r\n"


@played
async def test_a_process_is_stopped_in_order_and_told_as_expected(root: Path) -> None:
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(0)))\n"
        "print('up', flush=True)\n"
        "time.sleep(60)"
    )
    async with world(root, python("a", script)) as w:
        await w["a"].start()
        await w.until_logged(b"up\n")
        await w["a"].stop()
        assert w["a"].state is ProcessState.STOPPED
        assert w.text() == b"up\nbye\n"
        assert w.seen[-1].kind is Kind.PROCESS_EXITED
        assert w.seen[-1].fields["expected"] is True


@played
async def test_two_stubborn_processes_take_one_timeout_together(root: Path) -> None:
    script = "import signal,time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)"
    specs = [python(name, script, stop_timeout_s=3.0) for name in "ab"]
    async with world(root, *specs) as w:
        for name in "ab":
            await w[name].start()
        await w.until_logged(b"up\n", times=2)
        began = time.monotonic()
        await w.supervisor.stop_all(["a", "b"])
        took_s = time.monotonic() - began
        assert 3.0 <= took_s < 5.9
        assert [w[name].exit.signal for name in "ab"] == ["SIGKILL", "SIGKILL"]


@played
async def test_a_grandchild_that_holds_the_pipe_goes_with_its_group(root: Path) -> None:
    async with world(root, shell("a", "sleep 300 & echo $!; exit 0")) as w:
        await w["a"].start()
        await w["a"].wait_for(lambda life: life.state is ProcessState.EXITED)
        grandchild = int(w.text())
        with pytest.raises(ProcessLookupError):
            os.kill(grandchild, 0)


@played
async def test_a_kill_is_a_crash_that_the_policy_answers(root: Path) -> None:
    async with world(root, shell("a", "echo up; sleep 300", restart=Restart.ON_FAILURE)) as w:
        await w["a"].start()
        first = w["a"].life.pid
        await w["a"].crash(signal.SIGKILL)
        await w["a"].wait_for(lambda life: life.starts == 2 and life.pid is not None)
        assert w["a"].life.pid != first
        assert Kind.PROCESS_RESTARTING in w.kinds()


@played
async def test_a_stop_during_the_back_off_ends_it(root: Path) -> None:
    async with world(root, shell("a", "exit 1", restart=Restart.ALWAYS)) as w:
        await w["a"].start()
        await w["a"].wait_for(lambda life: life.state is ProcessState.BACKOFF)
        await w["a"].stop()
        assert w["a"].state is ProcessState.STOPPED
        starts = w["a"].life.starts
        await asyncio.sleep(1.0)  # longer than the back-off that was cut short
        assert w["a"].life.starts == starts


@played
async def test_starts_and_stops_of_one_process_never_overlap(root: Path) -> None:
    async with world(root, shell("a", "trap 'exit 0' TERM; while :; do sleep 0.01; done")) as w:
        await w["a"].start()
        await asyncio.gather(*(w["a"].restart() for _ in range(5)), w["a"].stop(), w["a"].start())
        started = [e.fields["pid"] for e in w.seen if e.kind is Kind.PROCESS_STARTED]
        exited = [e.fields["pid"] for e in w.seen if e.kind is Kind.PROCESS_EXITED]
        assert w["a"].state is ProcessState.RUNNING
        assert exited == started[:-1]


@played
async def test_a_pause_freezes_and_a_resume_lets_go_on(root: Path) -> None:
    script = "import time\nwhile True:\n print('tick', flush=True); time.sleep(0.01)"
    async with world(root, python("a", script)) as w:
        await w["a"].start()
        await w.until_logged(b"tick\n")
        await w["a"].pause()
        assert w["a"].state is ProcessState.PAUSED
        await w["a"].stop()
        assert w["a"].exit.signal == "SIGTERM"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.write_bytes(b"not a program"), "Permission denied"),
        (
            lambda path: (path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(60)), path.chmod(0o755)),
            "Exec format error",
        ),
        (lambda path: path.mkdir(), "Permission denied"),
    ],
)
def test_what_cannot_be_executed_has_failed_and_says_why(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    program = tmp_path / "program"
    make(program)
    spec = ProcessSpec(name="a", argv=(str(program),), shown="program", cwd=str(tmp_path))

    async def story() -> None:
        async with world(tmp_path, spec) as w:
            await w["a"].start()
            assert w["a"].state is ProcessState.FAILED
            assert why in str(w["a"].exit)

    asyncio.run(story())


@played
async def test_children_get_no_descriptors_and_a_clean_environment(root: Path) -> None:
    spec = shell(
        "a",
        "ls /proc/self/fd | tr '\\n' ' '; env | grep -c SECRET; echo $EXTRA",
        env_drop=("SECRET*",),
        env={"EXTRA": "there"},
    )
    os.environ["SECRET_1"] = "x"
    try:
        async with world(root, spec) as w:
            w.supervisor.environment["SECRET_1"] = "x"
            await w["a"].start()
            await w["a"].wait_for(lambda life: life.state is ProcessState.EXITED)
            assert w.text() == b"0 1 2 3 0\nthere\n"  # 3 is ls's own look at the directory
    finally:
        del os.environ["SECRET_1"]


READS_TO_THE_END = "import os, sys; print(sys.stdin.isatty(), flush=True); sys.stdin.read(); print('end', flush=True)"


@pytest.mark.parametrize(("stdin", "is_terminal"), [(Stdin.PIPE, False), (Stdin.TERMINAL, True)])
def test_a_stdin_that_stays_open_keeps_who_reads_it_and_leaves_no_descriptor(
    stdin: Stdin, is_terminal: bool, tmp_path: Path
) -> None:
    @played
    async def story(root: Path) -> None:
        before = set(os.listdir("/dev/fd"))  # noqa: PTH208 - numbers, not files
        async with world(root, python("watcher", READS_TO_THE_END, stdin=stdin)) as w:
            for _ in range(2):
                await w["watcher"].start()
                await w.until_logged(str(is_terminal).encode())
                await asyncio.sleep(0.1)
                assert w["watcher"].state is ProcessState.RUNNING
                await w["watcher"].stop()
            assert b"end" not in w.text()
            assert w["watcher"].exit.note is None
            opened = set(os.listdir("/dev/fd")) - before  # noqa: PTH208
            # The log file, the events, the loop's own: none for the children.
            assert len(opened) <= 6

    story(tmp_path)


@pytest.mark.parametrize(
    ("script", "stdin", "note"),
    [
        ("cat", Stdin.NULL, "an empty stdin may be why: see up --stdin"),
        ("cat; exit 1", Stdin.NULL, None),
        ("true", Stdin.PIPE, None),
    ],
)
def test_an_early_end_with_an_empty_stdin_says_so(
    script: str, stdin: Stdin, note: str | None, tmp_path: Path
) -> None:
    @played
    async def story(root: Path) -> None:
        async with world(root, shell("watcher", script, stdin=stdin)) as w:
            await w["watcher"].start()
            await w["watcher"].wait_for(lambda life: life.state is ProcessState.EXITED)
            assert w["watcher"].exit.note == note
            (exited,) = [event for event in w.seen if event.kind is Kind.PROCESS_EXITED]
            assert exited.fields.get("note") == note

    story(tmp_path)


@played
async def test_what_python_prints_is_there_while_it_runs(root: Path) -> None:
    script = "import time; print('listening'); time.sleep(1000)"
    async with world(root, python("app", script)) as w:
        w.supervisor.environment.pop("PYTHONUNBUFFERED", None)
        await w["app"].start()
        await w.until_logged(b"listening")


def test_whoever_wants_pythons_buffer_keeps_it() -> None:
    spec = shell("a", "true", env={})
    assert child_environment(spec, {})["PYTHONUNBUFFERED"] == "1"
    assert child_environment(spec, {"PYTHONUNBUFFERED": ""})["PYTHONUNBUFFERED"] == ""
    own = shell("a", "true", env={"PYTHONUNBUFFERED": "0"})
    assert child_environment(own, {"PYTHONUNBUFFERED": "1"})["PYTHONUNBUFFERED"] == "0"


@played
async def test_a_burst_arrives_whole_and_in_order(root: Path) -> None:
    script = (
        "import sys\n"
        "for block in range(100):\n"
        " sys.stdout.write(''.join('%06d %s\\n' % (block * 1000 + n, 'x' * (n % 90)) for n in range(1000)))"
    )
    async with world(root, python("a", script)) as w:
        await w["a"].start()
        await w["a"].wait_for(lambda life: life.state is ProcessState.EXITED)
        lines = (root / "logs" / "a.log").read_bytes().splitlines()
        assert lines == [b"%06d %s" % (n, b"x" * (n % 1000 % 90)) for n in range(100_000)]


@played
async def test_a_process_for_which_there_is_no_thread_to_watch_it_has_failed_and_is_not_starting_forever(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, shell("a", "exec sleep 1000")) as w:

        async def refuse(*_: object, **__: object) -> None:
            raise RuntimeError("can't start new thread")

        real, asyncio.create_subprocess_exec = asyncio.create_subprocess_exec, refuse  # type: ignore[assignment]
        try:
            await w["a"].start()
        finally:
            asyncio.create_subprocess_exec = real
        assert w["a"].state is ProcessState.FAILED
        assert "the machine gives no more processes and threads" in (w["a"].exit.error or "")

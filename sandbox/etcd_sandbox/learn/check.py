"""Does a lesson by itself: types what is shown, compares what is printed, waits for what is to be seen."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.learn.guide import Guide, Tone
from etcd_sandbox.learn.lesson import NAME_VARIABLE, Command, Lesson, Step
from etcd_sandbox.learn.shell import Shell
from etcd_sandbox.learn.stage import Stage
from etcd_sandbox.learn.watch import Watch

ANYTHING = "…"
"""A line that stands for any lines, as many as there are, also none."""

FAILURES = ("Error:", "etcd-sandbox: error:", '{"level":"fatal"')
"""How a line begins that shows a command to fail."""

_LUCK = (
    # How many etcdctl warns of, in which words, is its version's business.
    (re.compile(r'^\{"level":"warn".*'), ""),
    (re.compile(r"^Error: rpc error: .* desc = context deadline"), "Error: context deadline"),
    (re.compile(r"\. took [\d.]+(µs|ms|s)$"), ""),
    # A hand-over may be slow on a busy machine; an election after silence takes longer still.
    (re.compile(r" · 0\.[0-4]\d s without a leader"), ""),
    # Where nobody led before, whoever wakes up first may stand for election at once.
    (re.compile(r"^( *)there is a leader again, after [\d.]+ s: ([\w.-]+)"), r"\1\2 leads"),
    (re.compile(r"^( *[\w.-]+ leads · term \d+) · [\d.]+ s without a leader"), r"\1"),
    (re.compile(r" · reads (went on|waited for up to|take up to|failed for)( [\d.]+ s)?"), ""),
    # Whether a write was on its way to the lost leader is chance, and on a slow disk writes wait.
    (
        re.compile(
            r" · writes (sent meanwhile wait|waited|take|failed) (for up to|up to|for) [\d.]+ s"
        ),
        "",
    ),
    (re.compile(r" · [\w.-]+(, [\w.-]+)* (has|have) no leader"), ""),
    (re.compile(r" ?[·;] [\w.-]+ still believes that it leads \(term \d+\)"), ""),
    (re.compile(r"(?<![\w:/])/(?:[\w.@+-]+/)+[\w.@+-]+"), "PATH"),
    (re.compile(r"\b[0-9a-f]{13,32}\b"), "ID"),
    (re.compile(r"\b\d[\d.:]*(µs|ms|s|m\d+s)\b"), "0s"),
    (re.compile(r"\d[\d.:,]*\d|\d"), "0"),
    (re.compile(r"\b0 (B|kB|KB|MB|KiB|MiB)\b"), "0 bytes"),
    (re.compile(r"[-─]{3,}"), "--"),
)
"""What may differ, and what it becomes: luck and load are no part of what is shown."""


def shape(line: str) -> str:
    """What is the same in every run: no figure, no spacing; empty for a line that does not count."""
    for pattern, instead in _LUCK:
        line = pattern.sub(instead, line)
    return " ".join(line.split())


def difference(shown: Sequence[str], printed: Sequence[str]) -> str:
    """What `printed` lacks of `shown`, or has beyond it, in one clause; empty where the shapes are the same.

    The order of lines does not count: which member is named first is often chance.
    """
    wanted = Counter(_shapes(line for line in shown if line.strip() != ANYTHING))
    came = Counter(_shapes(printed))
    if missing := list((wanted - came).elements()):
        return f"the line {missing[0]!r} is shown and was not printed"
    more = list((came - wanted).elements())
    if more and not any(line.strip() == ANYTHING for line in shown):
        return f"the line {more[0]!r} was printed and is not shown"
    return ""


def shows_failure(shown: Iterable[str]) -> bool:
    return any(line.startswith(FAILURES) for line in shown)


def _shapes(lines: Iterable[str]) -> list[str]:
    return [text for text in map(shape, lines) if text]


PRINTED_WITHIN_S = 60.0
"""How long a command may take until it has printed what is shown."""

SEEN_WITHIN_S = 30.0
"""How long the cluster may take to show that a step was done."""

LATE_LINES_S = 10.0
"""How long after the end of a command a line may come from one in the background, which may have to start."""

_POLL_S = 0.05


class StepReport(Struct, frozen=True, kw_only=True):
    """How one step went. `why` is empty where it holds; `seen` is what the guide said.

    `passed_over` is what this machine lacks for it, and `mend` what would help.
    """

    title: str
    seconds: float
    seen: tuple[str, ...]
    why: str = ""
    passed_over: str = ""
    mend: str = ""


class LessonReport(Struct, frozen=True, kw_only=True):
    """How one lesson went. `etcd` is the version it ran on; `why` says why it could not be done at all."""

    lesson: int
    title: str
    etcd: str
    seconds: float
    steps: tuple[StepReport, ...]
    why: str = ""

    @property
    def holds(self) -> bool:
        """Every step that could be done does what the page shows."""
        return not self.why and not any(step.why for step in self.steps)

    @property
    def passed_over(self) -> int:
        return sum(bool(step.passed_over) for step in self.steps)


class _Broken(Exception):
    """A step does not hold; its text says why."""


def check_lesson(
    lesson: Lesson, *, etcd: str | None, tell: Callable[[StepReport], None]
) -> LessonReport:
    """Do one lesson from its beginning in a state home of its own, up to the first step that fails."""
    home = tempfile.mkdtemp(prefix="sbl-")
    before = os.environ.get("ETCD_SANDBOX_HOME")
    os.environ["ETCD_SANDBOX_HOME"] = home
    try:
        return asyncio.run(_check(lesson, etcd, tell))
    finally:
        if before is None:
            del os.environ["ETCD_SANDBOX_HOME"]
        else:
            os.environ["ETCD_SANDBOX_HOME"] = before
        shutil.rmtree(home, ignore_errors=True)


async def _check(
    lesson: Lesson, etcd: str | None, tell: Callable[[StepReport], None]
) -> LessonReport:
    began = time.monotonic()
    reports: list[StepReport] = []
    stage = Stage(lesson, etcd=etcd)
    version = why = ""
    try:
        await asyncio.to_thread(stage.up, fresh=True)
        version = stage.binary.version
        async with _Room(lesson, stage, stage.program) as room:
            for step in room.guide.steps:
                reports.append(await room.do(step))
                tell(reports[-1])
                if reports[-1].why:
                    break
                room.guide.go(room.guide.at + 1)
    except SandboxError as error:
        why = str(error)
    finally:
        await asyncio.to_thread(stage.down, purge=True)
    return LessonReport(
        lesson=lesson.number,
        title=lesson.title,
        etcd=version,
        seconds=round(time.monotonic() - began, 1),
        steps=tuple(reports),
        why=why,
    )


class _Room:
    """A lesson's cluster, its guide and a shell, for the time of a check."""

    def __init__(self, lesson: Lesson, stage: Stage, etcd: str) -> None:
        self._lesson = lesson
        self._stage = stage
        self._etcd = etcd
        self.guide = Guide(lesson.steps_for(stage.series))
        self._watch = Watch(stage.paths, self.guide)

    async def __aenter__(self) -> _Room:
        dropped = ("ETCDCTL_", "NO_COLOR")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        ours = {"ETCD_SANDBOX_ETCD": self._etcd, NAME_VARIABLE: self._lesson.cluster}
        # Files that a lesson makes go with the rest.
        home = self._stage.paths.root.parent
        self._shell = Shell(kept | ours, self._lesson.cluster, capture=True, cwd=home)
        self._watch.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._watch.stop()
        await self._shell.close()

    async def do(self, step: Step) -> StepReport:
        began = time.monotonic()
        seen: list[str] = []
        why = ""
        if lack := await asyncio.to_thread(self._stage.lack, step):
            return StepReport(
                title=step.title, seconds=0.0, seen=(), passed_over=lack.what, mend=lack.mend
            )
        try:
            await asyncio.to_thread(self._stage.establish, step.needs, seen.append)
            seen.clear()
            await self._watch.begin()
            for command in step.commands:
                await self._type(command)
            self.guide.looked()
            await self._until_done(seen)
        except _Broken as broken:
            why = str(broken)
        except SandboxError as error:
            why = f"the cluster cannot be brought to where the step begins: {error}"
        return StepReport(
            title=step.title, seconds=round(time.monotonic() - began, 1), seen=tuple(seen), why=why
        )

    async def _type(self, command: Command) -> None:
        shell = self._shell
        shell.printed.clear()
        running = asyncio.create_task(shell.run(command.line))
        deadline = time.monotonic() + PRINTED_WITHIN_S
        late = None
        try:
            while differs := difference(command.shown, self._told()):
                if running.done() and late is None:
                    late = time.monotonic() + LATE_LINES_S
                if time.monotonic() > min(deadline, late or deadline):
                    raise _Broken(f"`{command.line}`: {differs}; it printed:\n{self._printed()}")
                await asyncio.sleep(_POLL_S)
            if command.interrupted:
                shell.interrupt()
            code = await asyncio.wait_for(running, max(1.0, deadline - time.monotonic()))
        except TimeoutError:
            raise _Broken(f"`{command.line}` did not end within {PRINTED_WITHIN_S:g} s") from None
        finally:
            running.cancel()
        if command.interrupted:
            return
        if differs := difference(command.shown, self._told()):
            raise _Broken(f"`{command.line}`: {differs}; it printed:\n{self._printed()}")
        if code != 0 and not shows_failure(command.shown):
            raise _Broken(
                f"`{command.line}` ended with exit status {code}; it printed:\n{self._printed()}"
            )

    async def _until_done(self, seen: list[str]) -> None:
        deadline = time.monotonic() + SEEN_WITHIN_S
        while not self.guide.done:
            for said in await self._watch.look():
                if said.tone is Tone.ODD:
                    raise _Broken(f"the guide took it for something else: {said.text}")
                seen.append(said.text)
            if not self.guide.done:
                if time.monotonic() > deadline:
                    wanted = "; ".join(
                        condition.text for condition in self.guide.steps[self.guide.at].until
                    )
                    raise _Broken(f"the cluster did not show within {SEEN_WITHIN_S:g} s: {wanted}")
                await self._watch.rest()

    def _printed(self) -> str:
        return self._shell.printed.decode(errors="replace").rstrip("\n")

    def _told(self) -> list[str]:
        return self._printed().splitlines()

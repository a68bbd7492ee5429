"""A lesson with one learner, whatever they sit in front of: brings each step about, goes on when it was done.

The conversation in the terminal and the dashboard's panel are its faces: they say what the learner
wants, and show what it tells them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.learn.guide import Guide, Said, Tone
from etcd_sandbox.learn.lesson import NAME_VARIABLE, Lesson, Step
from etcd_sandbox.learn.library import Place, keep
from etcd_sandbox.learn.shell import Shell
from etcd_sandbox.learn.stage import Stage
from etcd_sandbox.learn.watch import Watch

Wish = TypeVar("Wish")

_SILENT, _ALOUD = "exec 5>&1 6>&2 >/dev/null 2>&1", "exec >&5 2>&6 5>&- 6>&-"


class Words(Struct, frozen=True, kw_only=True):
    """What the learner types or presses for each wish, as sentences name it."""

    enter: str = "Enter"
    hint: str = "hint"
    skip: str = "skip"
    back: str = "back"


class Face(Protocol):
    """Shows a course to the learner. All of it is called in the event loop."""

    def show(self, step: Step, number: int, of: int) -> None: ...

    def say(self, said: Said) -> None: ...

    def why(self, step: Step) -> None:
        """A step was done: why it happened."""

    def prepared(self, text: str) -> None: ...

    def plain(self, text: str) -> None: ...

    def typed(self, line: str) -> None: ...


class Course:
    """`open` it, then `look` again and again, and pass on what the learner wants; `close` it in any case.

    `printed` gets what the commands print; None leaves them the terminal.
    """

    def __init__(
        self,
        lesson: Lesson,
        stage: Stage,
        guide: Guide,
        face: Face,
        *,
        words: Words,
        printed: Callable[[bytes], None] | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.lesson = lesson
        self.stage = stage
        self.guide = guide
        self.watch = watch or Watch(stage.paths, guide)
        self._face = face
        self._words = words
        self._printed = printed
        self._shell: Shell | None = None
        self._typed: set[str] = set()
        self.busy = False
        self._told_gone = False

    @property
    def next_line(self) -> str | None:
        """The command of the step that comes next; None when all were typed."""
        commands = self.guide.step.commands if self.guide.step is not None else ()
        return next((each.line for each in commands if each.line not in self._typed), None)

    async def open(self, *, resumed: bool) -> None:
        """Begin to watch, and prepare the guide's step; `resumed`: it is not the first."""
        program = await asyncio.to_thread(lambda: self.stage.program)
        ours = {"ETCD_SANDBOX_ETCD": program, NAME_VARIABLE: self.lesson.cluster}
        self._env = os.environ | ours
        self._shell = self._new_shell()
        self.watch.start()
        await self._bring(resumed)

    async def close(self) -> None:
        """Stop watching, and end the shell with what runs in it."""
        await self.watch.stop()
        await self.close_shell()

    async def close_shell(self) -> None:
        if self._shell is not None:
            await self._shell.close()

    # What the learner wants.

    async def wish_or_news(self, wishes: asyncio.Queue[Wish]) -> list[Wish]:
        """Wait for a wish or for news of the cluster, whichever comes first; the wish, if it is one."""
        wish = asyncio.create_task(wishes.get())
        waited: set[asyncio.Task[Any]] = {wish}
        if self.guide.step is not None:
            waited.add(asyncio.create_task(self.watch.rest()))
        try:
            done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waited:
                task.cancel()
            # Not the tasks themselves: their cancellation could not be told from that of this one.
            await asyncio.wait(waited)
        return [wish.result()] if wish in done else []

    async def look(self) -> None:
        """Say what is new, and go on to the next step when this one is done."""
        said = await self.watch.look()
        if not self.watch.present:
            if not self._told_gone:
                self._face.say(self.guide.gone(self._words.enter))
            self._told_gone = True
            return
        self._told_gone = False
        for each in said:
            self._face.say(each)
        step = self.guide.step
        if self.guide.done and step is not None:
            self._face.why(step)
            await self._onward()

    async def entered(self) -> None:
        """Enter was pressed: the learner has looked, thinks that the step is done, or wants the cluster back."""
        step = self.guide.step
        if step is None:
            return
        if not self.watch.present:
            self.watch.present = True
            await self._bring(True)
        elif step.only_looked_at:
            self.guide.looked()
        else:
            await self.look()
            if self.guide.step is step:
                wanted = "; ".join(condition.text for condition in step.until)
                self._face.plain(
                    f"not seen yet: {wanted}. {self._words.hint} helps, {self._words.skip} goes on."
                )

    async def skip(self) -> None:
        """Do the step for the learner, unless the next one starts from a state of its own."""
        steps, following = self.guide.steps, self.guide.at + 1
        step = self.guide.step
        if step is not None and following < len(steps) and steps[following].needs is None:
            rest = tuple(c for c in step.commands if c.line not in self._typed)
            await self._do_silently((replace(step, commands=rest),))
        await self._onward()

    async def back(self) -> None:
        await self._to(self.guide.at - 1, from_elsewhere=True, by=-1)

    async def run_next(self) -> None:
        """Type the next command of the step."""
        line = self.next_line
        if line is None:
            back = self._words.back
            self._face.plain(
                f"Every command of this step was typed; {back} does the one before again."
            )
            return
        self._face.typed(line)
        await self.command(line)

    async def command(self, line: str) -> None:
        assert self._shell is not None
        self.busy = True
        try:
            await self._shell.run(line)
        except SandboxError as error:
            # An `exit` among other words.
            self._odd(f"{error}; there is a new one")
            await self._shell.close()
            self._shell = self._new_shell()
        finally:
            self.busy = False
        self._typed.add(line)
        step = self.guide.step
        if step is not None and {command.line for command in step.commands} <= self._typed:
            self.guide.looked()

    def interrupt(self) -> None:
        if self._shell is not None and self.busy:
            self._shell.interrupt()

    # How it ends.

    def answered(self) -> None:
        """Note that the question was answered: the lesson is done."""
        keep(self.lesson.slug, Place(done=True))

    # Going on.

    async def _onward(self) -> None:
        following = self.guide.at + 1
        keep(self.lesson.slug, Place(step=following))
        await self._to(following, from_elsewhere=False)

    async def _to(self, at: int, *, from_elsewhere: bool, by: int = 1) -> None:
        """Go to the step at `at`, or to the next in the direction of `by` that this machine can do."""
        self.guide.go(at)
        await self._bring(from_elsewhere, by)

    async def _bring(self, from_elsewhere: bool, by: int = 1) -> None:
        """Prepare the cluster for the step, and show the step."""
        self._typed.clear()
        try:
            await self._pass_over(by)
            if (step := self.guide.step) is None:
                return
            if from_elsewhere:
                await self._replay(self.guide.at)
            else:
                await self._establish(step)
            await self.watch.begin()
        except SandboxError as error:
            self._odd(f"{error}; {self._words.enter} tries again")
            self.watch.present, self._told_gone = False, True
            return
        self._face.show(step, self.guide.at + 1, len(self.guide.steps))

    async def _pass_over(self, by: int) -> None:
        guide = self.guide
        while (step := guide.step) is not None:
            lack = await asyncio.to_thread(self.stage.lack, step)
            if lack is None:
                return
            where = f"{guide.at + 1} of {len(guide.steps)} · {step.title}"
            self._odd(f"{where}: passed over, as {lack.what}. To mend it: {lack.mend}")
            guide.go(guide.at + by)

    async def _replay(self, at: int) -> None:
        """Prepare what the step builds on: its own needs, or the last ones named and the steps since."""
        # What earlier steps left running in the background would be there twice.
        await self.close_shell()
        self._shell = self._new_shell()
        steps = self.guide.steps
        first = next((i for i in range(at, -1, -1) if steps[i].needs is not None), 0)
        await self._establish(steps[first])
        await self._do_silently(steps[first:at])

    async def _establish(self, step: Step) -> None:
        loop = asyncio.get_running_loop()

        def tell(text: str) -> None:
            loop.call_soon_threadsafe(self._face.prepared, text)

        await asyncio.to_thread(self.stage.establish, step.needs, tell)

    async def _do_silently(self, steps: tuple[Step, ...]) -> None:
        # Also of steps that are only looked at: they may set a variable.
        lines = [
            command.line for step in steps for command in step.commands if not command.interrupted
        ]
        if not lines:
            return
        assert self._shell is not None
        self.busy = True
        try:
            await self._shell.run(_SILENT)
            for line in lines:
                self._face.prepared(f"$ {line}")
                await self._shell.run(line)
        finally:
            await self._shell.run(_ALOUD)
            self.busy = False

    def _odd(self, text: str) -> None:
        self._face.say(Said(tone=Tone.ODD, text=text))

    def _new_shell(self) -> Shell:
        return Shell(
            self._env,
            self.lesson.cluster,
            capture=self._printed is not None,
            heard=self._printed,
        )

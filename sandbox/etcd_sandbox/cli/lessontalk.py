"""A lesson as a conversation in the terminal: a step is shown, the cluster is watched, lines are typed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Awaitable

from etcd_sandbox.cli import lessonpage, output
from etcd_sandbox.cli.lessonpage import WORDS
from etcd_sandbox.errors import EXIT_DONE
from etcd_sandbox.learn.course import Course, Words
from etcd_sandbox.learn.guide import Guide, Said
from etcd_sandbox.learn.lesson import Lesson, Step
from etcd_sandbox.learn.stage import Stage
from etcd_sandbox.model.suggest import nearest

_SHORT = {"h": "hint", "?": "help", "q": "quit", "exit": "quit", "next": "skip", "s": "skip"}


class _Left(Exception):
    """The learner goes; `stop`: the cluster stops, too."""

    def __init__(self, *, stop: bool) -> None:
        super().__init__()
        self.stop = stop


class Talk:
    """One lesson with one learner, from the step where they left it."""

    def __init__(self, lesson: Lesson, stage: Stage, guide: Guide) -> None:
        self._lesson = lesson
        self._guide = guide
        self._course = Course(lesson, stage, guide, self, words=Words())
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._rest = b""
        self._prompted = False
        self._runs_on = False

    async def go(self, *, resumed: bool) -> int:
        """To the end of the lesson, or until the learner goes; the exit code.

        The cluster ends with it, whatever ends it (the terminal is gone, say), unless the learner
        wants it to run on.
        """
        loop = asyncio.get_running_loop()
        loop.add_reader(0, self._read)
        talking = asyncio.create_task(self._talk(resumed=resumed))
        ended_by: list[signal.Signals] = []

        def end(number: signal.Signals) -> None:
            # The terminal may be gone: nothing can be said.
            ended_by.append(number)
            talking.cancel()

        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end, number)
        try:
            await talking
        finally:
            loop.remove_reader(0)
            await self._course.close()
            if not self._runs_on:
                self._course.stage.vanish()
            if ended_by:
                output.leave(128 + ended_by[0])
        return EXIT_DONE

    async def _talk(self, *, resumed: bool) -> None:
        try:
            await self._course.open(resumed=resumed)
            while self._guide.step is not None:
                await self._once()
            await self._finish()
        except _Left as left:
            await self._leave(left)

    async def _once(self) -> None:
        """Whatever comes first: a line, or news of the cluster."""
        self._prompt()
        typed = asyncio.create_task(self._lines.get())
        news = asyncio.create_task(self._course.watch.rest())
        done, waiting = await asyncio.wait({typed, news}, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        # Not the tasks themselves: their cancellation could not be told from that of the talk.
        await asyncio.wait({typed, news})
        if typed in done:
            self._prompted = False
            await self._heed(typed.result())
        await self._course.look()

    async def _heed(self, line: str | None) -> None:
        step = self._guide.step
        if line is None or step is None:
            raise _Left(stop=True)
        line = line.strip().removeprefix("$ ")
        match _SHORT.get(line, line):
            case "":
                await self._course.entered()
            case "hint":
                lessonpage.hint(step)
            case "run":
                await self._typing(self._course.run_next())
            case "skip":
                await self._course.skip()
            case "back":
                await self._course.back()
            case "again":
                self.show(step)
            case "help":
                lessonpage.words()
            case "leave":
                raise _Left(stop=False)
            case "quit":
                raise _Left(stop=True)
            case command:
                await self._command(command)

    async def _command(self, line: str) -> None:
        word = line.split()[0]
        near = nearest(word, WORDS)
        if near and word == line and shutil.which(word) is None:
            self.plain(f"did you mean {near!r}? help lists what may be typed")
            return
        await self._typing(self._course.command(line))

    async def _typing(self, command: Awaitable[None]) -> None:
        """What is typed while a command runs is the command's."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(0)
        output.flush()
        try:
            await command
        finally:
            loop.add_reader(0, self._read)

    async def _finish(self) -> None:
        lessonpage.question(self._lesson)
        self._prompt()
        await self._lines.get()
        self._prompted = False
        lessonpage.answer(self._lesson)
        self._course.answered()
        await asyncio.to_thread(self._course.stage.down, purge=True)
        output.line()
        lessonpage.finished(self._lesson)

    async def _leave(self, left: _Left) -> None:
        self._interrupt_prompt()
        if left.stop:
            lessonpage.stopping(self._lesson)
            await asyncio.to_thread(self._course.stage.down)
        else:
            self._course.stage.release()
            self._runs_on = True
            lessonpage.runs_on(self._lesson)
        output.next_step(lessonpage.learn_command(self._lesson.language, self._lesson.number))

    # How a course shows itself.

    def show(self, step: Step) -> None:
        """The page of a step."""
        self._interrupt_prompt()
        lessonpage.step_page(step, self._guide.at + 1, len(self._guide.steps))

    def say(self, said: Said) -> None:
        """A sentence of the guide."""
        self._interrupt_prompt()
        lessonpage.said(said)

    def why(self, step: Step) -> None:
        """What is told once the step was done."""
        self._interrupt_prompt()
        lessonpage.why(step)

    def prepared(self, text: str) -> None:
        """What the guide did by itself."""
        self._interrupt_prompt()
        lessonpage.prepared(text)

    def plain(self, text: str) -> None:
        """A sentence about the lesson itself."""
        lessonpage.plain(text)

    def typed(self, line: str) -> None:
        """A command that the guide types."""
        lessonpage.typed(line)
        output.flush()

    # The terminal.

    def _prompt(self) -> None:
        if not self._prompted:
            output.text("> ")
            output.flush()
            self._prompted = True

    def _interrupt_prompt(self) -> None:
        if self._prompted:
            output.line()
            self._prompted = False

    def _read(self) -> None:
        try:
            piece = os.read(0, 65536)
        except OSError:
            piece = b""
        if not piece:
            self._lines.put_nowait(None)
            asyncio.get_running_loop().remove_reader(0)
            return
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._lines.put_nowait(line.decode(errors="replace"))

    def _interrupted(self) -> None:
        if not self._course.busy:
            self._lines.put_nowait(None)


def talks_to_a_terminal() -> bool:
    """Whether there is somebody to talk with."""
    return sys.stdin.isatty() and sys.stdout.isatty()

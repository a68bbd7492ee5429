"""A lesson in the terminal: what it looks like, and the conversation, while the cluster is watched."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Awaitable

from etcd_sandbox.cli import output
from etcd_sandbox.cli.output import FAINT, GOOD, ODD, STRONG, Painted, cells, text_width, wrapped
from etcd_sandbox.errors import EXIT_DONE, nearest
from etcd_sandbox.learn.course import Course, Words
from etcd_sandbox.learn.guide import Guide, Said, Tone
from etcd_sandbox.learn.lesson import NAME_VARIABLE, Lesson, Step
from etcd_sandbox.learn.library import Place
from etcd_sandbox.learn.shell import exported
from etcd_sandbox.learn.stage import Stage

WORDS = {
    "hint": "what to do, and what it looks like",
    "run": "the guide types the next command for you",
    "skip": "go on; the guide does what the next step needs",
    "back": "to the step before",
    "again": "show this step again",
    "leave": "end, and leave the lesson's cluster running",
    "quit": "end, and stop the lesson's cluster; its data and your place are kept",
}
"""What may be typed beside commands."""

_MARKS = {Tone.SEEN: ("✓", GOOD), Tone.ODD: ("!", ODD), Tone.MENDED: ("✓", GOOD)}

_SHORT = {"h": "hint", "?": "help", "q": "quit", "exit": "quit", "next": "skip", "s": "skip"}


def learn_command(language: str, number: int | None = None) -> str:
    """The command that lists the lessons, or does one, in that language."""
    words = ["learn", *(["--lang", language] if language else [])]
    return " ".join(words if number is None else [*words, str(number)])


def introduction(lesson: Lesson, version: str, place: Place) -> None:
    """What stands before the first step, or where the learner left."""
    output.line(Painted(f"Lesson {lesson.number}: {lesson.title}", STRONG))
    about = f"{lesson.minutes} minutes · etcd {version} · cluster {lesson.cluster}"
    output.line(Painted(about, FAINT))
    output.line()
    if place.step == 0:
        _markdown(f"{lesson.intro}\n\n{lesson.see}")
    else:
        _plain(f"You left it at step {place.step + 1}; --again begins anew.")
    output.line()
    _plain("Type the commands here, or in another terminal, where this names the lesson's cluster:")
    if home := os.environ.get("ETCD_SANDBOX_HOME"):
        _command(exported("ETCD_SANDBOX_HOME", home))
    _command(exported(NAME_VARIABLE, lesson.cluster))
    _plain(
        "The guide watches the cluster and goes on when it shows that a step was done. "
        f"You may also type: {', '.join(WORDS)}, help."
    )


def _hint(step: Step) -> None:
    """What helps with a step: its hint, and what was printed when the lesson was written."""
    _plain(step.hint or "Type the command above, here or in another terminal.")
    output.line(Painted("It looks like this, with other figures:", FAINT))
    for command in step.commands:
        _command(command.line)
        for text in command.shown:
            output.line(Painted(f"  {text}", FAINT))


def _plain(text: str) -> None:
    """A sentence about the lesson itself."""
    output.lines(wrapped(text))


def _help() -> None:
    """What may be typed."""
    wide = max(map(len, WORDS))
    for word, what in WORDS.items():
        output.line(f"  {word.ljust(wide)}  {what}")
    output.line(f"  {'Enter'.ljust(wide)}  look again; any other line is run as a command")


def stopping(lesson: Lesson) -> None:
    """The cluster stops, since the learner goes."""
    output.line(f"stopping {lesson.cluster}; its data and your place are kept")
    output.flush()


def runs_on(lesson: Lesson) -> None:
    """The cluster does not stop."""
    output.line(f"{lesson.cluster} runs on; etcd-sandbox -c {lesson.cluster} down stops it")


def finished(lesson: Lesson) -> None:
    """The lesson was done to its end."""
    output.line(f"lesson {lesson.number} is done; its cluster was removed")
    output.next_step(learn_command(lesson.language))


def _heading(text: str) -> None:
    begun = f"── {text} "
    output.line(Painted(begun + "─" * (text_width() - cells(begun)), STRONG))
    output.line()


def _command(line: str) -> None:
    output.line(Painted(f"  $ {line}", STRONG))


def _markdown(text: str) -> None:
    output.text(output.markdown(text))


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
        for line in await self._course.wish_or_news(self._lines):
            self._prompted = False
            await self._heed(line)
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
                _hint(step)
            case "run":
                await self._typing(self._course.run_next())
            case "skip":
                await self._course.skip()
            case "back":
                await self._course.back()
            case "again":
                self.show(step, self._guide.at + 1, len(self._guide.steps))
            case "help":
                _help()
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
        lesson = self._lesson
        output.line()
        _heading("A question")
        _markdown(lesson.question)
        output.line()
        output.line(Painted("Think, then press Enter for the answer.", FAINT))
        self._prompt()
        await self._lines.get()
        self._prompted = False
        _markdown(lesson.answer)
        output.line()
        output.line(Painted("To read next", STRONG))
        _markdown(lesson.reading)
        self._course.answered()
        await asyncio.to_thread(self._course.stage.down, purge=True)
        output.line()
        finished(lesson)

    async def _leave(self, left: _Left) -> None:
        self._interrupt_prompt()
        if left.stop:
            stopping(self._lesson)
            await asyncio.to_thread(self._course.stage.down)
        else:
            self._course.stage.release()
            self._runs_on = True
            runs_on(self._lesson)
        output.next_step(learn_command(self._lesson.language, self._lesson.number))

    # How a course shows itself.

    def show(self, step: Step, number: int, of: int) -> None:
        """A step, as far as it is shown before it was done."""
        self._interrupt_prompt()
        output.line()
        _heading(f"{number} of {of} · {step.title}")
        if step.before:
            _markdown(step.before)
            output.line()
        for command in step.commands:
            _command(command.line)
        if any(command.interrupted for command in step.commands):
            output.line(Painted("  (Ctrl-C ends it)", FAINT))
        if step.only_looked_at:
            output.line()
            output.line(Painted("Enter when you have looked.", FAINT))
        output.line()

    def say(self, said: Said) -> None:
        """A sentence of the guide."""
        self._interrupt_prompt()
        mark, sgr = _MARKS[said.tone]
        for text in wrapped(said.text, mark):
            output.line(Painted(text, sgr))
        if said.remedy:
            output.line(f"  back to where you were: {said.remedy}")

    def why(self, step: Step) -> None:
        """What is told once the step was done."""
        self._interrupt_prompt()
        if step.after:
            _markdown(step.after)

    def prepared(self, text: str) -> None:
        """What the guide did by itself."""
        self._interrupt_prompt()
        output.line(Painted(f"  {text}", FAINT))
        output.flush()

    def plain(self, text: str) -> None:
        """A sentence about the lesson itself."""
        _plain(text)

    def typed(self, line: str) -> None:
        """A command that the guide types."""
        output.line(Painted(f"$ {line}", STRONG))
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

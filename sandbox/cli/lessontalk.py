"""A lesson as a conversation in the terminal: a step is shown, the cluster is watched, lines are typed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from dataclasses import replace
from difflib import get_close_matches

from sandbox.cli import lessonpage, output
from sandbox.cli.lessonpage import WORDS
from sandbox.errors import EXIT_DONE, SandboxError
from sandbox.learn import progress
from sandbox.learn.guide import Guide, Said, Tone
from sandbox.learn.lesson import NAME_VARIABLE, Lesson, Step
from sandbox.learn.progress import Place
from sandbox.learn.shell import Shell
from sandbox.learn.stage import Stage
from sandbox.learn.watch import Watch

_SHORT = {"h": "hint", "?": "help", "q": "quit", "exit": "quit", "next": "skip", "s": "skip"}
_SILENT, _ALOUD = "exec 5>&1 6>&2 >/dev/null 2>&1", "exec >&5 2>&6 5>&- 6>&-"


class _Left(Exception):
    """The learner goes; `stop`: the cluster stops, too."""

    def __init__(self, *, stop: bool) -> None:
        super().__init__()
        self.stop = stop


class Talk:
    """One lesson with one learner, from the step where they left it."""

    def __init__(self, lesson: Lesson, stage: Stage, guide: Guide) -> None:
        self._lesson = lesson
        self._stage = stage
        self._guide = guide
        self._watch = Watch(stage.paths, guide)
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._rest = b""
        self._typed: set[str] = set()
        self._busy = False
        self._prompted = False
        self._told_gone = False

    async def go(self, *, resumed: bool) -> int:
        """To the end of the lesson, or until the learner goes; the exit code."""
        binary = await asyncio.to_thread(lambda: self._stage.binary)
        ours = {"ETCD_SANDBOX_ETCD": binary.path, NAME_VARIABLE: self._lesson.cluster}
        self._env = os.environ | ours
        self._shell = Shell(self._env, capture=False)
        loop = asyncio.get_running_loop()
        loop.add_reader(0, self._read)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled, number)
        self._watch.start()
        try:
            await self._bring(resumed)
            while self._guide.step is not None:
                await self._once()
            await self._finish()
        except _Left as left:
            await self._leave(left)
        finally:
            loop.remove_reader(0)
            await self._watch.stop()
            await self._shell.close()
        return EXIT_DONE

    async def _once(self) -> None:
        """Whatever comes first: a line, or news of the cluster."""
        self._prompt()
        typed = asyncio.create_task(self._lines.get())
        news = asyncio.create_task(self._watch.rest())
        done, waiting = await asyncio.wait({typed, news}, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if typed in done:
            self._prompted = False
            await self._heed(typed.result())
        await self._look()

    async def _heed(self, line: str | None) -> None:
        step = self._guide.step
        if line is None or step is None:
            raise _Left(stop=True)
        line = line.strip().removeprefix("$ ")
        match _SHORT.get(line, line):
            case "":
                await self._entered(step)
            case "hint":
                lessonpage.hint(step)
            case "run":
                await self._run_next(step)
            case "skip":
                await self._skip(step)
            case "back":
                await self._to(self._guide.at - 1, from_elsewhere=True)
            case "again":
                self._show(step)
            case "help":
                lessonpage.words()
            case "leave":
                raise _Left(stop=False)
            case "quit":
                raise _Left(stop=True)
            case command:
                await self._command(command)

    async def _look(self) -> None:
        said = await self._watch.look()
        if not self._watch.present:
            if not self._told_gone:
                gone = "the lesson's cluster does not run any more; Enter brings it up again"
                self._say(Said(tone=Tone.ODD, text=gone))
            self._told_gone = True
            return
        self._told_gone = False
        for each in said:
            self._say(each)
        step = self._guide.step
        if self._guide.done and step is not None:
            self._interrupt_prompt()
            lessonpage.why(step)
            await self._onward()

    async def _onward(self) -> None:
        following = self._guide.at + 1
        progress.keep(self._lesson.slug, Place(step=following))
        await self._to(following, from_elsewhere=False)

    async def _to(self, at: int, *, from_elsewhere: bool) -> None:
        self._guide.go(at)
        await self._bring(from_elsewhere)

    async def _bring(self, from_elsewhere: bool) -> None:
        """Bring the cluster to where the step begins, and show the step."""
        step = self._guide.step
        self._typed.clear()
        if step is None:
            return
        try:
            if from_elsewhere:
                await self._replay(self._guide.at)
            else:
                await asyncio.to_thread(self._stage.establish, step.needs, self._prepared)
            await self._watch.begin()
        except SandboxError as error:
            self._say(Said(tone=Tone.ODD, text=f"{error}; Enter tries again"))
            self._watch.present, self._told_gone = False, True
            return
        self._show(step)

    async def _replay(self, at: int) -> None:
        """What the step stands on: its own needs, or the last that were named and what came after."""
        # What earlier steps left running in the background would be there twice.
        await self._shell.close()
        self._shell = Shell(self._env, capture=False)
        steps = self._guide.steps
        first = next((i for i in range(at, -1, -1) if steps[i].needs is not None), 0)
        await asyncio.to_thread(self._stage.establish, steps[first].needs, self._prepared)
        await self._do_silently(steps[first:at])

    async def _do_silently(self, steps: tuple[Step, ...]) -> None:
        # Also of steps that are only looked at: they may set a variable.
        lines = [
            command.line for step in steps for command in step.commands if not command.interrupted
        ]
        if not lines:
            return
        self._busy = True
        try:
            await self._shell.run(_SILENT)
            for line in lines:
                self._prepared(f"$ {line}")
                await self._shell.run(line)
        finally:
            await self._shell.run(_ALOUD)
            self._busy = False

    async def _entered(self, step: Step) -> None:
        if not self._watch.present:
            await self._up_again()
        elif step.only_looked_at:
            self._guide.looked()
        else:
            await self._look()
            if self._guide.step is step:
                wanted = "; ".join(condition.text for condition in step.until)
                lessonpage.plain(f"not seen yet: {wanted}. hint helps, skip goes on.")

    async def _up_again(self) -> None:
        try:
            ready_s = await asyncio.to_thread(self._stage.up)
        except SandboxError as error:
            self._say(Said(tone=Tone.ODD, text=f"{error}; Enter tries again"))
            return
        if ready_s is not None:
            lessonpage.plain(f"cluster {self._lesson.cluster} ready in {ready_s:.2f} s")
        self._watch.present = True
        await self._bring(True)

    async def _run_next(self, step: Step) -> None:
        line = next((c.line for c in step.commands if c.line not in self._typed), None)
        if line is None:
            lessonpage.plain(
                "Every command of this step was typed; back does the one before again."
            )
            return
        lessonpage.typed(line)
        await self._command(line)

    async def _skip(self, step: Step) -> None:
        """The guide does the step, unless the next one starts from a state of its own."""
        steps, following = self._guide.steps, self._guide.at + 1
        if following < len(steps) and steps[following].needs is None:
            rest = tuple(c for c in step.commands if c.line not in self._typed)
            await self._do_silently((replace(step, commands=rest),))
        await self._onward()

    async def _command(self, line: str) -> None:
        word = line.split()[0]
        near = get_close_matches(word, WORDS, n=1)
        if near and word == line and shutil.which(word) is None:
            lessonpage.plain(f"did you mean {near[0]!r}? help lists what may be typed")
            return
        loop = asyncio.get_running_loop()
        # What is typed while it runs is the command's.
        loop.remove_reader(0)
        self._busy = True
        output.flush()
        try:
            await self._shell.run(line)
        except SandboxError as error:
            # An `exit` among other words.
            self._say(Said(tone=Tone.ODD, text=f"{error}; there is a new one"))
            await self._shell.close()
            self._shell = Shell(self._env, capture=False)
        finally:
            self._busy = False
            loop.add_reader(0, self._read)
        self._typed.add(line)
        step = self._guide.step
        if step is not None and {command.line for command in step.commands} <= self._typed:
            self._guide.looked()

    async def _finish(self) -> None:
        lessonpage.question(self._lesson)
        self._prompt()
        await self._lines.get()
        self._prompted = False
        lessonpage.answer(self._lesson)
        progress.keep(self._lesson.slug, Place(done=True))
        await asyncio.to_thread(self._stage.down, purge=True)
        output.line()
        output.line(f"lesson {self._lesson.number} is done; its cluster was removed")
        output.next_step("learn")

    async def _leave(self, left: _Left) -> None:
        self._interrupt_prompt()
        number, name = self._lesson.number, self._lesson.cluster
        if left.stop:
            output.line(f"stopping {name}; its data and your place are kept")
            output.flush()
            await asyncio.to_thread(self._stage.down)
        else:
            self._stage.release()
            output.line(f"{name} runs on; etcd-sandbox -c {name} down stops it")
        output.next_step(f"learn {number}")

    def _show(self, step: Step) -> None:
        self._interrupt_prompt()
        lessonpage.step_page(step, self._guide.at + 1, len(self._guide.steps))

    def _say(self, said: Said) -> None:
        self._interrupt_prompt()
        lessonpage.said(said)

    def _prepared(self, text: str) -> None:
        self._interrupt_prompt()
        lessonpage.prepared(text)

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

    def _signalled(self, number: signal.Signals) -> None:
        if number is not signal.SIGINT:
            # The terminal may be gone: nothing can be said.
            self._vanishing = asyncio.ensure_future(self._vanish(number))
        elif not self._busy:
            self._lines.put_nowait(None)

    async def _vanish(self, number: signal.Signals) -> None:
        await self._shell.close()
        # The cluster stops with this process.
        output.leave(128 + number)


def talks_to_a_terminal() -> bool:
    """Whether there is somebody to talk with."""
    return sys.stdin.isatty() and sys.stdout.isatty()

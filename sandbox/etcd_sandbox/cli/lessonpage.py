"""What a lesson looks like in the terminal: its introduction, its steps, its question, what is said of it."""

from __future__ import annotations

import os

from etcd_sandbox.cli import output
from etcd_sandbox.cli.cells import cells
from etcd_sandbox.cli.lessontext import markdown, width, wrapped
from etcd_sandbox.cli.output import FAINT, GOOD, ODD, STRONG, Painted
from etcd_sandbox.learn.guide import Said, Tone
from etcd_sandbox.learn.lesson import NAME_VARIABLE, Lesson, Step
from etcd_sandbox.learn.progress import Place
from etcd_sandbox.learn.shell import exported

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
        output.text(markdown(f"{lesson.intro}\n\n{lesson.see}"))
    else:
        plain(f"You left it at step {place.step + 1}; --again begins anew.")
    output.line()
    plain("Type the commands here, or in another terminal, where this names the lesson's cluster:")
    if home := os.environ.get("ETCD_SANDBOX_HOME"):
        _command(exported("ETCD_SANDBOX_HOME", home))
    _command(exported(NAME_VARIABLE, lesson.cluster))
    plain(
        "The guide watches the cluster and goes on when it shows that a step was done. "
        f"You may also type: {', '.join(WORDS)}, help."
    )


def step_page(step: Step, number: int, of: int) -> None:
    """A step, as far as it is shown before it was done."""
    output.line()
    _heading(f"{number} of {of} · {step.title}")
    if step.before:
        output.text(markdown(step.before))
        output.line()
    for command in step.commands:
        _command(command.line)
    if any(command.interrupted for command in step.commands):
        output.line(Painted("  (Ctrl-C ends it)", FAINT))
    if step.only_looked_at:
        output.line()
        output.line(Painted("Enter when you have looked.", FAINT))
    output.line()


def why(step: Step) -> None:
    """What is told once the step was done."""
    if step.after:
        output.text(markdown(step.after))


def hint(step: Step) -> None:
    """What helps with a step: its hint, and what was printed when the lesson was written."""
    plain(step.hint or "Type the command above, here or in another terminal.")
    output.line(Painted("It looks like this, with other figures:", FAINT))
    for command in step.commands:
        _command(command.line)
        for text in command.shown:
            output.line(Painted(f"  {text}", FAINT))


def question(lesson: Lesson) -> None:
    """The question, without its answer."""
    output.line()
    _heading("A question")
    output.text(markdown(lesson.question))
    output.line()
    output.line(Painted("Think, then press Enter for the answer.", FAINT))


def answer(lesson: Lesson) -> None:
    """Its answer, and what to read next."""
    output.text(markdown(lesson.answer))
    output.line()
    output.line(Painted("To read next", STRONG))
    output.text(markdown(lesson.reading))


def said(each: Said) -> None:
    """A sentence of the guide, with the way back where there is one."""
    mark, sgr = _MARKS[each.tone]
    for text in wrapped(each.text, mark):
        output.line(Painted(text, sgr))
    if each.remedy:
        output.line(f"  back to where you were: {each.remedy}")


def plain(text: str) -> None:
    """A sentence about the lesson itself."""
    for line in wrapped(text):
        output.line(line)


def prepared(text: str) -> None:
    """What the guide did by itself."""
    output.line(Painted(f"  {text}", FAINT))
    output.flush()


def typed(line: str) -> None:
    """A command that the guide types."""
    output.line(Painted(f"$ {line}", STRONG))


def words() -> None:
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
    output.line(Painted(begun + "─" * (width() - cells(begun)), STRONG))
    output.line()


def _command(line: str) -> None:
    output.line(Painted(f"  $ {line}", STRONG))

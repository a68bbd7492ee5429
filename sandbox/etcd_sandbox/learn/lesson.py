"""A lesson's Markdown as values: strict, so that a page that reads well is also one that can be run. Pure.

A page has, in this order: a title; comments with `minutes` and `etcd`, and with `begins` where the
cluster is upgraded from that series to the last; an introduction; a section on what will be seen; one
that brings the cluster up by hand; the steps; a question whose answer is folded away; what to read
next. A step is a section with one block of commands and a comment `until`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from etcd_sandbox.errors import InputError, did_you_mean
from etcd_sandbox.learn.condition import ENTER, Condition
from etcd_sandbox.learn.conditions import parse_condition, vocabulary
from etcd_sandbox.learn.needs import VOCABULARY as NEEDS
from etcd_sandbox.learn.needs import Ability, Needs, parse_abilities, parse_needs

Meant = TypeVar("Meant")

INTERRUPT = "^C"
"""As the last line of what is shown: the command runs on until Ctrl-C ends it."""

NAME_VARIABLE = "ETCD_SANDBOX_CLUSTER"

_PAGE_KEYS = ("minutes", "etcd", "begins")
_STEP_KEYS = ("needs", "can", "until", "hint", "etcd")
_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)
_ENTRY = re.compile(r"(\w+):\s*(.*)", re.DOTALL)
_SERIES = re.compile(r"\d+\.\d+")
_ANSWER = re.compile(
    r"<details>\s*<summary>(.*?)</summary>\s*(.*?)\s*</details>", re.DOTALL | re.IGNORECASE
)


class Command(Struct, frozen=True, kw_only=True):
    """A line to type, and what it is shown to print. `interrupted`: Ctrl-C ends it."""

    line: str
    shown: tuple[str, ...] = ()
    interrupted: bool = False


class Step(Struct, frozen=True, kw_only=True):
    """One thing to do. `before` and `after` are Markdown: what to look at, and why it happened.

    `etcd` are the series that it is for; empty for those of the whole lesson. Where the machine
    lacks something of `can`, it is passed over. `at` is its line.
    """

    title: str
    before: str
    commands: tuple[Command, ...]
    after: str
    until: tuple[Condition, ...]
    needs: Needs | None = None
    can: tuple[Ability, ...] = ()
    hint: str = ""
    etcd: tuple[str, ...] = ()
    at: int = 0

    @property
    def only_looked_at(self) -> bool:
        """It changes nothing that the cluster could show."""
        return any(condition.text == ENTER for condition in self.until)


class Lesson(Struct, frozen=True, kw_only=True):
    """A lesson. `number` and `slug` are its file's name; `up` are the options of `up` for its cluster.

    It can be done on any one of the series `etcd`; where it `begins` with a certain one, it needs all
    of them. `language` is that of its directory, empty for English.
    """

    number: int
    slug: str
    title: str
    minutes: int
    etcd: tuple[str, ...]
    intro: str
    see: str
    up: tuple[str, ...]
    steps: tuple[Step, ...]
    question: str
    answer: str
    reading: str
    begins: str = ""
    language: str = ""
    shown: str = ""

    @property
    def cluster(self) -> str:
        return f"learn-{self.number}"

    def steps_for(self, series: str) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if not step.etcd or series in step.etcd)


class _Section(Struct):
    title: str
    at: int
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def parse_lesson(text: str, name: str, *, shown: str = "", language: str = "") -> Lesson:
    """The lesson of one page; `name` is its file's (`02-electing-a-leader.md`), `shown` how to call it.

    Raises InputError with file and line for whatever could not be read or run.
    """
    shown = shown or name
    found = re.fullmatch(r"(\d\d)-([a-z0-9-]+)\.md", name)
    if found is None:
        raise InputError(
            "a lesson's file is called by number and words", shown, "02-electing-a-leader.md, say"
        )
    page = _Page(shown, int(found[1]))
    head, *sections = page.sections(text)
    if len(sections) < 5:
        raise page.error(
            "a lesson has at least five sections: what will be seen, how to bring the cluster up, "
            "a step, a question, what to read next",
            head.at,
        )
    see, begin, *steps, question, reading = sections
    comments, intro = page.comments(head, _PAGE_KEYS, ("minutes", "etcd"))
    minutes, minutes_at = comments["minutes"]
    if not minutes.isdecimal() or not 1 <= int(minutes) <= 60:
        raise page.error(f"minutes: {minutes!r} is no number from 1 to 60", minutes_at)
    answer = _ANSWER.search(question.text)
    if answer is None or question.text.count("<details>") != 1:
        raise page.error(
            "the last section but one is the question, with its answer folded away",
            question.at,
            "<details><summary>Answer</summary> … </details>",
        )
    series = page.series(*comments["etcd"])
    begins, begins_at = comments.get("begins", ("", 0))
    if begins and begins not in series[:-1]:
        raise page.error(
            f"begins: {begins!r} is none of the series before the last, {series[-1]}", begins_at
        )
    return Lesson(
        number=page.number,
        slug=found[2],
        title=head.title,
        minutes=int(minutes),
        etcd=series,
        begins=begins,
        intro=intro,
        see=see.text.strip(),
        up=page.up(begin),
        steps=page.steps(steps),
        question=question.text[: answer.start()].strip(),
        answer=answer[2],
        reading=reading.text.strip(),
        language=language,
        shown=shown,
    )


class _Page:
    """The page being read, for errors that name the place."""

    def __init__(self, shown: str, number: int) -> None:
        self.shown = shown
        self.number = number

    def error(self, what: str, at: int, hint: str = "") -> InputError:
        return InputError(what, f"{self.shown}:{at}", hint)

    def sections(self, text: str) -> list[_Section]:
        """The title's section, then one for each `##`; what is in a block of code is no heading."""
        found: list[_Section] = []
        fenced = False
        for at, line in enumerate(text.split("\n"), 1):
            fenced ^= line.startswith("```")
            heading = None if fenced else re.fullmatch(r"(#{1,2}) (.+)", line)
            if heading is not None:
                if (heading[1] == "#") is not (not found):
                    raise self.error(
                        "a page begins with one title (# …), then come sections (## …)", at
                    )
                found.append(_Section(heading[2].strip(), at))
            elif found:
                found[-1].lines.append(line)
            elif line.strip():
                raise self.error("a page begins with its title: # …", at)
        if fenced:
            raise self.error("a block of code is not closed", len(text.split("\n")), "```")
        if not found:
            raise self.error("the page is empty", 1)
        return found

    def comments(
        self, section: _Section, known: tuple[str, ...], wanted: tuple[str, ...]
    ) -> tuple[dict[str, tuple[str, int]], str]:
        """What the comments say, each with its line, and the section's text without them."""
        said: dict[str, tuple[str, int]] = {}
        for found in _COMMENT.finditer(section.text):
            at = section.at + 1 + section.text[: found.start()].count("\n")
            entry = _ENTRY.fullmatch(found[1])
            if entry is None or entry[1] not in known:
                hint = did_you_mean(entry[1] if entry else "", known, "known here")
                raise self.error(f"a comment says what is not known: {found[1]!r}", at, hint)
            if entry[1] in said:
                raise self.error(f"{entry[1]!r} is said twice", at)
            said[entry[1]] = (" ".join(entry[2].split()), at)
        for key in wanted:
            if key not in said:
                raise self.error(
                    f"{section.title!r} lacks its {key!r}", section.at, f"<!-- {key}: … -->"
                )
        rest = re.sub(r"\n{3,}", "\n\n", _COMMENT.sub("", section.text))
        return said, rest.strip()

    def series(self, text: str, at: int) -> tuple[str, ...]:
        words = tuple(text.split())
        if not words or not all(map(_SERIES.fullmatch, words)):
            raise self.error(f"etcd: {text!r} is no list of series", at, "<!-- etcd: 3.4 3.5 -->")
        return words

    def up(self, section: _Section) -> tuple[str, ...]:
        """The options of `up` in the section that brings the cluster up by hand."""
        commands, _, _ = self.console(section, section.text.strip())
        export = f"export {NAME_VARIABLE}=learn-{self.number}"
        lines = [command.line for command in commands]
        words = shlex.split(lines[-1]) if lines else []
        if len(lines) != 2 or lines[0] != export or words[:3] != ["etcd-sandbox", "up", "-d"]:
            raise self.error(
                "the second section brings the lesson's cluster up by hand, in two commands",
                section.at,
                f"$ {export} and $ etcd-sandbox up -d …",
            )
        return tuple(words[3:])

    def steps(self, sections: list[_Section]) -> tuple[Step, ...]:
        steps = tuple(self.step(section) for section in sections)
        if steps[0].can:
            raise self.error("the first step cannot be passed over", steps[0].at)
        for before, step in pairwise(steps):
            if not set(before.can) <= set(step.can) and step.needs is None:
                raise self.error(
                    f"{step.title!r} comes after a step that may be passed over, and stands on it",
                    step.at,
                    "<!-- needs: … --> says from what it starts",
                )
        return steps

    def step(self, section: _Section) -> Step:
        said, text = self.comments(section, _STEP_KEYS, ("until",))
        commands, before, after = self.console(section, text)
        needs = None
        if "needs" in said:
            needs = self.words(parse_needs, *said["needs"], known=NEEDS)
        until_text, until_at = said["until"]
        until = tuple(
            self.words(parse_condition, part, until_at, known=vocabulary())
            for part in until_text.split(";")
        )
        if any(each.text == ENTER for each in until) and len(until) > 1:
            raise self.error(
                "'enter' stands alone: it is for a step that changes nothing", until_at
            )
        return Step(
            title=section.title,
            before=before,
            commands=commands,
            after=after,
            until=until,
            needs=needs,
            can=self.words(parse_abilities, *said["can"], known=tuple(Ability))
            if "can" in said
            else (),
            hint=said["hint"][0] if "hint" in said else "",
            etcd=self.series(*said["etcd"]) if "etcd" in said else (),
            at=section.at,
        )

    def words(
        self, parse: Callable[[str], Meant], text: str, at: int, *, known: Iterable[str]
    ) -> Meant:
        try:
            return parse(text)
        except ValueError as error:
            raise self.error(str(error), at, f"known are: {'; '.join(known)}") from error

    def console(self, section: _Section, text: str) -> tuple[tuple[Command, ...], str, str]:
        """The commands of the one block of a section, and what stands before and behind it."""
        blocks = list(re.finditer(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
        if len(blocks) != 1:
            raise self.error(
                f"{section.title!r} has {len(blocks)} blocks of commands instead of one",
                section.at,
                "```console, then lines with $ and what they print",
            )
        block = blocks[0]
        commands: list[Command] = []
        for line in block[1].splitlines():
            if line.startswith("$ "):
                commands.append(Command(line=line[2:].strip()))
            elif not commands:
                raise self.error("a block of commands begins with a line '$ …'", section.at)
            elif commands[-1].interrupted:
                raise self.error(f"after {INTERRUPT} a command prints nothing", section.at)
            elif line.strip() == INTERRUPT:
                commands[-1] = replace(commands[-1], interrupted=True)
            else:
                commands[-1] = replace(commands[-1], shown=(*commands[-1].shown, line))
        if not commands:
            raise self.error("a block of commands has no line '$ …'", section.at)
        return tuple(commands), text[: block.start()].strip(), text[block.end() :].strip()

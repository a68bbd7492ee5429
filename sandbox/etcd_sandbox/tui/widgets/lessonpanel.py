"""A lesson beside the cluster: the step, what was seen of it, and what its commands printed."""

from __future__ import annotations

import os

from msgspec.structs import replace
from rich.text import Text
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Collapsible, Markdown, Static

from etcd_sandbox.learn.guide import Said, Tone
from etcd_sandbox.learn.lesson import NAME_VARIABLE, Lesson, Step
from etcd_sandbox.learn.shell import exported
from etcd_sandbox.tui.actions import Phase, Standing
from etcd_sandbox.tui.colours import FAINT, GOOD, ODD, STRONG
from etcd_sandbox.tui.text import printable
from etcd_sandbox.tui.widgets.outputpane import OutputPane

_MARKS = {Tone.SEEN: ("✓", GOOD), Tone.ODD: ("!", ODD), Tone.MENDED: ("✓", GOOD)}


class LessonPanel(VerticalScroll):
    """The page of a tutor: it grows until the next step is shown, with what came of the last on top.

    `left_at` is the number of the step at which the learner left it before.
    """

    DEFAULT_CSS = """
    LessonPanel { padding: 0 1; border: round $primary 60%; scrollbar-size-vertical: 1; }
    LessonPanel:focus { border: round $primary; }
    LessonPanel > * { height: auto; }
    LessonPanel Markdown { padding: 0; margin: 0; }
    LessonPanel > .head { margin: 1 0; text-style: bold; color: $text-primary; }
    LessonPanel > .spaced { margin-bottom: 1; }
    LessonPanel > OutputPane { max-height: 16; margin: 0 0 1 2; }
    LessonPanel > Collapsible { padding: 0; border: none; background: transparent; }
    """

    class Unfolded(Message):
        """The answer is to be seen."""

    class Stood(Message):
        """The lesson stands elsewhere: other keys make sense."""

    def __init__(self, lesson: Lesson, *, left_at: int | None, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._lesson = lesson
        self._left_at = left_at
        self._since: Widget | None = None
        """The first of what stays when the next step is shown."""
        self._left = True
        """The next that is told is that first."""
        self._output: OutputPane | None = None
        self.standing = Standing()
        self._title = f"Lesson {lesson.number}: {lesson.title}"
        self.border_title = Content(self._title)

    def on_mount(self) -> None:
        if self._left_at is None:
            self._put(Markdown(f"{self._lesson.intro}\n\n{self._lesson.see}"))
        else:
            left = f"You left it at step {self._left_at}; --again begins anew."
            self._put(Static(left, classes="spaced"))
        self._put(Static(_introduction(self._lesson)))
        self._subtitle()

    # What a tutor tells it.

    def clear(self) -> None:
        self.remove_children()
        self._since, self._left, self._output = None, True, None

    def show(self, step: Step, number: int, of: int) -> None:
        self._forget()
        self.border_title = Content(f"{self._title} · {number} of {of}")
        self._head(f"{number} of {of} · {step.title}")
        if step.before:
            self._put(Markdown(step.before))
        words = Text()
        for command in step.commands:
            words.append(f"$ {command.line}\n", STRONG)
            if command.interrupted:
                words.append("  (e once more ends it)\n", FAINT)
        if step.only_looked_at:
            words.append("\no when you have looked.\n", FAINT)
        self._put(Static(words))
        self.call_after_refresh(self.scroll_home, animate=False)

    def say(self, said: Said) -> None:
        """A sentence of the guide, with the way back where there is one."""
        if said.tone is Tone.SEEN:
            self._keep_from_here()
        mark, style = _MARKS[said.tone]
        words = Text(f"{mark} {printable(said.text)}", style)
        if said.remedy:
            words.append(f"\n  back to where you were: {printable(said.remedy)}", "")
        self._put(Static(words, classes="spaced"), in_view=True)
        if not self.display:
            self.notify(printable(said.text), title=f"Lesson {self._lesson.number}", markup=False)

    def why(self, step: Step) -> None:
        self._keep_from_here()
        if step.after:
            self._put(Markdown(step.after))
        self.stand(phase=Phase.PREPARING)

    def hint(self, step: Step) -> None:
        """What helps with a step: its hint, and what was printed when the lesson was written."""
        self._put(Markdown(step.hint or "Run the command above, here or in another terminal."))
        words = Text("It looks like this, with other figures:\n", FAINT)
        for command in step.commands:
            words.append(f"$ {command.line}\n", STRONG)
            words.append("".join(f"  {line}\n" for line in command.shown), FAINT)
        self._put(Static(words), in_view=True)

    def prepared(self, text: str) -> None:
        self._put(Static(Text(f"  {printable(text)}", FAINT)))

    def plain(self, text: str) -> None:
        self._put(Static(Text(printable(text)), classes="spaced"), in_view=True)

    def typed(self, line: str) -> None:
        self._output = None
        self._keep_from_here()
        self._put(Static(Text(f"$ {line}", STRONG)), in_view=True)

    def printed(self, data: bytes) -> None:
        if self._output is None:
            self._output = OutputPane()
            self._put(self._output)
        self._output.add(data)
        self.call_after_refresh(self._output.scroll_visible, animate=False)

    def question(self) -> None:
        self._forget()
        self.border_title = Content(self._title)
        self._head("A question")
        self._put(Markdown(self._lesson.question))
        answer = Markdown(self._lesson.answer)
        self._put(Collapsible(answer, title="Think, then o shows the answer"))
        self.call_after_refresh(self.scroll_home, animate=False)

    def answer(self) -> None:
        self.query_one(Collapsible).collapsed = False

    def stand(self, **changes: object) -> None:
        now = replace(self.standing, **changes)
        if now != self.standing:
            self.standing = now
            self._subtitle()
            self.post_message(self.Stood())

    def watch_show_vertical_scrollbar(self, _: bool) -> None:
        self._subtitle()

    def on_collapsible_expanded(self, event: Collapsible.Expanded) -> None:
        """By key or mouse: tell what to read next, once."""
        event.stop()
        event.collapsible.title = "The answer"
        if not self.query("#reading"):
            self._put(Static("To read next", classes="head", id="reading"))
            self._put(Markdown(self._lesson.reading))
            left = "The lesson is done: q leaves, and its cluster is removed."
            self._put(Static(Text(left, GOOD)))
            self.call_after_refresh(self.query_one(Collapsible).scroll_visible, top=True)
            self.post_message(self.Unfolded())

    def _subtitle(self) -> None:
        more = " · , . scroll" if self.show_vertical_scrollbar else ""
        self.border_subtitle = Content(f"{self.standing.words}{more}")

    def _head(self, text: str) -> None:
        self._put(Static(Text(text), classes="head"))

    def _put(self, widget: Widget, *, in_view: bool = False) -> None:
        if self._left:
            self._since, self._left = widget, False
        self.mount(widget)
        if in_view:
            self.call_after_refresh(widget.scroll_visible, animate=False)

    def _keep_from_here(self) -> None:
        if self._since is None:
            self._left = True

    def _forget(self) -> None:
        """What belongs to the step before, but for what came of it."""
        for widget in list(self.children):
            if widget is self._since:
                break
            widget.remove()
        self._since, self._left, self._output = None, False, None


def _introduction(lesson: Lesson) -> Text:
    words = Text("Use the dashboard's keys, or e, or another terminal where this was typed:\n")
    if home := os.environ.get("ETCD_SANDBOX_HOME"):
        words.append(f"$ {exported('ETCD_SANDBOX_HOME', home)}\n", STRONG)
    words.append(f"$ {exported(NAME_VARIABLE, lesson.cluster)}\n", STRONG)
    words.append("The guide watches the cluster and goes on when it shows that a step was done.")
    return words

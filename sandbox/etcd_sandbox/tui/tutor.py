"""A lesson within the dashboard: what its keys ask for, one after the other, shown by its panel."""

from __future__ import annotations

import asyncio

from etcd_sandbox.learn.course import Course, Words
from etcd_sandbox.learn.guide import Guide
from etcd_sandbox.learn.lesson import Lesson
from etcd_sandbox.learn.stage import Stage
from etcd_sandbox.learn.watch import Watch
from etcd_sandbox.tui.actions import Phase, Standing
from etcd_sandbox.tui.widgets.lessonpanel import LessonPanel

WORDS = Words(enter="o", hint="!", skip=">", back="<")


class Tutor:
    """One lesson with one learner, on its `page`. `go` runs it; keys are handed in by `wish`, with the ids of actions.

    `resumed`: it goes on where it was left.
    """

    def __init__(
        self,
        lesson: Lesson,
        stage: Stage,
        guide: Guide,
        *,
        resumed: bool,
        watch: Watch | None = None,
    ) -> None:
        self.guide = guide
        self.page = LessonPanel(lesson, left_at=guide.at + 1 if resumed else None, id="lesson")
        self._lesson = lesson
        self._stage = stage
        self._resumed = resumed
        self._watch = watch
        self._wishes: asyncio.Queue[str] = asyncio.Queue()
        self._task: asyncio.Task[object] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    @property
    def standing(self) -> Standing:
        return self.page.standing

    @property
    def done(self) -> bool:
        """Whether the learner came to the end, the answer included."""
        return self.standing.phase is Phase.DONE

    async def go(self) -> None:
        """Run the lesson until it is cancelled or `stop` ends it."""
        self._task = asyncio.current_task()
        self._course = Course(
            self._lesson,
            self._stage,
            self.guide,
            self.page,
            words=WORDS,
            printed=self.page.printed,
            watch=self._watch,
        )
        try:
            await self._course.open(resumed=self._resumed)
            self._settle()
            while True:
                await self._once()
        finally:
            # Both Textual and `stop` may cancel this, and the second must not cut the closing short.
            self._closing = asyncio.create_task(self._close())
            await asyncio.shield(self._closing)

    async def stop(self) -> None:
        """End, and leave nothing running in the lesson's shell."""
        if self._task is not None:
            if self._closing is None:
                self._task.cancel()
            await self._ended.wait()

    async def _close(self) -> None:
        try:
            await self._course.close()
        finally:
            self._ended.set()

    def wish(self, id_: str) -> None:
        """What the learner wants now."""
        step = self.guide.step
        if id_ == "lesson-hint" and step is not None:
            self.page.hint(step)
        elif id_ == "lesson-end":
            self._course.interrupt()
        else:
            self._wishes.put_nowait(id_)

    def unfolded(self) -> None:
        """The answer is seen, by whatever it was unfolded."""
        if self.standing.phase is Phase.QUESTION:
            self._course.answered()
            self.page.stand(phase=Phase.DONE)

    async def _once(self) -> None:
        """Wait for a wish or for news of the cluster, and act on it."""
        for asked in await self._course.wish_or_news(self._wishes):
            await self._heed(asked)
        if self.guide.step is not None:
            await self._course.look()
        self._settle()

    async def _heed(self, asked: str) -> None:
        match asked:
            case "lesson-next" if self.guide.step is None:
                self.page.answer()
            case "lesson-next":
                if not self._course.watch.present:
                    self._leave_step()
                await self._course.entered()
            case "lesson-run":
                self.page.stand(running=True)
                await self._course.run_next()
                self.page.stand(running=False)
            case "lesson-skip" | "lesson-back":
                self._leave_step()
                await (self._course.skip() if asked == "lesson-skip" else self._course.back())

    def _leave_step(self) -> None:
        self.page.clear()
        self.page.stand(phase=Phase.PREPARING)

    def _settle(self) -> None:
        """Say where the lesson stands once nothing is under way."""
        step = self.guide.step
        if step is not None:
            self.page.stand(
                phase=Phase.STEP,
                number=self.guide.at + 1,
                typed=self._course.next_line is None,
                only_looked_at=step.only_looked_at,
                present=self._course.watch.present,
            )
        elif self.standing.phase not in (Phase.QUESTION, Phase.DONE):
            self.page.question()
            self.page.stand(phase=Phase.QUESTION, number=self.guide.at + 1)

"""Who has which part of the screen, when it is painted, and whether the dashboard stood still itself. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.tui.store import Store
from etcd_sandbox.words.shown import span

CALM_TICKS = 3
"""While clients are served and nothing happens only every third time: each costs two milliseconds."""

NOTICED_S = 5.0
"""A shorter standstill is not worth a word."""

CAUGHT_UP_WITHIN_S = 10.0
"""Lines may be rare: after so long it has caught up, whatever the newest one's time is."""


class Standstill:
    """Looked at each time the dashboard would paint; times are in seconds."""

    def __init__(self) -> None:
        self._looked_s: float | None = None
        self._lines = 0
        self._lost = self._lost_before = 0
        self._stood_s = 0.0
        self._ended_s = 0.0
        self._ended_us = 0
        self._before: int | None = None

    def look(
        self, now_s: float, now_us: int, first: int, end: int, newest_us: int, lost: int = 0
    ) -> str:
        """What to say now; mostly nothing.

        `first` and `end` are the numbers of the oldest line that is kept and of the next to come,
        `lost` how many were rotated away before they were received, `newest_us` when the newest arrived at the supervisor, on the clock of `now_us`.
        """
        looked_s, self._looked_s = self._looked_s, now_s
        if looked_s is not None and now_s - looked_s >= NOTICED_S:
            self._stood_s, self._ended_s, self._ended_us = now_s - looked_s, now_s, now_us
            self._before = self._lines
            self._lost_before = self._lost
        self._lines, self._lost = end, lost
        if self._before is None:
            return ""
        caught_up = newest_us >= self._ended_us or now_s - self._ended_s >= CAUGHT_UP_WITHIN_S
        if not caught_up:
            return ""
        gone = lost - self._lost_before
        came, skipped = end - self._before + gone, max(0, first - self._before)
        self._before = None
        words = [f"stood still for {span(self._stood_s)}: {came:,} lines came"]
        words += [f"{skipped:,} of them only in the log files"] if skipped else []
        words += [f"{gone:,} rotated away unread"] if gone else []
        return ", ".join(words)


class Pace:
    """Decides at each tick of the dashboard whether to paint."""

    def __init__(self) -> None:
        self._news = True
        self._ticks = 0
        self._calm_of = (0, 0)

    def note_news(self) -> None:
        """The store has something new."""
        self._news = True

    def is_due(self, store: Store) -> bool:
        """Whether to paint what is new in the store now."""
        if not self._news:
            return False
        self._ticks += 1
        if self._is_calm(store) and self._ticks < CALM_TICKS:
            return False
        self._news, self._ticks = False, 0
        return True

    def _is_calm(self, store: Store) -> bool:
        """Whether clients were served as before, and nothing else is new."""
        before, self._calm_of = self._calm_of, (store.status_news, store.event_news)
        if before != self._calm_of or not store.buckets:
            return False
        return not store.members or store.buckets[-1].is_served


_Mode = TypeVar("_Mode", bound=StrEnum)


class Zoom(StrEnum):
    """What the logs have of the screen; the values are classes of its style."""

    NONE = "-shared"
    LOGS = "-logs-only"
    REST = "-no-logs"


class LessonRoom(StrEnum):
    """What the lesson has of the screen; the values are classes of its style."""

    SHARED = "-lesson-shared"
    WHOLE = "-lesson-whole"
    AWAY = "-lesson-away"


class Rooms(Struct, frozen=True, kw_only=True):
    """How the screen is shared; `lesson` is None where there is none."""

    zoom: Zoom = Zoom.NONE
    lesson: LessonRoom | None = None

    def logs_zoomed(self) -> Rooms:
        """The logs over the whole screen, then away, then as they were; a lesson gives way to them."""
        lesson = LessonRoom.SHARED if self.lesson is LessonRoom.WHOLE else self.lesson
        return replace(self, zoom=_following(self.zoom), lesson=lesson)

    def lesson_zoomed(self) -> Rooms:
        """The lesson over the whole screen, then away, then as it was; first of all into view."""
        if self.lesson is None:
            return self
        if self.zoom is not Zoom.NONE:
            return Rooms(lesson=LessonRoom.SHARED)
        return replace(self, lesson=_following(self.lesson))

    @property
    def classes(self) -> dict[str, bool]:
        """The classes of the screen's style, and whether it has them."""
        lesson = self.lesson if self.zoom is Zoom.NONE else None
        zooms = {mode.value: mode is self.zoom for mode in Zoom}
        return zooms | {room.value: room is lesson for room in LessonRoom}


def _following(mode: _Mode) -> _Mode:
    modes = list(type(mode))
    return modes[(modes.index(mode) + 1) % len(modes)]

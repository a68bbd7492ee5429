"""Who has which part of the screen, as far as keys change it: the logs, the lesson. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

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

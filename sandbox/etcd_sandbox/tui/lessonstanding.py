"""Where a lesson stands, and which of its keys make sense then. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from etcd_sandbox.tui.actions import Action


class Phase(StrEnum):
    """What the lesson is at."""

    PREPARING = "preparing"
    """The guide brings the cluster to where a step begins."""

    STEP = "step"
    QUESTION = "question"
    DONE = "done"


class Standing(Struct, frozen=True, kw_only=True):
    """`number`: of the step, from 1; behind the last where there is none. `running`: a command does.

    `typed`: every command of the step was run. `present`: the cluster could be asked.
    """

    phase: Phase = Phase.PREPARING
    number: int = 1
    running: bool = False
    typed: bool = False
    only_looked_at: bool = False
    present: bool = True

    @property
    def words(self) -> str:
        if self.running:
            return "a command runs · e ends it"
        match self.phase:
            case Phase.PREPARING:
                return "preparing the step …"
            case Phase.QUESTION:
                return "o shows the answer"
            case Phase.DONE:
                return "done · q leaves"
        if not self.present:
            return "the cluster is down · o brings it up"
        return "look, then o goes on" if self.only_looked_at else "watching the cluster"


def lesson_refusal(each: Action, now: Standing) -> str | None:
    """Why an action of the lesson makes no sense now; None when it does."""
    match each.id:
        case "lesson" | "lesson-up" | "lesson-down":
            return None
        case "lesson-end":
            return None if now.running else "no command runs"
        case "lesson-hint":
            return None if now.phase is Phase.STEP else _no_step(now)
    if now.running:
        return "a command runs"
    if now.phase in (Phase.PREPARING, Phase.DONE):
        return _no_step(now)
    match each.id:
        case "lesson-run" | "lesson-skip" if now.phase is Phase.QUESTION:
            return _no_step(now)
        case "lesson-run" if now.typed:
            return "every command of this step was run"
        case "lesson-back" if now.number <= 1:
            return "this is the first step"
    return None


def _no_step(now: Standing) -> str:
    if now.phase is Phase.PREPARING:
        return "the step is being prepared"
    return "the lesson is done" if now.phase is Phase.DONE else "there is no step any more"

"""When an action of the dashboard or of a lesson makes no sense, and why. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from etcd_sandbox.model.state import ClusterStatus, MemberStatus, ProcessState, ProcessStatus, Role
from etcd_sandbox.tui.actions import Action, Scope
from etcd_sandbox.tui.store import Store
from etcd_sandbox.verbs import Needs


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


def refusal(
    each: Action, store: Store, selected: str | None, lesson: Standing | None = None
) -> str | None:
    """Why the action makes no sense now; None when it does. `selected` is a process's name."""
    if each.scope is Scope.LESSON:
        return "no lesson is open" if lesson is None else lesson_refusal(each, lesson)
    if each.id == "writes":
        return _NO_ETCD if store.lacks_members else None
    if each.scope is Scope.SCREEN:
        return None
    if each.id == "logs-only":
        return None if selected is not None else _NOBODY
    if not store.connected or store.status is None:
        return "the supervisor does not answer"
    if each.scope is Scope.CLUSTER:
        return _refusal_of_cluster(each, store.status)
    found = store.entry(selected)
    return _NOBODY if found is None else _refusal_of(each, found, store.status)


def member_of(status: ClusterStatus | None, process: str | None) -> str | None:
    """The name of the member that a process is; None for one that is none."""
    members = status.members if status is not None else ()
    return next((member.name for member in members if member.process == process), None)


_NOBODY = "nothing is selected"
_NO_ETCD = "there is no etcd member"
_RUNS = (ProcessState.STARTING, ProcessState.RUNNING)


def _needs(each: Action) -> Needs | None:
    key = each.verb.key if each.verb is not None else None
    return key.needs if key is not None else None


def _refusal_of_cluster(each: Action, status: ClusterStatus) -> str | None:
    match each.id:
        case _ if _needs(each) is Needs.FAULT:
            return None if status.faults else "there is no fault"
        case "start-all":
            states = [member.state for member in status.members]
            states += [process.state for process in status.processes]
            return None if any(not state.alive for state in states) else "everything runs"
        case "ctl":
            return None if status.members else _NO_ETCD
    return None


def _refusal_of(
    each: Action, found: MemberStatus | ProcessStatus, status: ClusterStatus
) -> str | None:
    state, member = found.state, found if isinstance(found, MemberStatus) else None
    match _needs(each):
        case Needs.REST:
            return None if not state.alive else "it runs"
        case Needs.PAUSE:
            return None if state is ProcessState.PAUSED else "it is not paused"
        case Needs.RUN:
            return None if state in _RUNS else "it does not run"
        case Needs.LIFE:
            return None if state.alive else "it does not run"
        case Needs.LINKS | Needs.FOLLOWER if member is None:
            return "it is no member"
        case Needs.LINKS:
            return None if len(status.members) > 1 else "there is no other member"
        case Needs.FOLLOWER:
            assert member is not None
            if member.role is Role.LEADER and member.name == status.leader:
                return "it leads already"
            return None if state in _RUNS and member.role is Role.FOLLOWER else "it cannot lead now"
    return None

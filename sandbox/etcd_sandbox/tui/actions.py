"""What can be done from the dashboard: each action with its keys and its words, when it makes no sense, and why. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from etcd_sandbox.model.state import ClusterStatus, MemberStatus, ProcessState, ProcessStatus, Role
from etcd_sandbox.tui.store import Store
from etcd_sandbox.verbs import ON_DASHBOARD, VERBS, Key, Needs, Targets, Verb


class Scope(StrEnum):
    """What an action is about: the process that is selected, the cluster, the screen, or the lesson."""

    SELECTED = "selected process"
    CLUSTER = "cluster"
    SCREEN = "screen"
    LESSON = "lesson"


class Leave(StrEnum):
    """What becomes of the cluster when its dashboard is left."""

    STOP = "stop"
    RUNNING = "running"


class Action(Struct, frozen=True):
    """One thing to do; footer, help, palette and menu say it in these words.

    `key` is Textual's name of a key, or several with commas. Two actions may share a key where
    they never make sense at once. `verb` is what is ordered; None for what is done on the
    screen. `footer` is its rank among those that want a place in the footer; None for no place.
    """

    id: str
    key: str
    label: str
    help: str
    scope: Scope
    verb: Verb | None = None
    footer: int | None = None

    @property
    def keys_shown(self) -> str:
        """The keys as they are written for a reader: `i Enter`."""
        return keys_shown(self.key)


_SELECTED, _CLUSTER, _SCREEN, _LESSON = Scope


def _ordering(verb: Verb, key: Key | None, scope: Scope, suffix: str = "") -> Action:
    assert key is not None
    return Action(f"{verb}{suffix}", key.key, key.label, key.help, scope, verb, key.footer)


ACTIONS: tuple[Action, ...] = (
    *(_ordering(verb, verb.key, _SELECTED) for verb in ON_DASHBOARD),
    Action("details", "i,enter", "Details", "Show the selected process from near: command line, peers, metrics.", _SELECTED, footer=8),
    Action("logs-only", "l", "Logs", "Show only the logs of the selected process, or of all again.", _SELECTED, footer=10),
    *(_ordering(verb, verb.key, _CLUSTER) for verb in VERBS.values() if verb.targets is Targets.NONE),
    *(_ordering(verb, verb.key_of_all, _CLUSTER, "-all") for verb in VERBS.values() if verb.key_of_all),
    Action("ctl", "c", "etcdctl", "Run etcdctl on the cluster, or on the selected member.", _CLUSTER, footer=12),
    Action("writes", "w", "Writes", "Try writes, too, for the availability strip; each adds a revision.", _CLUSTER, footer=16),
    Action("zoom", "z", "Zoom logs", "Logs over the whole screen; away; as they were.", _SCREEN, footer=18),
    Action("menu", "space", "Menu", "Open the menu of the selected process.", _SCREEN, footer=17),
    Action("help", "question_mark,f1", "Help", "Show all keys.", _SCREEN, footer=6),
    Action("palette", "ctrl+p", "Palette", "Find and do anything by its name.", _SCREEN, footer=20),
    Action("theme", "T", "Theme", "Choose the colours, light or dark.", _SCREEN),
    Action("snapshot", "S", "Snapshot", "Save the screen as an SVG file.", _SCREEN, footer=19),
    Action("quit", "q", "Quit", "Leave; a cluster that belongs to this dashboard may run on.", _SCREEN, footer=9),
    Action("lesson-next", "o", "Go on", "Lesson: you have looked; see whether it was done; bring its cluster back; show the answer.", _LESSON, footer=-3),
    Action("lesson-run", "e", "Run", "Lesson: execute the step's next command in the lesson's shell.", _LESSON, footer=-2),
    Action("lesson-end", "e", "End", "Lesson: end the command that runs, as Ctrl-C does.", _LESSON, footer=-2),
    Action("lesson-hint", "exclamation_mark", "Hint", "Lesson: what helps with the step, and what it looks like.", _LESSON, footer=-1),
    Action("lesson-skip", "greater_than_sign", "Skip", "Lesson: pass the step over; the guide does what the next one needs.", _LESSON, footer=6),
    Action("lesson-back", "less_than_sign", "Back", "Lesson: to the step before.", _LESSON, footer=8),
    Action("lesson-up", "comma", "Page up", "Lesson: a page up.", _LESSON),
    Action("lesson-down", "full_stop", "Page down", "Lesson: a page down.", _LESSON),
    Action("lesson", "g", "Guide", "Lesson: over the whole screen; away; as it was.", _LESSON, footer=0),
)  # fmt: skip

_KEY_WORDS = {
    "slash": "/",
    "comma": ",",
    "exclamation_mark": "!",
    "full_stop": ".",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "pageup": "Page up",
    "pagedown": "Page down",
}
_NAMED = frozenset(
    {"space", "enter", "escape", "up", "down", "left", "right", "home", "end", "f1", "tab"}
)


def action(id_: str) -> Action:
    return next(each for each in ACTIONS if each.id == id_)


def keys_shown(key: str) -> str:
    """Textual's names of keys as they are written for a reader: `ctrl+s` is `Ctrl-S`."""
    return " ".join(map(_key_shown, key.split(",")))


def _key_shown(key: str) -> str:
    if key.startswith("ctrl+"):
        return f"Ctrl-{key.removeprefix('ctrl+').upper()}"
    return _KEY_WORDS.get(key) or (key.capitalize() if key in _NAMED else key)


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
            return None if status.faults or status.planned else "there is no fault"
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

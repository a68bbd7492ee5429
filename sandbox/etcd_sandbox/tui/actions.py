"""What can be done from the dashboard: each action with its keys and its words. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from etcd_sandbox.verbs import ON_DASHBOARD, VERBS, Targets, Verb


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


def _ordering(verb: Verb, scope: Scope) -> Action:
    key = verb.key
    assert key is not None
    return Action(verb.name, key.key, key.label, key.help, scope, verb, key.footer)


def _ordering_all(verb: Verb) -> Action:
    key = verb.key_of_all
    assert key is not None
    return Action(f"{verb}-all", key.key, key.label, key.help, _CLUSTER, verb, key.footer)


ACTIONS: tuple[Action, ...] = (
    *(_ordering(verb, _SELECTED) for verb in ON_DASHBOARD),
    Action("details", "i,enter", "Details", "Show the selected process from near: command line, peers, metrics.", _SELECTED, footer=8),
    Action("logs-only", "l", "Logs", "Show only the logs of the selected process, or of all again.", _SELECTED, footer=10),
    *(_ordering(verb, _CLUSTER) for verb in VERBS.values() if verb.targets is Targets.NONE),
    *(_ordering_all(verb) for verb in VERBS.values() if verb.key_of_all is not None),
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

"""What one verb declares: whom it takes, its options, how it settles, its words. Cheap to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, StrEnum
from typing import Any, NamedTuple, Protocol

LONGEST_DELAY_S = 60.0

Told = Mapping[str, Any]
"""An event's fields, or a fault as `status --json` shows it."""


class Hit(Protocol):
    """One process that a verb was for."""

    @property
    def name(self) -> str: ...
    @property
    def was_leader(self) -> bool: ...
    @property
    def done(self) -> bool: ...


class Outcome(Protocol):
    """What the sentences on a verb need of its verdict."""

    @property
    def targets(self) -> Sequence[str]: ...
    @property
    def versus(self) -> Sequence[str]: ...
    @property
    def processes(self) -> Sequence[Hit]: ...


class Targets(StrEnum):
    """Whom a verb takes."""

    PROCESSES = "one or more processes"
    SIDES = "two sides, the other one being everyone else by default"
    LINKS = "members whose links are meant, to the other side or to everybody"
    PAIR = "two members"
    MEMBER = "one member"
    NEW = "the name of a new member, or none"
    NONE = "the cluster"

    @property
    def has_sides(self) -> bool:
        """The verb acts on the links between two sides."""
        return self in (Targets.SIDES, Targets.LINKS, Targets.PAIR)

    @property
    def selected(self) -> bool:
        """The verb does nothing without a selector."""
        return self not in (Targets.NEW, Targets.NONE)


class Type(Enum):
    """What an option takes."""

    SPAN = "a span of time in seconds"
    SHARE = "a share of one"
    RATE = "bytes a second"
    CHOICE = "one of some words"
    COUNT = "a whole number"
    TEXT = "a text"
    SIGNAL = "a signal by name or number"
    SWITCH = "on or off"


class Option(NamedTuple):
    """An option that a verb has beside those of all verbs.

    `parameter` is its name in Python and in a request's body; `default` is as it is typed, and
    None where the option must be given, or, when it is `optional`, where None stands for "not given". A
    number without a default is more than 0; it is `most` at most, and `example` is one that makes sense. `choices` are the
    words of a choice.
    """

    flags: tuple[str, ...]
    parameter: str
    type: Type
    help: str
    default: str | bool | None = None
    metavar: str = ""
    show_default: bool = False
    most: float = LONGEST_DELAY_S
    optional: bool = False
    example: str = "200ms"
    choices: tuple[str, ...] = ()


class Fault(NamedTuple):
    """The words and signs of what a verb leaves broken until it is healed.

    `state` is a fault that is there, `applied` and `healed` are its events; `marks` are the signs of
    both on the dashboard, each with its word. `note` is what the dashboard says beside the state of a process that
    it hit. A fault that `passes` is over as soon as it was applied: there is nothing to heal.
    """

    state: Callable[[Told], str]
    applied: Callable[[Told], str] | None = None
    healed: Callable[[Told], str] | None = None
    marks: tuple[tuple[str, str], tuple[str, str]] = (("✂", "fault"), ("♥", "healed"))
    note: Callable[[Told], str] | None = None
    passes: bool = False


LONGEST_TIME_S = 86_400.0
"""How long a fault may last or be waited for, where that is said: a day."""

FOR = Option(
    ("--for",),
    "for_s",
    Type.SPAN,
    "Heal it by itself after this time.",
    metavar="SPAN",
    most=LONGEST_TIME_S,
    optional=True,
    example="30s",
)
AFTER = Option(
    ("--after",),
    "after_s",
    Type.SPAN,
    "Do it when this time is over; the command does not wait for that.",
    metavar="SPAN",
    most=LONGEST_TIME_S,
    optional=True,
    example="10s",
)


class Needs(StrEnum):
    """When a verb makes sense for what is selected on the dashboard."""

    REST = "the process rests"
    LIFE = "the process lives"
    RUN = "the process runs"
    PAUSE = "the process is paused"
    LINKS = "the process is one of several members"
    FOLLOWER = "the process is a member that could lead, and does not"
    FAULT = "the cluster has a fault"


class Key(NamedTuple):
    """A verb on the dashboard: its key and words; `footer` is the rank, `how` the options that it sends."""

    key: str
    label: str
    help: str
    footer: int
    needs: Needs
    how: Mapping[str, Any] = {}


class Verb(NamedTuple):
    """What can be done to selected processes, and between members.

    `summary` is the line in the list of commands, `help` what the command says of itself. `past` is
    the word for what was done, `tells` the sentence on one process, `says` the one on all of them.
    One of the options `any_of` has to say something, and just one of those of `one_of`. A verb that `draws` has a seed in any case, and says it. An `instant` verb is done before another one begins. A `silent` one is found out by the members when they
    hear nothing for the election timeout. `undone_by` and, after an option, `then` name the verbs
    that are most likely wanted next. `key` is for what is selected on the dashboard, or for the cluster,
    `key_of_all` for all processes at once. `python` is its name in Python where that of the command is taken there.
    """

    name: str
    summary: str
    help: str
    targets: Targets = Targets.PROCESSES
    options: tuple[Option, ...] = ()
    past: str = ""
    tells: str = "{past} {name} (pid {pid})"
    says: Callable[[Outcome, Told], str] | None = None
    instant: bool = False
    silent: bool = False
    changes_members: bool = False
    takes_strangers: bool = False
    undone_by: str = ""
    then: Mapping[str, str] = {}
    fault: Fault | None = None
    key: Key | None = None
    key_of_all: Key | None = None
    any_of: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    draws: bool = False
    python: str = ""

    def __str__(self) -> str:
        return self.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def identifier(self) -> str:
        """Its name in Python."""
        return self.python or self.name.replace("-", "_")

    @property
    def takes(self) -> tuple[Option, ...]:
        """Its own options, and those of time that every fault has."""
        if self.fault is None:
            return self.options
        return (*self.options, AFTER) if self.fault.passes else (*self.options, FOR, AFTER)


def leads(leader: str | None, targets: int) -> str:
    """What follows the sentence on a verb that hit the leader."""
    if leader is None:
        return ""
    return f"; {leader if targets > 1 else 'it'} was the leader"

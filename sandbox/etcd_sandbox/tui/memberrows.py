"""The cluster in words: its headline, its members and other processes in tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace
from rich.cells import cell_len

from etcd_sandbox.model.access import WANTS_USER
from etcd_sandbox.model.fault import Pair, Rule
from etcd_sandbox.model.state import (
    BootstrapStatus,
    ClusterStatus,
    MemberStatus,
    ProcessState,
    ProcessStatus,
    Quorum,
    Role,
)
from etcd_sandbox.tui.colours import BAD, FAINT, GOOD, ODD, PLAIN, STRONG, of_process
from etcd_sandbox.tui.linkrows import note_of, rules_in, words_for
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.text import Column, Line, Piece, fit, joined, printable, table, width_of
from etcd_sandbox.words import shown
from etcd_sandbox.words.shown import NOTHING, percent, size, span, word


def headline(store: Store) -> str:
    """Name, leader and term, quorum, faults; and whether the supervisor answers."""
    status = store.status
    if status is None:
        return f"{store.cluster} · {store.trouble or 'connecting'}"
    parts = [store.cluster]
    if status.members:
        parts.append(
            f"★ {status.leader}{shown.in_term(status.term)}" if status.leader else "no leader"
        )
        parts.append(_quorum(status.quorum))
        parts += shown.alarms((up.alarm, up.member) for up in status.alarms)
        if any(member.why == WANTS_USER for member in status.members):
            parts.append("authentication is on: --user NAME:PASSWORD")
        if status.elsewhere:
            parts.append(f"{len(status.elsewhere)} on etcd's list not run here")
        parts += status.notes
        parts += _bootstrap(status.bootstrap)
    else:
        running = sum(process.state.alive for process in status.processes)
        count = len(status.processes)
        parts.append(f"{running} of {count} process{'es' * (count != 1)} running")
    if status.faults:
        parts.append(f"{len(status.faults)} fault{'s' * (len(status.faults) > 1)}")
    if status.planned:
        parts.append(f"{len(status.planned)} to come")
    if not store.connected:
        parts.append(f"NOT CONNECTED: {store.trouble}")
    return " · ".join(parts)


def _quorum(quorum: Quorum) -> str:
    words = shown.quorum(**asdict(quorum))
    return words.replace("no quorum", "NO QUORUM").replace(f", {quorum.needed} needed", "")


def _bootstrap(bootstrap: BootstrapStatus) -> list[str]:
    """How the members found each other and what runs them, where that is not the usual."""
    words = []
    if bootstrap.lack:
        words.append(bootstrap.lack)
    elif (
        bootstrap.registered is not None
        and bootstrap.size is not None
        and len(bootstrap.registered) < bootstrap.size
    ):
        words.append(f"discovery: {len(bootstrap.registered)} of {bootstrap.size} registered")
    elif not bootstrap.way.is_list:
        words.append(f"by {bootstrap.way.value}")
    return [*words, *filter(None, [bootstrap.runtime.containers])]


LEADS = "★"

_ENDED = frozenset({ProcessState.EXITED, ProcessState.FAILED, ProcessState.BACKOFF})
_STATE_COLOURS = {
    ProcessState.RUNNING: GOOD,
    ProcessState.EXITED: BAD,
    ProcessState.FAILED: BAD,
    ProcessState.STOPPED: FAINT,
    ProcessState.REMOVED: FAINT,
}

_SIGN, _STATE = Column(head=" ", least=1), Column(head="STATE", least=9, squeezed=12)
_RUNNING = (
    Column(head="PID", least=7, right=True),
    Column(head="CPU", least=6, right=True, wanted=3),
    Column(head="MEMORY", least=9, right=True, wanted=4),
    Column(head="RESTARTS", right=True, wanted=8),
    Column(head="UPTIME", least=6, right=True, wanted=5),
)
_MEMBER_COLUMNS = (
    _SIGN,
    Column(head="MEMBER", squeezed=8),
    _STATE,
    Column(head="ROLE", least=9),
    Column(head="TERM", least=4, right=True),
    Column(head="HEALTH", least=9),
    Column(head="REVISION", right=True, wanted=1),
    Column(head="INDEX", least=9, right=True, wanted=2),
    Column(head="DB", least=9, right=True, wanted=7),
    Column(head="VERSION", wanted=6),
    *_RUNNING,
    Column(head="PROCESS", wanted=9),
)
_PROCESS_COLUMNS = (
    _SIGN,
    Column(head="PROCESS", squeezed=8),
    _STATE,
    *_RUNNING,
    Column(head="COMMAND", wanted=9, squeezed=8),
)


class TableLine(Struct, frozen=True):
    """One line of the tables; `process` is whom it is about, None for heads and empty lines."""

    line: Line
    process: str | None = None


def lines(status: ClusterStatus, width: int, *, old: bool = False) -> list[TableLine]:
    """The head, a line per member, and below them the other processes under a head of their own.

    `old` says in the heads that all this was so, and need not be so now.
    """
    members = [member.process for member in status.members]
    others = [process.name for process in status.processes]
    cells = [
        _process(process, i, note_of(process.name, status.faults))
        for i, process in enumerate(status.processes, len(members))
    ]
    shown: list[TableLine] = []
    for columns, names, rows in (
        (_MEMBER_COLUMNS, members, _members(status)),
        (_PROCESS_COLUMNS, others, cells),
    ):
        if names:
            head, lines = table(_dated(columns, old), rows, width)
            shown += [TableLine(())] if shown else []
            shown += [TableLine(head), *map(TableLine, lines, names)]
    return shown


def is_stale(member: MemberStatus, status: ClusterStatus) -> bool:
    """Whether it believes to lead while another one does, in a later term."""
    leads = member.role is Role.LEADER and not member.own_cluster
    return leads and member.name != status.leader


def role_words(member: MemberStatus, status: ClusterStatus) -> str:
    """A member's role; `leader (stale)` for one that was voted out and has not heard of it."""
    if member.role is None:
        return NOTHING
    return "leader (stale)" if is_stale(member, status) else member.role.value


def state_words(process: MemberStatus | ProcessStatus, links: str = "") -> str:
    """A process's state, how it ended, and what is wrong with its links: `running · cut off`."""
    words = process.state.value
    if process.exit is not None and process.state in _ENDED:
        words += f": {process.exit}"
    if links and process.state.alive:
        words += f" · {links}"
    return printable(words)


def _dated(columns: Sequence[Column], old: bool) -> Sequence[Column]:
    if not old:
        return columns
    return [columns[0], replace(columns[1], head=f"{columns[1].head} (old)"), *columns[2:]]


def _members(status: ClusterStatus) -> Sequence[Sequence[Piece]]:
    names = [member.name for member in status.members]
    rules = rules_in(status.faults)
    highest = max((member.raft_index or 0 for member in status.members), default=0)
    return [
        _member(member, status, i, ails_of(member, names, rules, status.faults), highest)
        for i, member in enumerate(status.members)
    ]


def _member(
    member: MemberStatus, status: ClusterStatus, index: int, links: str, highest: int
) -> list[Piece]:
    leads = member.role is Role.LEADER
    stale = is_stale(member, status)
    colour = of_process(index)
    health = " ".join(member.alarms) or (
        "healthy" if member.healthy else "unhealthy" if member.state.alive else NOTHING
    )
    good = member.healthy and not member.alarms
    return [
        (LEADS if leads else " ", FAINT if stale else colour),
        (printable(member.name), f"{STRONG} {colour}" if leads and not stale else colour),
        (state_words(member, links), ODD if links else _STATE_COLOURS.get(member.state, ODD)),
        (role_words(member, status), ODD if stale else STRONG if leads else PLAIN),
        (word(member.term), PLAIN),
        (health, GOOD if good else ODD if member.state.alive else PLAIN),
        (word(member.revision), PLAIN),
        (_index(member.raft_index, highest), PLAIN),
        (size(member.db_size_bytes), PLAIN),
        (printable(word(member.version)), PLAIN),
        *_running(member),
        (printable(member.process), FAINT),
    ]


def ails_of(
    member: MemberStatus,
    names: Iterable[str],
    rules: Mapping[Pair, Rule],
    faults: Iterable[Mapping[str, Any]],
) -> str:
    """What faults have made of a member and its links; empty if there is none."""
    words = (note_of(member.process, faults), words_for(member.name, names, rules))
    return " · ".join(filter(None, words))


def _index(raft_index: int | None, highest: int) -> str:
    if raft_index is None:
        return NOTHING
    return str(raft_index) if raft_index == highest else f"{raft_index} -{highest - raft_index}"


def _process(process: ProcessStatus, index: int, note: str) -> list[Piece]:
    return [
        (" ", PLAIN),
        (printable(process.name), of_process(index)),
        (state_words(process, note), _STATE_COLOURS.get(process.state, ODD)),
        *_running(process),
        (printable(process.command), FAINT),
    ]


def _running(entry: MemberStatus | ProcessStatus) -> list[Piece]:
    """What both tables have of a process: its pid, what it takes, its restarts, its age."""
    return [
        (word(entry.pid), PLAIN),
        (percent(entry.cpu_percent), PLAIN),
        (size(entry.rss_bytes), PLAIN),
        (str(entry.restarts), PLAIN),
        (span(entry.uptime_s), PLAIN),
    ]


DOWN, PAUSED, STARTING, SILENT, UNDECIDED, FOLLOWS, LEARNS = "†", "‖", "…", "?", "◇", "●", "○"

_NAME_CELLS = 20
_SYMBOLS = {
    Role.LEADER: LEADS,
    Role.FOLLOWER: FOLLOWS,
    Role.CANDIDATE: UNDECIDED,
    Role.LEARNER: LEARNS,
    Role.PROXY: LEARNS,
}


class Label(Struct, frozen=True):
    """How a member is named in the picture: a symbol and its name, and below what it is."""

    title: str
    words: str
    style: str
    words_style: str

    def width(self, rows: int) -> int:
        """Its cells when it takes that many rows."""
        title, words = cell_len(self.title), cell_len(self.words)
        return max(title, words) if rows == 2 else title + 1 + words


def symbol_and_words(member: MemberStatus, status: ClusterStatus) -> tuple[str, str]:
    """What a member is: its role while it answers, else why it does not."""
    if member.state is ProcessState.PAUSED:
        return PAUSED, "paused"
    if not member.state.alive:
        return DOWN, member.state.value
    if member.state is not ProcessState.RUNNING:
        return STARTING, member.state.value
    if member.role is None:
        return SILENT, "no answer"
    return _SYMBOLS[member.role], role_words(member, status)


def label_of(
    member: MemberStatus, index: int, status: ClusterStatus, rules: Mapping[Pair, Rule]
) -> Label:
    symbol, words = symbol_and_words(member, status)
    answers = member.state is ProcessState.RUNNING and member.role is not None
    if answers and member.term is not None and member.role in (Role.LEADER, Role.CANDIDATE):
        words += f" · term {member.term}"
    elif member.state.alive and words_for(member.name, _names(status), rules) == "cut off":
        words += " · cut off"
    colour = of_process(index)
    leads = member.role is Role.LEADER and not is_stale(member, status)
    if not member.state.alive:
        words_style = BAD
    else:
        words_style = PLAIN if answers and member.healthy and not member.alarms else ODD
    return Label(
        title=f"{symbol} {fit(printable(member.name), _NAME_CELLS)}",
        words=words,
        style=f"{STRONG} {colour}" if leads else colour,
        words_style=words_style,
    )


def listed_members(
    status: ClusterStatus, rules: Mapping[Pair, Rule], width: int, height: int
) -> list[Line]:
    """The members in words, as many on a line as fit; nothing if not all can be bootstrap."""
    lines: list[list[Piece]] = [[]]
    for index, member in enumerate(status.members):
        label = label_of(member, index, status, rules)
        links = words_for(member.name, _names(status), rules)
        if links and "cut off" not in label.words and member.state.alive:
            label = replace(label, words=f"{label.words} · {links}", words_style=ODD)
        if label.width(1) > width:
            label = replace(label, words=label.words.partition(" · ")[0])
        if label.width(1) > width:
            return []
        before = width_of(tuple(lines[-1]))
        if before and before + 2 + label.width(1) > width:
            lines.append([])
        elif before:
            lines[-1].append(("  ", ""))
        lines[-1] += [(f"{label.title} ", label.style), (label.words, label.words_style)]
    return [joined(line) for line in lines] if len(lines) <= height else []


def _names(status: ClusterStatus) -> list[str]:
    return [member.name for member in status.members]

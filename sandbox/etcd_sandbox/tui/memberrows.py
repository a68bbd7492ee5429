"""The members and the other processes as rows of text: what the tables of the dashboard say."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.model.state import ClusterStatus, MemberStatus, ProcessState, ProcessStatus, Role
from etcd_sandbox.tui.columns import Column, table
from etcd_sandbox.tui.linkrules import rules_in, words_for
from etcd_sandbox.tui.pieces import Line, Piece, printable
from etcd_sandbox.tui.widgets.colours import BAD, FAINT, GOOD, ODD, PLAIN, STRONG, of_process
from etcd_sandbox.words.shown import NOTHING, percent, size, span, word

LEADS = "★"

_ENDED = frozenset({ProcessState.EXITED, ProcessState.FAILED, ProcessState.BACKOFF})
_STATE_COLOURS = {
    ProcessState.RUNNING: GOOD,
    ProcessState.EXITED: BAD,
    ProcessState.FAILED: BAD,
    ProcessState.STOPPED: FAINT,
    ProcessState.REMOVED: FAINT,
}

_MEMBER_COLUMNS = (
    Column(head=" ", least=1),
    Column(head="MEMBER", squeezed=8),
    Column(head="STATE", least=9, squeezed=12),
    Column(head="ROLE", least=9),
    Column(head="TERM", least=4, right=True),
    Column(head="HEALTH", least=9),
    Column(head="REVISION", right=True, wanted=1),
    Column(head="INDEX", least=9, right=True, wanted=2),
    Column(head="DB", least=9, right=True, wanted=7),
    Column(head="VERSION", wanted=6),
    Column(head="PID", least=7, right=True),
    Column(head="CPU", least=6, right=True, wanted=3),
    Column(head="MEMORY", least=9, right=True, wanted=4),
    Column(head="RESTARTS", right=True, wanted=8),
    Column(head="UPTIME", least=6, right=True, wanted=5),
    Column(head="PROCESS", wanted=9),
)
_PROCESS_COLUMNS = (
    Column(head=" ", least=1),
    Column(head="PROCESS", squeezed=8),
    Column(head="STATE", least=9, squeezed=12),
    Column(head="PID", least=7, right=True),
    Column(head="CPU", least=6, right=True, wanted=1),
    Column(head="MEMORY", least=9, right=True, wanted=2),
    Column(head="RESTARTS", right=True, wanted=4),
    Column(head="UPTIME", least=6, right=True, wanted=3),
    Column(head="COMMAND", wanted=5, squeezed=8),
)


class TableLine(Struct, frozen=True):
    """One line of the tables; `process` is whom it is about, None for heads and empty lines."""

    line: Line
    process: str | None = None


def lines(status: ClusterStatus, width: int, *, old: bool = False) -> list[TableLine]:
    """The head, a line per member, and below them the other processes under a head of their own.

    `old` says in the heads that all this was so, and need not be so now.
    """
    shown: list[TableLine] = []
    if status.members:
        head, rows = table(_dated(_MEMBER_COLUMNS, old), _members(status), width)
        shown.append(TableLine(head))
        shown += [
            TableLine(row, member.process) for row, member in zip(rows, status.members, strict=True)
        ]
    if status.processes:
        if shown:
            shown.append(TableLine(()))
        first = len(status.members)
        cells = [_process(process, first + i) for i, process in enumerate(status.processes)]
        head, rows = table(_dated(_PROCESS_COLUMNS, old), cells, width)
        shown.append(TableLine(head))
        shown += [
            TableLine(row, process.name)
            for row, process in zip(rows, status.processes, strict=True)
        ]
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
        _member(member, status, i, words_for(member.name, names, rules), highest)
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
        (word(member.pid), PLAIN),
        (percent(member.cpu_percent), PLAIN),
        (size(member.rss_bytes), PLAIN),
        (str(member.restarts), PLAIN),
        (span(member.uptime_s), PLAIN),
        (printable(member.process), FAINT),
    ]


def _index(raft_index: int | None, highest: int) -> str:
    if raft_index is None:
        return NOTHING
    return str(raft_index) if raft_index == highest else f"{raft_index} -{highest - raft_index}"


def _process(process: ProcessStatus, index: int) -> list[Piece]:
    return [
        (" ", PLAIN),
        (printable(process.name), of_process(index)),
        (state_words(process), _STATE_COLOURS.get(process.state, ODD)),
        (word(process.pid), PLAIN),
        (percent(process.cpu_percent), PLAIN),
        (size(process.rss_bytes), PLAIN),
        (str(process.restarts), PLAIN),
        (span(process.uptime_s), PLAIN),
        (printable(process.command), FAINT),
    ]

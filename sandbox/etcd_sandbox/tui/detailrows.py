"""One process from near as lines of text: what it is, how it does, whom it sees. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import zip_longest

from msgspec import Struct, field

from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.state import ClusterStatus, Detail, Exit, MemberStatus, ProcessStatus, Role
from etcd_sandbox.tui.detailhistory import History
from etcd_sandbox.tui.figurerows import metric_lines, peer_lines
from etcd_sandbox.tui.linkrules import rules_in, words_for
from etcd_sandbox.tui.memberrows import LEADS, role_words, state_words
from etcd_sandbox.tui.pieces import Line, fit, joined, padded, printable, width_of
from etcd_sandbox.tui.specrows import labelled, spec_lines
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.widgets.colours import BAD, FAINT, PLAIN, STRONG, of_process
from etcd_sandbox.tui.wrapping import listed, wrapped
from etcd_sandbox.words import story
from etcd_sandbox.words.shown import percent, size, span

WIDE_FROM = 108
"""Columns from which there is room for two: 110 less the scrollbar."""

_BETWEEN = "  "
_RIGHT_SHARE = 0.56


class Near(Struct):
    """What is known of one process: the last answer, those before it, and why there is none now."""

    process: str
    detail: Detail | None = None
    history: History = field(default_factory=History)
    trouble: str = ""
    hint: str = ""


def draw(near: Near, store: Store, width: int) -> list[Line]:
    """The head line, and below it everything, in two columns where there is room."""
    found = store.entry(near.process)
    lines = [_head(near, store, found, width), *_now(near, store, found, width)]
    detail = near.detail
    if detail is None:
        return lines
    if width >= WIDE_FROM:
        right_width = int(width * _RIGHT_SHARE)
        left_width = width - right_width - len(_BETWEEN)
        if right := _how_it_does(near, detail, store, right_width):
            left = spec_lines(detail, left_width)
            return [*lines, (), *_side_by_side(left, right, left_width)]
    how = _how_it_does(near, detail, store, width)
    return [*lines, (), *how, *([()] if how else []), *spec_lines(detail, width)]


def command_line(detail: Detail) -> str:
    """The command as one line for a shell, exactly as it was executed."""
    return shlex.join(detail.argv)


def _head(near: Near, store: Store, found: MemberStatus | ProcessStatus | None, width: int) -> Line:
    known = store.names
    index = known.index(near.process) if near.process in known else 0
    words = [] if near.detail is None else [near.detail.state.value]
    title, star = printable(near.process), ""
    if found is not None:
        words = [state_words(found)]
    if isinstance(found, MemberStatus) and store.status is not None:
        members = [member.name for member in store.members]
        links = words_for(found.name, members, rules_in(store.status.faults))
        words = [state_words(found, links), *_says(found, store.status)]
        star = f"{LEADS} " if found.role is Role.LEADER else ""
        if found.name != found.process:
            title = f"{printable(found.name)} ({title})"
    if not store.connected:
        words.append("old: the supervisor does not answer")
    place = f" {index + 1} of {len(known)}" if near.process in known else ""
    name = fit(f" {star}{title}", width - len(place))
    rest = "".join(f" · {word}" for word in words)
    room = width - width_of(((name, PLAIN),)) - len(place)
    style = f"{STRONG} {of_process(index)}"
    return joined([(name, style), (padded(rest, room), STRONG), (place, FAINT)])


def _says(member: MemberStatus, status: ClusterStatus) -> Iterator[str]:
    if member.role is not None:
        yield role_words(member, status)
    if member.state.alive:
        yield "healthy" if member.healthy else "unhealthy"
    yield from member.alarms
    if member.why is not None:
        yield member.why


def _now(
    near: Near, store: Store, found: MemberStatus | ProcessStatus | None, width: int
) -> Iterator[Line]:
    """The figures of the table, the last exit, and what is wrong with asking."""
    if near.trouble:
        for row in wrapped(printable(f"! {near.trouble}"), width):
            yield ((row, BAD),)
        for row in wrapped(printable(near.hint), width) if near.hint else ():
            yield ((row, PLAIN),)
    elif near.detail is None:
        yield (("asking …", FAINT),)
    if found is not None:
        yield from (((row, PLAIN),) for row in listed(_figures(found), width))
    end = near.detail.exit if near.detail is not None else found.exit if found else None
    if end is not None:
        yield from labelled("last exit", _exit_words(end, near.process, store), width)
    detail = near.detail
    if detail is not None and detail.member is not None and detail.metrics is None:
        why = "it does not answer" if detail.state.alive else "it does not run"
        yield ((fit(f"no metrics and no peers: {why}", width), FAINT),)


def _figures(found: MemberStatus | ProcessStatus) -> Iterator[str]:
    told: list[tuple[str, object]] = []
    if isinstance(found, MemberStatus):
        told += [
            ("term", found.term),
            ("revision", found.revision),
            ("raft index", found.raft_index),
            ("applied", found.raft_applied_index),
            ("db", None if found.db_size_bytes is None else size(found.db_size_bytes)),
            ("version", found.version),
        ]
    told += [
        ("pid", found.pid),
        ("cpu", None if found.cpu_percent is None else percent(found.cpu_percent)),
        ("memory", None if found.rss_bytes is None else size(found.rss_bytes)),
        ("restarts", found.restarts),
        ("uptime", None if found.uptime_s is None else span(found.uptime_s)),
    ]
    for label, value in told:
        if value is not None:
            yield printable(f"{label} {value}")


def _exit_words(end: Exit, process: str, store: Store) -> str:
    moment = datetime.fromisoformat(end.ts).astimezone()
    words = f"{moment:%Y-%m-%d} {story.clock(end.ts)} · {end}"
    for told in reversed(store.events):
        fields = told.event.fields
        if told.event.kind is Kind.PROCESS_EXITED and fields.get("process") == process:
            if (fields.get("code"), fields.get("signal")) == (end.code, end.signal):
                words += " · expected" if fields.get("expected") else " · unexpected"
            break
    return printable(words)


def _how_it_does(near: Near, detail: Detail, store: Store, width: int) -> list[Line]:
    """Its metrics and its peers; nothing of what has never told any."""
    lines = metric_lines(detail.metrics, near.history, width)
    if detail.peers is not None and detail.member is not None:
        colours = {member.name: of_process(i) for i, member in enumerate(store.members)}
        trips = detail.metrics.peer_round_trips if detail.metrics is not None else {}
        own = detail.member.name
        peers = peer_lines(detail.peers, own, trips, near.history, colours, width)
        lines += [*([()] if lines else []), *peers]
    return lines


def _side_by_side(left: Sequence[Line], right: Sequence[Line], left_width: int) -> list[Line]:
    return [
        joined([*one, (" " * (left_width - width_of(one)) + _BETWEEN, PLAIN), *other])
        for one, other in zip_longest(left, right, fillvalue=())
    ]

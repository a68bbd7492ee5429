"""One process from near as lines of text: what it is, how it does, whom it sees. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import zip_longest

from msgspec import Struct, field

from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import MemberSpec
from etcd_sandbox.model.state import ClusterStatus, Detail, Exit, MemberStatus, ProcessStatus, Role
from etcd_sandbox.plan.shell import split
from etcd_sandbox.tui.colours import BAD, FAINT, PLAIN, STRONG, of_process
from etcd_sandbox.tui.figures import History, metric_lines, peer_lines
from etcd_sandbox.tui.linkrows import note_of, rules_in
from etcd_sandbox.tui.memberrows import LEADS, ails_of, role_words, state_words
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.text import Line, fit, joined, listed, padded, printable, width_of, wrapped
from etcd_sandbox.words import story
from etcd_sandbox.words.shown import percent, size, span

_GOES_ON = " \\"


def command_rows(argv: Sequence[str]) -> list[str]:
    """The words quoted for sh, a row for each flag with its value; all but the last row go on.

    The script of `sh -c` is unfolded as well where it is one simple command: a row's end there is
    one that the inner shell passes over.
    """
    groups: list[list[str]] = []
    for word in argv:
        if not groups or word.startswith("-"):
            groups.append([])
        groups[-1].append(word)
    if len(argv) == 3 and argv[1] == "-c":
        groups[-1] = ["-c", _unfolded(argv[2])]
    return f"{_GOES_ON}\n".join(shlex.join(group) for group in groups).split("\n")


def _unfolded(script: str) -> str:
    line = split(script)
    if line is None or not line.plain:
        return script
    text, at = "", 0
    for word in line.words[1:]:
        if word.text.startswith("-"):
            text += script[at : word.start].rstrip() + _GOES_ON + "\n"
            at = word.start
    return text + script[at:]


_LABEL_WIDTH = 11


def spec_lines(detail: Detail, width: int) -> list[Line]:
    """How it was executed, and of a member where it is reached and what it keeps where."""
    lines: list[Line] = [_title("COMMAND", width)]
    for number, row in enumerate(command_rows(detail.argv)):
        lines += indented(row, width, first=2 if number else 0, rest=4)
    lines += [(), _title("ENVIRONMENT over the supervisor's", width)]
    for name, value in detail.env.items():
        lines += indented(f"{name}={shlex.quote(value)}", width, first=0, rest=4)
    if detail.env_drop:
        lines += indented(f"without {' '.join(detail.env_drop)}", width, first=0, rest=4)
    if not detail.env and not detail.env_drop:
        lines.append((("nothing is laid over it", FAINT),))
    lines += [(), _title("PLACES", width), *labelled("runs in", detail.cwd, width)]
    if detail.member is not None:
        for label, text in _places(detail.member):
            lines += labelled(label, text, width)
    return lines


def _places(member: MemberSpec) -> Iterator[tuple[str, str]]:
    yield "data", member.data_dir
    if member.client_link is None:
        yield "client", member.client_url
    else:
        yield "client", f"{member.advertised_client_url}, a link"
        yield "behind it", f"{member.client_url}, the member's own listener"
    shown = {member.client_url, member.metrics_url}
    if member.link is None:
        yield "peer", member.peer_url
        yield "links", f"none: {member.no_link}" if member.no_link else "none"
        shown.add(member.peer_url)
    else:
        yield "peer", f"{member.peer_url}, a link"
        yield "behind it", f"{member.link.target_url}, the member's own listener"
        shown.add(member.link.target_url)
    if member.metrics_url:
        yield "metrics", member.metrics_url
    if others := [url for url in member.listen_urls if url not in shown]:
        yield "listens", " ".join(others)
    if member.id:
        yield "ID", member.id
    yield "token", member.token
    if member.etcd is not None:
        yield "etcd", f"{member.etcd.version} ({member.etcd.origin}), {member.etcd.path}"


def _title(text: str, width: int) -> Line:
    return ((fit(text, width), STRONG),)


def labelled(label: str, text: str, width: int) -> list[Line]:
    """A value behind its label, on as many rows as it takes."""
    rows = wrapped(printable(text), width - _LABEL_WIDTH)
    return [
        ((padded(label if number == 0 else "", _LABEL_WIDTH), FAINT), (row, PLAIN))
        for number, row in enumerate(rows)
    ]


def indented(text: str, width: int, *, first: int, rest: int) -> list[Line]:
    """The text, its first row indented by `first` cells and the others by `rest`."""
    rows = wrapped(printable(text), width - first, indent=rest - first)
    return [((f"{' ' * (rest if n else first)}{row}", PLAIN),) for n, row in enumerate(rows)]


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
    entry = store.entry(near.process)
    lines = [_head(near, store, entry, width), *_now(near, store, entry, width)]
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


def _head(near: Near, store: Store, entry: MemberStatus | ProcessStatus | None, width: int) -> Line:
    known = store.names
    index = known.index(near.process) if near.process in known else 0
    words = [] if near.detail is None else [near.detail.state.value]
    title, star = printable(near.process), ""
    if entry is not None:
        faults = store.status.faults if store.status is not None else ()
        words = [state_words(entry, note_of(entry.name, faults))]
    if isinstance(entry, MemberStatus) and store.status is not None:
        members = [member.name for member in store.members]
        ails = ails_of(entry, members, rules_in(faults), faults)
        words = [state_words(entry, ails), *_says(entry, store.status)]
        star = f"{LEADS} " if entry.role is Role.LEADER else ""
        if entry.name != entry.process:
            title = f"{printable(entry.name)} ({title})"
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
    near: Near, store: Store, entry: MemberStatus | ProcessStatus | None, width: int
) -> Iterator[Line]:
    """The figures of the table, the last exit, and what is wrong with asking."""
    if near.trouble:
        for row in wrapped(printable(f"! {near.trouble}"), width):
            yield ((row, BAD),)
        for row in wrapped(printable(near.hint), width) if near.hint else ():
            yield ((row, PLAIN),)
    elif near.detail is None:
        yield (("asking …", FAINT),)
    if entry is not None:
        yield from (((row, PLAIN),) for row in listed(_figures(entry), width))
    end = near.detail.exit if near.detail is not None else entry.exit if entry else None
    if end is not None:
        yield from labelled("last exit", _exit_words(end, near.process, store), width)
    detail = near.detail
    if detail is not None and detail.member is not None and detail.metrics is None:
        why = "it does not answer" if detail.state.alive else "it does not run"
        yield ((fit(f"no metrics and no peers: {why}", width), FAINT),)


def _figures(entry: MemberStatus | ProcessStatus) -> Iterator[str]:
    figures: list[tuple[str, object]] = []
    if isinstance(entry, MemberStatus):
        figures += [
            ("term", entry.term),
            ("revision", entry.revision),
            ("raft index", entry.raft_index),
            ("applied", entry.raft_applied_index),
            ("db", None if entry.db_size_bytes is None else size(entry.db_size_bytes)),
            ("version", entry.version),
        ]
    figures += [
        ("pid", entry.pid),
        ("cpu", None if entry.cpu_percent is None else percent(entry.cpu_percent)),
        ("memory", None if entry.rss_bytes is None else size(entry.rss_bytes)),
        ("restarts", entry.restarts),
        ("uptime", None if entry.uptime_s is None else span(entry.uptime_s)),
    ]
    for label, value in figures:
        if value is not None:
            yield printable(f"{label} {value}")


def _exit_words(end: Exit, process: str, store: Store) -> str:
    moment = datetime.fromisoformat(end.ts).astimezone()
    words = f"{moment:%Y-%m-%d} {story.clock(end.ts)} · {end}"
    for timed in reversed(store.events):
        fields = timed.event.fields
        if timed.event.kind is Kind.PROCESS_EXITED and fields.get("process") == process:
            if (fields.get("code"), fields.get("signal")) == (end.code, end.signal):
                words += " · expected" if fields.get("expected") else " · unexpected"
            break
    return printable(words)


def _how_it_does(near: Near, detail: Detail, store: Store, width: int) -> list[Line]:
    """Its metrics and its peers; nothing where none are known."""
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

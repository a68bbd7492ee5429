"""What a process is, as lines of text: its command, its environment, its places. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from etcd_sandbox.model.spec import MemberSpec
from etcd_sandbox.model.state import Detail
from etcd_sandbox.tui import commandrows
from etcd_sandbox.tui.pieces import Line, fit, padded, printable
from etcd_sandbox.tui.widgets.colours import FAINT, PLAIN, STRONG
from etcd_sandbox.tui.wrapping import wrapped

_LABEL_WIDTH = 11


def spec_lines(detail: Detail, width: int) -> list[Line]:
    """How it was executed, and of a member where it is reached and what it keeps where."""
    lines: list[Line] = [_title("COMMAND", width)]
    for number, row in enumerate(commandrows.rows(detail.argv)):
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
    yield "client", member.client_url
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

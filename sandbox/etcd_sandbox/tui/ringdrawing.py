"""The ring: the members of a cluster on an ellipse, and the links over which their messages pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import asdict
from rich.cells import cell_len

from etcd_sandbox.model.fault import Pair, Rule
from etcd_sandbox.model.state import ClusterStatus, MemberStatus, ProcessState, Role
from etcd_sandbox.tui.canvas import Canvas
from etcd_sandbox.tui.linkrules import delay_words, rules_in
from etcd_sandbox.tui.pieces import Line, Piece, fit, joined
from etcd_sandbox.tui.ringlabels import Label, label_of, listed
from etcd_sandbox.tui.ringplaces import Place, places_of
from etcd_sandbox.tui.widgets.colours import BAD, FAINT, GOOD, ODD, STRONG, of_process
from etcd_sandbox.words.shown import quorum as quorum_words

CUT = "✕"

LABELS_TOLD = 4
"""Up to so many slow links have their delay written beside them; more share one line below."""

MESH_UP_TO = 5
"""Larger clusters have too many links for one picture: only the leaders' and the broken are drawn."""

CUTS_DRAWN = 8
"""Of more cut links only those of the leaders are drawn: the others would hide them."""

_LEAST_WIDTH, _LEAST_HEIGHT = 24, 5


def draw(status: ClusterStatus, width: int, height: int) -> list[Line]:
    """The ring if there is room for it, else a list of the members, else nothing."""
    if not status.members or width < 1 or height < 1:
        return []
    rules = rules_in(status.faults)
    labels = [label_of(member, i, status, rules) for i, member in enumerate(status.members)]
    if width >= _LEAST_WIDTH and height >= _LEAST_HEIGHT:
        for rows in (2, 1):
            places = places_of([label.width(rows) for label in labels], rows, width, height - 1)
            if places is not None:
                return _ring(status, rules, labels, places, rows, (width, height))
    return listed(status, rules, width, height)


def shown_of(status: ClusterStatus) -> object:
    """All of a status that the picture depends on: while it is the same, so is the picture."""
    members = tuple(
        (one.name, one.state, one.role, one.term, one.healthy, one.follows)
        for one in status.members
    )
    return members, status.faults, status.quorum, status.leader


def _ring(
    status: ClusterStatus,
    rules: Mapping[Pair, Rule],
    labels: Sequence[Label],
    places: Sequence[Place],
    rows: int,
    size: tuple[int, int],
) -> list[Line]:
    width, height = size
    canvas = Canvas(width, height - 1)
    cut, slow = _draw_links(status, rules, places, canvas)
    for label, place in zip(labels, places, strict=True):
        for y in range(place.y, place.y + rows):
            canvas.text(place.x - 1, y, " " * (place.width + 2), "")
        title_x = place.x + (place.width - cell_len(label.title)) // 2
        if rows == 2:
            words_x = place.x + (place.width - cell_len(label.words)) // 2
            canvas.text(title_x, place.y, label.title, label.style)
            canvas.text(words_x, place.y + 1, label.words, label.words_style)
        else:
            canvas.text(place.x, place.y, label.title, label.style)
            words_x = place.x + cell_len(label.title) + 1
            canvas.text(words_x, place.y, label.words, label.words_style)
    for link in cut:
        _mark(canvas, *link.ends, CUT, f"{STRONG} {BAD}")
    delays = [link.rule for link in slow if link.rule is not None]
    if len(slow) <= LABELS_TOLD:
        for link, rule in zip(slow, delays, strict=True):
            _mark(canvas, *link.ends, f" {delay_words(rule)} ", ODD)
    return [*canvas.lines(), _legend(status, bool(cut), delays, width)]


_Spot = tuple[float, float]


class _Link(Struct, frozen=True):
    """One link between two members that run; `follows` is the index of the one that leads the other."""

    ends: tuple[_Spot, _Spot]
    rule: Rule | None
    follows: int | None
    of_leader: bool


def _draw_links(
    status: ClusterStatus,
    rules: Mapping[Pair, Rule],
    places: Sequence[Place],
    canvas: Canvas,
) -> tuple[list[_Link], list[_Link]]:
    """Draw the links, those to the leaders last; the cut and the slow ones, to be marked."""
    links = _links(status, rules, places)
    cut = [link for link in links if link.rule is not None and link.rule.cut]
    if len(cut) > CUTS_DRAWN and any(link.of_leader for link in cut):
        cut = [link for link in cut if link.of_leader]
    slow = [link for link in links if link.rule is not None and not link.rule.cut]
    for link in cut:
        canvas.line(*link.ends, f"{FAINT} {BAD}", every=4, gap=(0.35, 0.65))
    for link in slow:
        canvas.line(*link.ends, ODD, every=3)
    whole = [link for link in links if link.rule is None]
    if len(status.members) <= MESH_UP_TO:
        for link in whole:
            canvas.line(*link.ends, FAINT)
    for link in whole:
        if link.follows is not None:
            canvas.line(*link.ends, of_process(link.follows))
    return cut, slow


def _links(
    status: ClusterStatus, rules: Mapping[Pair, Rule], places: Sequence[Place]
) -> list[_Link]:
    links = []
    for i, one in enumerate(status.members):
        for j, another in enumerate(status.members[:i]):
            if not (_talks(one) and _talks(another)):
                continue
            follows = j if one.follows == another.name else None
            if another.follows == one.name:
                follows = i
            links.append(
                _Link(
                    ends=(places[i].middle, places[j].middle),
                    rule=rules.get((one.name, another.name)),
                    follows=follows,
                    of_leader=Role.LEADER in (one.role, another.role),
                )
            )
    return links


def _talks(member: MemberStatus) -> bool:
    return member.state is ProcessState.RUNNING


def _mark(canvas: Canvas, start: _Spot, end: _Spot, text: str, style: str) -> None:
    """Write on a link: in its middle, or as near to it as nothing else stands."""
    wide = cell_len(text)
    for share in (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74):
        x = round(start[0] + (end[0] - start[0]) * share - (wide - 1) / 2)
        y = round(start[1] + (end[1] - start[1]) * share)
        if canvas.is_free(x, y, wide):
            canvas.text(x, y, text, style)
            return


def _legend(status: ClusterStatus, cut: bool, slow: Sequence[Rule], width: int) -> Line:
    quorum = status.quorum
    words = quorum_words(**asdict(quorum))
    pieces: list[Piece] = [(words, GOOD if quorum.ok else f"{STRONG} {BAD}")]
    if cut:
        pieces.append((f"{CUT} cut", BAD))
    if slow:
        told = sorted({delay_words(rule) for rule in slow})
        pieces.append((f"┄ slow: {', '.join(told)}", ODD))
    line: list[Piece] = []
    room = width
    for text, style in pieces:
        shown = fit(f"  {text}" if line else text, room)
        line.append((shown, style))
        room -= cell_len(shown)
    return joined([(" " * (room // 2), ""), *line])

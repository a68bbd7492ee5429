"""The picture of a cluster: its members on an ellipse, and the links over which their messages pass. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import asdict
from rich.cells import cell_len

from etcd_sandbox.model.fault import Pair, Rule
from etcd_sandbox.model.state import ClusterStatus, ProcessState, Role
from etcd_sandbox.tui.colours import BAD, FAINT, GOOD, ODD, STRONG, of_process
from etcd_sandbox.tui.linkrows import rule_words, rules_in
from etcd_sandbox.tui.memberrows import Label, label_of, listed_members
from etcd_sandbox.tui.text import Line, Piece, fit, joined
from etcd_sandbox.words.shown import quorum as quorum_words

DOTS_WIDE, DOTS_HIGH = 2, 4
"""The dots of one cell: `⣿`."""

_BLANK = 0x2800
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot in a braille character, by row and column (Unicode, Braille Patterns)."""


class Canvas:
    """`width` × `height` cells; what lies outside is not drawn. Text covers dots."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._dots: dict[tuple[int, int], tuple[int, str]] = {}
        self._text: dict[tuple[int, int], tuple[str, str]] = {}

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        style: str,
        *,
        every: int = 1,
        gap: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """A straight line between the middles of two cells, of each `every`th dot.

        No dot is drawn between the two shares of the way in `gap`.
        """
        x0, y0 = ((start[0] + 0.5) * DOTS_WIDE, (start[1] + 0.5) * DOTS_HIGH)
        x1, y1 = ((end[0] + 0.5) * DOTS_WIDE, (end[1] + 0.5) * DOTS_HIGH)
        steps = max(1, round(max(abs(x1 - x0), abs(y1 - y0))))
        for step in range(0, steps + 1, every):
            share = step / steps
            if not gap[0] < share < gap[1]:
                self.dot(int(x0 + (x1 - x0) * share), int(y0 + (y1 - y0) * share), style)

    def dot(self, x: int, y: int, style: str) -> None:
        """One dot, counted in dots from the upper left; of two styles in a cell the later is taken."""
        cell = (x // DOTS_WIDE, y // DOTS_HIGH)
        bits, _ = self._dots.get(cell, (0, ""))
        self._dots[cell] = (bits | _BITS[y % DOTS_HIGH][x % DOTS_WIDE], style)

    def text(self, x: int, y: int, text: str, style: str) -> None:
        """Text whose first cell is at `x`, `y`."""
        for character in text:
            wide = cell_len(character)
            if x >= 0 and x + wide <= self.width and 0 <= y < self.height and wide:
                self._text[x, y] = (character, style)
                if wide == 2:
                    self._text[x + 1, y] = ("", style)
            x += wide

    def is_free(self, x: int, y: int, width: int) -> bool:
        """Whether a text of `width` cells would be inside and cover no other text."""
        return (
            x >= 0
            and x + width <= self.width
            and 0 <= y < self.height
            and not any((column, y) in self._text for column in range(x, x + width))
        )

    def lines(self) -> list[Line]:
        """What was drawn, line by line."""
        return [joined(self._cell(x, y) for x in range(self.width)) for y in range(self.height)]

    def _cell(self, x: int, y: int) -> tuple[str, str]:
        if (x, y) in self._text:
            return self._text[x, y]
        if (x, y) in self._dots:
            bits, style = self._dots[x, y]
            return chr(_BLANK | bits), style
        return " ", ""


_FLATNESSES = (3.2, 5.0, math.inf)
"""How many cells a ring may be wide for each that it is high, tried in turn; a circle has 2."""


class Place(Struct, frozen=True):
    """Where a label stands: the cell of its middle, and its first cell."""

    middle: tuple[float, float]
    x: int
    y: int
    width: int


def places_of(widths: Sequence[int], rows: int, width: int, height: int) -> list[Place] | None:
    """The places of labels that are so wide and `rows` high, the first at the top; None without room."""
    for flattest in _FLATNESSES:
        places = _places(widths, rows, width, height, flattest)
        if places is not None and not _overlap(places, rows):
            return places
    return None


def _places(
    widths: Sequence[int], rows: int, width: int, height: int, flattest: float
) -> list[Place] | None:
    across = (width - max(widths)) / 2
    down = (height - rows) / 2
    if across < 0 or down < 0:
        return None
    across = min(across, flattest * max(down, 1.5))
    places = []
    for (right, low), taken in zip(_corners(len(widths)), widths, strict=True):
        x = round((width - taken) / 2 + across * right)
        x, y = max(0, min(width - taken, x)), round((height - rows) / 2 + down * low)
        places.append(Place((x + (taken - 1) / 2, y + (rows - 1) / 2), x, y, taken))
    return places


def _overlap(places: Sequence[Place], rows: int) -> bool:
    """Whether two stand in each other's way; labels of two rows need one free between them."""
    apart = rows + 1 if rows > 1 else rows
    return any(
        abs(one.y - another.y) < apart
        and one.x <= another.x + another.width
        and another.x <= one.x + one.width
        for i, one in enumerate(places)
        for another in places[:i]
    )


def _corners(count: int) -> list[tuple[float, float]]:
    """The members on a circle, the first at the top, stretched so that they reach all four sides."""
    if count == 1:
        return [(0.0, 0.0)]
    if count == 2:
        return [(-1.0, 0.0), (1.0, 0.0)]
    angles = [2 * math.pi * i / count - math.pi / 2 for i in range(count)]
    rights, lows = [math.cos(angle) for angle in angles], [math.sin(angle) for angle in angles]
    return list(zip(_stretched(rights), _stretched(lows), strict=True))


def _stretched(values: Sequence[float]) -> list[float]:
    least, most = min(values), max(values)
    # Rounded, so that members at the same height stand in the same row.
    return [round(2 * (value - least) / (most - least) - 1, 6) for value in values]


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
    return listed_members(status, rules, width, height)


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
        if rows == 2:
            title_x = place.x + (place.width - cell_len(label.title)) // 2
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
            _mark(canvas, *link.ends, f" {rule_words(rule)} ", ODD)
    return [*canvas.lines(), _legend(status, cut, delays, width)]


_Spot = tuple[float, float]


class _Link(Struct, frozen=True):
    """One link between two members that run; `follows` is the index of the one that leads the other.

    The rule is that of the worse direction; `one_way`: the other one is not cut.
    """

    ends: tuple[_Spot, _Spot]
    rule: Rule | None
    one_way: bool
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
            if not one.state is another.state is ProcessState.RUNNING:
                continue
            follows = j if one.follows == another.name else None
            if another.follows == one.name:
                follows = i
            both = [rules.get((one.name, another.name)), rules.get((another.name, one.name))]
            better, worse = sorted(both, key=lambda rule: -1 if rule is None else rule.cut)
            links.append(
                _Link(
                    ends=(places[i].middle, places[j].middle),
                    rule=worse or better,
                    one_way=worse is not None and worse.cut and not (better and better.cut),
                    follows=follows,
                    of_leader=Role.LEADER in (one.role, another.role),
                )
            )
    return links


def _mark(canvas: Canvas, start: _Spot, end: _Spot, text: str, style: str) -> None:
    """Write on a link: in its middle, or as near to it as nothing else stands."""
    wide = cell_len(text)
    for share in (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74):
        x = round(start[0] + (end[0] - start[0]) * share - (wide - 1) / 2)
        y = round(start[1] + (end[1] - start[1]) * share)
        if canvas.is_free(x, y, wide):
            canvas.text(x, y, text, style)
            return


def _legend(status: ClusterStatus, cut: Sequence[_Link], slow: Sequence[Rule], width: int) -> Line:
    quorum = status.quorum
    words = quorum_words(**asdict(quorum))
    pieces: list[Piece] = [(words, GOOD if quorum.ok else f"{STRONG} {BAD}")]
    if cut:
        one_way = " one way" * all(link.one_way for link in cut)
        pieces.append((f"{CUT} cut{one_way}", BAD))
    if slow:
        ails = sorted({rule_words(rule) for rule in slow})
        late = all(rule.delay_s or rule.jitter_s for rule in slow)
        pieces.append((f"┄ {'slow: ' * late}{', '.join(ails)}", ODD))
    line: list[Piece] = []
    room = width
    for text, style in pieces:
        shown = fit(f"  {text}" if line else text, room)
        line.append((shown, style))
        room -= cell_len(shown)
    return joined([(" " * (room // 2), ""), *line])

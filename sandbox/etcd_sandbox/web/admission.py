"""Who and what is let in: the only thing between a network and a shell. Pure."""

from __future__ import annotations

import hmac
import re
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{1,5})?\Z", re.I)


class Door(Struct, frozen=True):
    """What opens it. `names`: the host names that the server may be asked for, in lower case.

    The token is the first part of every path, of the page, the websocket, files and downloads
    alike, and is nowhere else: a cookie would be sent by itself, to every port of this machine.
    """

    token: str
    names: frozenset[str] = frozenset({"localhost"})


class Knock(Struct, frozen=True):
    """A request: its path, and the headers Host and Origin as they came."""

    path: str
    host: str
    origin: str | None = None
    websocket: bool = False


def refusal(door: Door, knock: Knock) -> str | None:
    """Why the request is not let in, in words for who made it; None when it is."""
    if not _called_rightly(door, knock.host):
        return "this server does not go by that name: open the URL that etcd-sandbox printed"
    token = knock.path.removeprefix("/").partition("/")[0]
    if not hmac.compare_digest(token.encode(errors="replace"), door.token.encode()):
        return "open the whole URL that etcd-sandbox printed"
    if knock.origin is None:
        # Browsers always send it with a websocket, and not with a page that is opened.
        return "a websocket needs an Origin" if knock.websocket else None
    origin = urlsplit(knock.origin)
    if origin.scheme not in ("http", "https") or origin.netloc.lower() != knock.host.lower():
        return "another site may not use this server"
    return None


def _called_rightly(door: Door, host: str) -> bool:
    """Whether the Host header is an address or a name of ours.

    A site that has its own name point at this machine (DNS rebinding) has a name there. The port
    is not looked at: behind `ssh -L` it is another.
    """
    found = _HOST.match(host)
    if found is None:
        return False
    try:
        ip_address(found["v6"] or found["name"])
    except ValueError:
        return found["name"] is not None and found["name"].lower() in door.names
    return True


MOST_COLUMNS, MOST_ROWS = 1000, 500
"""A larger screen is nobody's, and would cost the dashboard its memory."""


class Typed(Struct, frozen=True):
    """Keys, or what was pasted."""

    text: str


class Resized(Struct, frozen=True):
    """How large the terminal in the page is now."""

    columns: int
    rows: int


class Pinged(Struct, frozen=True):
    """To be sent back."""

    word: str | int | float


class Looked(Struct, frozen=True):
    """The page has the keyboard now, or has not."""

    here: bool


Message = Typed | Resized | Pinged | Looked


def message_of(text: str) -> Message | None:
    """What the page says; None for what a newer page might say. Raises ValueError for anything else."""
    try:
        said = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
    match said:
        case ["stdin", str(keys)]:
            return Typed(keys)
        case ["resize", {"width": int(width), "height": int(height)}]:
            return Resized(*within(width, height))
        case ["ping", str(word) | int(word) | float(word)]:
            return Pinged(word)
        case ["blur", *_]:
            return Looked(here=False)
        case ["focus", *_]:
            return Looked(here=True)
        case [str(kind), *_] if kind not in ("stdin", "resize", "ping"):
            return None
    raise ValueError(f"no message of the page: {text[:80]!r}")


def within(columns: int, rows: int) -> tuple[int, int]:
    return min(max(columns, 1), MOST_COLUMNS), min(max(rows, 1), MOST_ROWS)

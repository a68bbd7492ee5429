"""Which names a process or member may have: each is a file's name and a word typed as a selector."""

from __future__ import annotations

import re
import unicodedata

from etcd_sandbox.errors import InputError
from etcd_sandbox.model.selector import ROLE_WORDS

OWN_NAME = "sandbox"
"""The prefix of the sandbox's own lines among those of the processes."""

_LENGTH_LIMIT = 63
_MARKS = "._-+@%=,#~"
_OF_LISTS = "=,"
"""A member's name stands in etcd's `--initial-cluster=NAME=URL,…`, and discovery makes such a list."""
_ALLOWED = f"use letters, digits and any of {' '.join(_MARKS)}, the first a letter, a digit or _"
_GENERATED = re.compile(r"infra([1-9][0-9]*)")


def check_name(name: str, where: str, kind: str = "process") -> None:
    """Raises InputError, placed at `where`, when `name` cannot name a process or member."""
    if not name:
        raise InputError(f"a {kind}'s name is empty", where, _ALLOWED)
    if name in ROLE_WORDS:
        raise InputError(
            f"{name!r} cannot name a {kind}: it selects processes by their role",
            where,
            f"choose a name that is none of {', '.join(ROLE_WORDS)}",
        )
    if name == OWN_NAME:
        raise InputError(
            f"{name!r} cannot name a {kind}: it marks etcd-sandbox's own lines",
            where,
            "choose another name",
        )
    if len(name) > _LENGTH_LIMIT:
        raise InputError(
            f"the {kind}'s name {name[:20]!r}… is longer than {_LENGTH_LIMIT} characters",
            where,
            "choose a shorter name",
        )
    if not (name[0].isalnum() or name[0] == "_") or not all(map(_is_of_names, name)):
        raise InputError(f"{name!r} cannot name a {kind}", where, _ALLOWED)
    if kind == "member" and set(name) & set(_OF_LISTS):
        raise InputError(
            f"{name!r} cannot name a member: etcd's list of members is written NAME=URL,NAME=URL",
            where,
            "leave out '=' and ','",
        )


def names_a_process(name: str) -> bool:
    """Whether a process may be called so."""
    try:
        check_name(name, "")
    except InputError:
        return False
    return True


def _is_of_names(letter: str) -> bool:
    """Some accents and vowel signs (category M) have no letter that they are composed into."""
    return letter.isalnum() or letter in _MARKS or unicodedata.category(letter).startswith("M")


def process_name(member: str) -> str:
    """The name of the process that runs a generated member: `etcd1` for `infra1`.

    Any other member's process is called as the member.
    """
    numbered = _GENERATED.fullmatch(member)
    return f"etcd{numbered[1]}" if numbered else member

"""What a program has asked of a terminal and not taken back, read from the bytes that it painted."""

from __future__ import annotations

import re

_MODE = re.compile(rb"\x1b\[(?:\?([\d;]+)([hl])|>\d+u()|<u)")
_ON_BY_NATURE = {7: "lines wrap", 25: "the cursor is shown"}
OTHER_SCREEN = 1049


def asked_for(painted: bytes) -> bytes:
    """The sequences that set modes, without all else that was painted."""
    return b"".join(match[0] for match in _MODE.finditer(painted))


def leftovers(painted: bytes | bytearray) -> list[str]:
    """One entry for each mode that is not as before, and for what was undone but never done.

    Of modes, those that are set once and reset twice do no harm; leaving the other screen twice
    moves the cursor back, and taking keys twice from the stack takes those of the shell. The other
    screen is the program's own: nobody else's keys are on its stack, and entering it again is nothing.
    """
    modes: dict[int, bool] = {}
    pushed = {True: 0, False: 0}  # each screen has a stack of its own
    other_screen = False
    found = []
    # A copy: what is searched cannot grow, and the terminal may still be painted on.
    for match in _MODE.finditer(bytes(painted)):
        numbers, how, _ = match.groups()
        if numbers is None:
            if match[0].startswith(b"\x1b[>"):
                pushed[other_screen] += 1
            elif pushed[other_screen]:
                pushed[other_screen] -= 1
            elif not other_screen:
                found.append("keys: taken from the stack, but never put there")
            continue
        for number in map(int, numbers.split(b";")):
            on = how == b"h"
            if number == OTHER_SCREEN:
                if not on and not other_screen:
                    found.append("the other screen is left twice")
                other_screen = on
            modes[number] = on
    found += [f"keys: {n} on the stack" for n in pushed.values() if n > 0]
    for number, on in sorted(modes.items()):
        if on != (number in _ON_BY_NATURE):
            found.append(f"?{number}{'h' if on else 'l'}")
    return found

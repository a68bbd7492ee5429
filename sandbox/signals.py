"""Signals by name and number, in the spellings that people type."""

from __future__ import annotations

import signal

from sandbox.errors import InputError


def signal_number(text: str) -> int:
    """The number for `SIGKILL`, `kill`, `9`; InputError for what is no signal here."""
    name = text.strip().upper()
    try:
        if name.isdigit():
            return int(signal.Signals(int(name)))
        return int(signal.Signals[name if name.startswith("SIG") else f"SIG{name}"])
    except (KeyError, ValueError):
        raise InputError(
            f"{text!r} is no signal", hint="use a name (TERM, SIGKILL) or a number"
        ) from None

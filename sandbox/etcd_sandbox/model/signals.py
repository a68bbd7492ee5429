"""How signals are typed: `KILL`, `sigkill`, `9`."""

from __future__ import annotations

import signal

from etcd_sandbox.errors import InputError, shortened
from etcd_sandbox.model.suggest import nearest


def signal_name(text: str) -> str:
    """The full name (`SIGKILL`) of a signal given by name or number. Raises InputError."""
    word = text.strip().upper()
    if word.isdecimal():
        known = {str(each.value): each.name for each in signal.Signals}
        if word in known:
            return known[word]
        raise InputError(f"there is no signal {shortened(text)}", hint="kill -l lists them")
    name = word if word.startswith("SIG") else f"SIG{word}"
    if name not in signal.Signals.__members__:
        near = nearest(name, signal.Signals.__members__)
        hint = f"did you mean {near}?" if near else "kill -l lists them"
        raise InputError(f"there is no signal {shortened(text)!r}", hint=hint)
    return signal.Signals[name].name


def signal_number(text: str) -> int:
    """The number of a signal given by name or number. Raises InputError."""
    return signal.Signals[signal_name(text)].value

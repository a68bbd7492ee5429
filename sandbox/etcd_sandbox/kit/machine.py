"""Which machines a kit is for: their system, processor and Pythons. Pure, but for the look at this one."""

from __future__ import annotations

import platform
import re
import sys

from msgspec import Struct

from etcd_sandbox.errors import InputError
from etcd_sandbox.model.suggest import did_you_mean

OLDEST_PYTHON = (3, 11)

_MANYLINUX = ("manylinux_2_28_{0}", "manylinux_2_17_{0}", "manylinux2014_{0}", "linux_{0}")
_KNOWN = {
    "linux-x86_64": ("Linux", "x86_64", _MANYLINUX),
    "linux-aarch64": ("Linux", "aarch64", _MANYLINUX),
    "macos-arm64": ("Darwin", "arm64", ("macosx_11_0_{0}",)),
    "macos-x86_64": ("Darwin", "x86_64", ("macosx_11_0_{0}",)),
}
KINDS = tuple(_KNOWN)
"""What a kit can be made for, wherever it is made."""

_PYTHON = re.compile(r"(\d{1,2})\.(\d{1,3})", re.ASCII)


class Machine(Struct, frozen=True, kw_only=True):
    """A kind of machine. `system` and `processor` are the words of `uname -s` and `uname -m`.

    `tags` are pip's names for it, empty for this machine, which pip knows by itself.
    """

    system: str
    processor: str
    pythons: tuple[str, ...]
    tags: tuple[str, ...] = ()

    @property
    def is_this_one(self) -> bool:
        """Programs of this machine run there, too."""
        return not self.tags

    @property
    def words(self) -> str:
        """As it is told: `Linux x86_64 with Python 3.11`."""
        return f"{self.system} {self.processor} with Python {' or '.join(self.pythons)}"


def machine(kind: str = "", pythons: tuple[str, ...] = ()) -> Machine:
    """The machine that is asked for; by default one like this, with a Python like this.

    Raises InputError for a kind that is not known, and for a Python that is too old.
    """
    for python in pythons:
        found = _PYTHON.fullmatch(python)
        if found is None or (int(found[1]), int(found[2])) < OLDEST_PYTHON:
            oldest = ".".join(map(str, OLDEST_PYTHON))
            raise InputError(
                f"{python!r} is no version of Python from {oldest} on", hint="3.12, say"
            )
    chosen = tuple(dict.fromkeys(pythons)) or (f"{sys.version_info[0]}.{sys.version_info[1]}",)
    here = platform.system(), platform.machine()
    if not kind:
        return Machine(system=here[0], processor=here[1], pythons=chosen)
    if kind not in _KNOWN:
        raise InputError(
            f"{kind!r} is no kind of machine", hint=did_you_mean(kind, KINDS, "known are")
        )
    system, processor, tags = _KNOWN[kind]
    return Machine(
        system=system,
        processor=processor,
        pythons=chosen,
        tags=() if (system, processor) == here else tuple(tag.format(processor) for tag in tags),
    )

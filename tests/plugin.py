"""The project's own pytest plugin, also where the tests run without the project being installed."""

from __future__ import annotations

from importlib.metadata import entry_points

MODULE = "etcd_sandbox.pytest_plugin"


def by_hand() -> list[str]:
    """The modules that pytest must be told to load: none where an installed one is loaded by itself."""
    installed = any(entry.value == MODULE for entry in entry_points(group="pytest11"))
    return [] if installed else [MODULE]

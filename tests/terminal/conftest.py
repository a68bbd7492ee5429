"""Terminals for the commands of a test; they go with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from tests import etcd_versions
from tests.conftest import SandboxCommand
from tests.terminal.pseudoterminal import PseudoTerminal
from tests.terminal.screen import Screen


@pytest.fixture
def newest_etcd(sandbox_command: SandboxCommand) -> None:
    """The newest etcd of this machine is what the test's commands run."""
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_versions.need().path


@pytest.fixture
def screen_of(
    sandbox_command: SandboxCommand, newest_etcd: None
) -> Iterator[Callable[..., Screen]]:
    """Opens commands in terminals of their own (tmux)."""
    if shutil.which("tmux") is None:
        etcd_versions.lacking("tmux is not installed")
    opened: list[Screen] = []

    def open_(*args: str, **how: int) -> Screen:
        opened.append(Screen(sandbox_command, *args, **how))
        return opened[-1]

    yield open_
    for screen in opened:
        screen.close()


@pytest.fixture
def terminal_of(sandbox_command: SandboxCommand) -> Iterator[Callable[..., PseudoTerminal]]:
    """Opens commands in pseudo terminals whose bytes are kept."""
    opened: list[PseudoTerminal] = []

    def open_(*args: str, **how: object) -> PseudoTerminal:
        opened.append(PseudoTerminal(sandbox_command, *args, **how))  # type: ignore[arg-type]
        return opened[-1]

    yield open_
    for terminal in opened:
        terminal.close()

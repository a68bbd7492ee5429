"""Commands run in this process, each test in a home of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from etcd_sandbox.cli.main import run


@pytest.fixture(autouse=True)
def _in_a_home_of_its_own(home: Path) -> None:
    """No command may see this machine's clusters."""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs one command line in this process."""

    def go(*args: str) -> Ran:
        capfd.readouterr()
        code = run(list(args))
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return go

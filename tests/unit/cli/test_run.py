"""What `run` says before it begins, and does with signals at the worst moment."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from etcd_sandbox.cli import up
from etcd_sandbox.cli.up import _forwarded

from tests.unit.cli.conftest import Ran


def test_a_signal_that_comes_while_the_command_is_executed_reaches_the_command() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with _forwarded() as to:
        command = subprocess.Popen(["sleep", "600"])
        os.kill(os.getpid(), signal.SIGTERM)
        to(command)
        assert command.wait() == -signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(("version", "risky"), [("3.5.1", True), ("3.5.21", False)])
def test_an_etcd_that_may_lose_data_is_named_as_by_up(
    version: str,
    risky: bool,
    tmp_path: Path,
    cli: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    etcd = tmp_path / "etcd"
    etcd.write_text(f"#!/bin/sh\necho etcd Version: {version}\n")
    etcd.chmod(0o755)
    monkeypatch.setattr(up, "_run_command", lambda *_: 0)
    ran = cli("run", "-n", "1", "--etcd", str(etcd), "--", "true")
    assert ran.code == 0, ran.err
    assert ("can lose committed entries" in ran.err) == risky

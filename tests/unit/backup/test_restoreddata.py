"""The tools that make the data of restored members, and an interrupt at the worst moment."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from etcd_sandbox.backup.restoring import Restoration, restored_data
from etcd_sandbox.paths import cluster_paths


def test_an_interrupt_right_after_a_tool_was_started_leaves_no_tool(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = cluster_paths("default")
    members = [SimpleNamespace(name=f"infra{n}", data_dir=f"{paths.data}/infra{n}") for n in (1, 2)]
    restoration = SimpleNamespace(
        members=members,
        facts=SimpleNamespace(size_bytes=0),
        command=lambda index, place: ["sleep", "600"],
    )
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **how: Any) -> None:
            super().__init__(*args, **how)
            started.append(self)
            if len(started) == len(members):
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt), restored_data(cast(Restoration, restoration), paths):
        pass
    assert [tool.returncode for tool in started] == [-signal.SIGKILL] * len(members)
    assert not paths.root.exists()

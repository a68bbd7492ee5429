"""A container engine that answers from a table."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

Answer = tuple[int, str, str]


@dataclass
class FakeEngine:
    """`answers` by the words after the program's: all that are given must be among them, in order."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    def run(self, command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        words = list(command)[1:]
        self.asked.append(words)
        for key, (code, out, complaint) in self.answers.items():
            remaining = iter(words)
            if all(word in remaining for word in key.split()):
                return subprocess.CompletedProcess(command, code, out.encode(), complaint.encode())
        raise AssertionError(f"nobody expected {words}")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """What every engine's program is in this test."""
    engine = FakeEngine()
    monkeypatch.setattr("subprocess.run", engine.run)
    monkeypatch.setattr("shutil.which", lambda name, *_, **__: f"/usr/bin/{name}")
    return engine

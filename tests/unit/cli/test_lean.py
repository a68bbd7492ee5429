"""The lean way of the commands used most: it understands no line otherwise than click does."""

from __future__ import annotations

from itertools import product

import pytest
from etcd_sandbox.cli import dashboard, main, settings, status

EVERYDAY = ["", "-c two", "--cluster two -q", "--json --no-color", "-v", "-c three -c two --quiet"]
BEFORE = [*EVERYDAY, "-c", "-c -q", "--user a:b", "-x"]
AFTER = [
    *BEFORE,
    "-w",
    "--hash --watch",
    "-w -w --json",
    "-wq",
    "--cluster=two",
    "-ctwo",
    "--has",
    "--help",
    "-- --json",
    "infra1",
    "--no-colour",
    "--owned",
    "--owned --notices 5",
    "--web",
]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the commands were called with, and under which settings."""
    calls: list[object] = []

    def called(**options: object) -> None:
        given = {name: value for name, value in options.items() if value is not None}
        calls.append((given, dict(vars(settings.settings()))))

    monkeypatch.setattr(status, "show", called)
    monkeypatch.setattr(dashboard, "look", called)
    return calls


@pytest.mark.parametrize("command", settings.LEAN)
@pytest.mark.parametrize(("before", "after"), list(product(BEFORE, AFTER)))
def test_what_is_understood_means_the_same_to_click(
    before: str,
    command: str,
    after: str,
    shown: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = [*before.split(), command, *after.split()]
    if settings.understood(words) is None:
        return
    main.run(words)
    monkeypatch.setattr(settings, "understood", lambda _: None)
    main.run(words)
    first, second = shown
    assert first == second


@pytest.mark.parametrize(("before", "after"), list(product(EVERYDAY, EVERYDAY)))
def test_everyday_lines_are_understood(before: str, after: str) -> None:
    assert settings.understood([*before.split(), "status", *after.split()]) is not None


def test_a_dashboard_without_options_is_understood() -> None:
    assert settings.understood(["dashboard"]) is not None
    assert settings.understood(["dashboard", "--json"]) is None

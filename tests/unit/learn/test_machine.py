"""What a step asks of the machine, and what is said where it is lacking."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from etcd_sandbox.learn.needs import Ability, parse_abilities
from etcd_sandbox.learn.stage import lack


@pytest.fixture(autouse=True)
def _without_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def test_abilities_are_read_as_they_are_written() -> None:
    assert parse_abilities("dns; dig") == (Ability.DNS, Ability.DIG)
    for text in ("", "dns;", "dns dig", "fly"):
        with pytest.raises(ValueError, match="unknown ability"):
            parse_abilities(text)


def test_a_machine_without_the_programs_says_how_to_get_them() -> None:
    dig = lack([Ability.DIG], "etcd")
    assert dig is not None
    assert "dig is not installed" in dig.what
    assert "bind9-dnsutils" in dig.mend
    podman = lack([Ability.PODMAN], "etcd")
    assert podman is not None
    assert podman.what == "podman is not installed"
    assert "install your system's package" in podman.mend
    dns = lack([Ability.DNS], "etcd")
    assert dns is not None
    if sys.platform == "linux":
        assert "unshare and mount cannot be found" in dns.what


def test_the_first_thing_that_is_lacking_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lack([], "etcd") is None
    (tmp_path / "dig").write_text("#!/bin/sh\n")
    (tmp_path / "dig").chmod(0o755)
    assert lack([Ability.DIG], "etcd") is None
    found = lack([Ability.DIG, Ability.PODMAN, Ability.DNS], "etcd")
    assert found is not None
    assert "podman" in found.what

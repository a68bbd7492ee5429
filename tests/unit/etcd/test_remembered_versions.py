"""An etcd is asked for its version once: a file remembers the answer, and is never in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.release import binary_version


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.platform", "linux")
    return tmp_path / "cache" / "etcd-sandbox" / "versions.json"


@pytest.fixture
def etcd(tmp_path: Path) -> Path:
    """A program that notes how often it was asked."""
    program = tmp_path / "etcd"
    program.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\necho etcd Version: 3.5.1\n")
    program.chmod(0o755)
    return program


def asked(etcd: Path) -> int:
    return len((etcd.parent / "asked").read_text().splitlines())


def test_a_version_is_asked_for_once(etcd: Path) -> None:
    assert [binary_version(str(etcd)) for _ in range(3)] == ["3.5.1"] * 3
    assert asked(etcd) == 1


def test_a_program_that_has_changed_is_asked_again(etcd: Path) -> None:
    binary_version(str(etcd))
    etcd.write_text(etcd.read_text().replace("3.5.1", "3.6.0"))
    assert binary_version(str(etcd)) == "3.6.0"
    os.utime(etcd, ns=(1, 1))
    assert binary_version(str(etcd)) == "3.6.0"
    assert asked(etcd) == 3


def test_a_program_that_may_not_be_executed_any_more_is_told(etcd: Path) -> None:
    binary_version(str(etcd))
    etcd.chmod(0o644)
    with pytest.raises(InputError, match="not executable"):
        binary_version(str(etcd))


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"%s": 1}', '{"%s": [1, 2, 3, "9.9.9"]}', "\0"]
)
def test_a_file_that_makes_no_sense_is_no_obstacle(content: str, etcd: Path, cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text(content.replace("%s", str(etcd)))
    assert binary_version(str(etcd)) == "3.5.1"
    assert binary_version(str(etcd)) == "3.5.1"
    assert asked(etcd) == 1


def test_a_cache_that_cannot_be_written_is_no_obstacle(etcd: Path, cache: Path) -> None:
    cache.parent.parent.write_text("a file in its place")
    assert binary_version(str(etcd)) == "3.5.1"
    assert binary_version(str(etcd)) == "3.5.1"
    assert asked(etcd) == 2

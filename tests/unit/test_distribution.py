"""How tests are shared among workers."""

from __future__ import annotations

import re
from pathlib import Path

from tests.distribution import AT_WELL_KNOWN_PORTS, LONGEST_FIRST, rank, share

TESTS = Path(__file__).parents[1]


def test_files_that_use_the_well_known_ports_are_those_that_are_listed() -> None:
    using = {
        str(path.relative_to(TESTS.parent))
        for path in TESTS.rglob("test_*.py")
        if re.search(r"\bwell_known_ports: None", path.read_text())
    }
    assert using == set(AT_WELL_KNOWN_PORTS)


def test_their_tests_go_to_one_worker_and_are_begun_first() -> None:
    nodeids = [f"{path}::test_any" for path in AT_WELL_KNOWN_PORTS]
    assert len({share(each) for each in nodeids}) == 1
    assert max(rank(each) for each in nodeids) < rank("tests/learn/test_lessons.py::test_any")


def test_a_test_of_real_etcd_goes_by_itself_and_one_that_takes_an_instant_by_its_file() -> None:
    assert share("tests/etcd/test_quorum.py::test_a") != share("tests/etcd/test_quorum.py::test_b")
    assert share("tests/unit/x/test_y.py::test_a") == share("tests/unit/x/test_y.py::test_b")
    assert rank("tests/etcd/test_quorum.py::test_a") < rank("tests/unit/x/test_y.py::test_a")


def test_every_place_that_is_named_is_there() -> None:
    assert [each for each in LONGEST_FIRST if not (TESTS.parent / each).exists()] == []

"""The pytest plugin, as a user's test suite has it: real pytest runs in processes of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import etcd_versions
from tests.conftest import SandboxCommand
from tests.plugin import by_hand

LONGEST_S = 300
"""Of a whole suite on a busy machine."""

pytestmark = pytest.mark.timeout(LONGEST_S + 30)

MANY = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_it_has_a_cluster_of_its_own(etcd_cluster, number):
    etcd_cluster.ctl("put", f"key{number}", "mine")
    assert etcd_cluster.ctl("get", "", "--prefix", "--keys-only").split() == [f"key{number}"]
    assert len(etcd_cluster.wait_healthy().members) == 3
"""

SHAPED = """
import pytest
from etcd_sandbox import Cluster

@pytest.mark.etcd_cluster(members=1, profile="fast")
def test_the_marker_shapes_it(etcd_cluster: Cluster):
    assert etcd_cluster.members == ("infra1",)

def test_the_configuration_names_the_profile(etcd_cluster_factory):
    with_profile, without = etcd_cluster_factory(), etcd_cluster_factory(members=1)
    assert with_profile.members == ("only",)
    assert without.members == ("infra1",)

def test_the_fixture_closes_what_the_test_closed_already(etcd_cluster):
    etcd_cluster.down()
"""

FAILING = """
def test_that_fails(etcd_cluster_factory):
    one, other = etcd_cluster_factory(members=1), etcd_cluster_factory(members=1)
    one.kill("infra1")
    assert False, "on purpose"

def test_whose_cluster_cannot_start(etcd_cluster_factory):
    etcd_cluster_factory(etcd="9.9")
"""


MARKED = """
import pytest

@pytest.mark.etcd_cluster(5)
def test_whose_marker_has_a_position(etcd_cluster):
    raise AssertionError("never")

@pytest.mark.etcd_cluster(member=5)
def test_whose_marker_has_a_slip(etcd_cluster):
    raise AssertionError("never")

@pytest.mark.etcd_cluster(members=1)
def test_whose_marker_shapes_what_is_shared(etcd_cluster_module):
    raise AssertionError("never")

@pytest.mark.etcd_cluster(etcd="9.9")
def test_whose_cluster_cannot_be(etcd_cluster):
    raise AssertionError("never")
"""

SHARED = """
import pytest

pytestmark = pytest.mark.etcd_cluster(members=1, profile="fast")

@pytest.fixture
def cluster(etcd_cluster_module):
    etcd_cluster_module.reset()
    return etcd_cluster_module

@pytest.fixture(scope="session")
def etcd_cluster_session_args():
    return {"members": 1, "name": "of-the-session"}

@pytest.mark.parametrize("number", range(3))
def test_a_cluster_is_shared_and_empty_each_time(cluster, etcd_cluster_session, number):
    assert cluster.members == ("infra1",)
    assert cluster.ctl("get", "key") == ""
    cluster.ctl("put", "key", "value")
    assert etcd_cluster_session.name == "of-the-session"

def test_that_fails_the_first_time(cluster):
    cluster.restart("infra1")
    assert False, "on purpose"

def test_that_fails_later(cluster):
    assert False, "on purpose"
"""


class Suite:
    """Runs pytest on files in a directory of their own."""

    def __init__(self, directory: Path, command: SandboxCommand) -> None:
        self.directory = directory
        self._command = command

    def run(self, content: str, *args: str, flags: Sequence[str] = ("-P",)) -> tuple[int, str]:
        """The exit code, and what pytest printed."""
        (self.directory / "test_suite.py").write_text(content)
        plugins = [word for module in by_hand() for word in ("-p", module)]
        done = subprocess.run(
            [sys.executable, *flags, "-m", "pytest", "-p", "no:cacheprovider", *plugins, *args],
            cwd=self.directory,
            env=self._command.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        return done.returncode, done.stdout

    def assert_nothing_left(self) -> None:
        """No process lives on, and the state home is empty."""
        self._command.assert_nothing_left()
        assert list(self._command.home.iterdir()) == []


@pytest.fixture
def suite(tmp_path: Path, sandbox_command: SandboxCommand) -> Suite:
    binary = etcd_versions.need("3.5", *etcd_versions.SERIES)
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = binary.path
    # Python's search path of this run, absolute: the suite runs somewhere else.
    sandbox_command.env["PYTHONPATH"] = str(Path(__file__).parents[2] / "sandbox")
    directory = tmp_path / "suite"
    directory.mkdir()
    (directory / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers -W error\n")
    return Suite(directory, sandbox_command)


@pytest.mark.parametrize("count", [8, pytest.param(20, marks=pytest.mark.soak)])
def test_many_tests_with_a_cluster_each_run_in_parallel(suite: Suite, count: int) -> None:
    code, told = suite.run(MANY.replace("{count}", str(count)), "-n", "4")
    assert code == 0, told
    assert re.search(rf"^=+ {count} passed in ", told, re.MULTILINE), told
    suite.assert_nothing_left()


def test_marker_and_configuration_shape_the_clusters(suite: Suite) -> None:
    (suite.directory / "one.toml").write_text('[[member]]\nname = "only"\n')
    code, told = suite.run(SHAPED, "-o", "etcd_cluster_profile=one.toml")
    assert code == 0, told
    suite.assert_nothing_left()


def test_the_report_of_a_failed_test_tells_what_happened_in_its_clusters(suite: Suite) -> None:
    code, told = suite.run(FAILING)
    assert code == 1
    titles = re.findall(r"^-+ etcd cluster (py-\d+-[0-9a-f]{6}) -+$", told, re.MULTILINE)
    assert len(set(titles)) == 2
    first, second = re.split(r"^-+ etcd cluster .* -+$", told, flags=re.MULTILINE)[1:]
    assert re.search(
        r"^\d\d:\d\d:\d\d\.\d{3} infra1 exited: killed by SIGKILL$", first, re.MULTILINE
    )
    assert "the last lines of infra1:" in first
    assert "exited" not in second.partition("the last lines")[0]
    assert re.search(r"^E +hint: here is ", told, re.MULTILINE), told
    suite.assert_nothing_left()


def test_a_marker_that_cannot_be_meant_is_told_in_two_lines_and_no_cluster_starts(
    suite: Suite,
) -> None:
    code, told = suite.run(MARKED)
    assert code == 1
    assert "4 errors in" in told
    for words in (
        "the marker etcd_cluster takes named arguments only, not etcd_cluster(5)\n"
        "hint: etcd_cluster(members=5), for example",
        "a cluster has no argument 'member'\nhint: did you mean 'members'?",
        "the marker etcd_cluster on a test does not shape etcd_cluster_module",
        "etcd 9.9",
    ):
        assert words in told, told
    assert "pytest_plugin.py" not in told
    suite.assert_nothing_left()


def test_a_shared_cluster_is_reset_between_tests_and_its_story_is_in_the_reports(
    suite: Suite,
) -> None:
    code, told = suite.run(SHARED, "-n", "1", "--junit-xml=report.xml", "--etcd-story-dir=stories")
    assert code == 1
    assert "2 failed, 3 passed in" in told, told
    cases = {
        case.get("name"): case
        for case in ElementTree.parse(suite.directory / "report.xml").iter("testcase")
    }
    first, later = (
        str(cases[name].findtext("failure"))
        for name in ("test_that_fails_the_first_time", "test_that_fails_later")
    )
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3} infra1 stopped by SIGTERM$", first, re.MULTILINE), (
        first
    )
    assert "the last lines of infra1:" in first
    # What happened during another test is not the story of this one.
    assert "etcd cluster of-the-session" not in first
    assert "stopped by" not in later.partition("the last lines of")[0]
    [kept] = suite.directory.glob("stories/*first_time/*")
    assert f"its files are kept in {kept}" in first
    assert (kept / "logs" / "etcd1.log").stat().st_size > 0
    assert {"story.txt", "events.jsonl", "status.json", "cluster.json"} <= {
        path.name for path in kept.iterdir()
    }
    suite.assert_nothing_left()


def test_an_error_of_a_cluster_is_shown_at_the_line_of_the_test_and_nowhere_else(
    suite: Suite,
) -> None:
    content = """
def test_that_kills_nobody(etcd_cluster_factory):
    cluster = etcd_cluster_factory(members=1)
    cluster.kill("infra7")
"""
    code, told = suite.run(content)
    assert code == 1
    assert re.search(r"^test_suite\.py:4: InputError$", told, re.MULTILINE), told
    assert "/etcd_sandbox/" not in told.partition("etcd cluster")[0]
    assert "etcd_sandbox/api/cluster.py" in suite.run(content, "--full-trace")[1]


OF_A_PROJECT = """
import sandbox
from sandbox.errors import OwnError

def test_its_own_package_is_meant():
    assert sandbox.VALUE == 1

def test_that_fails():
    raise OwnError("on purpose")

def test_that_wants_a_cluster(etcd_cluster):
    etcd_cluster.kill("leader")
"""


@pytest.mark.parametrize("flags", [["-P"], []], ids=["pytest", "python -m pytest"])
def test_a_project_with_a_sandbox_of_its_own_has_both(suite: Suite, flags: list[str]) -> None:
    package = suite.directory / "sandbox"
    package.mkdir()
    (package / "__init__.py").write_text("VALUE = 1\n")
    (package / "errors.py").write_text("class OwnError(Exception): pass\n")
    code, told = suite.run(OF_A_PROJECT, flags=flags)
    assert code == 1, told
    assert "1 failed, 2 passed" in told, told
    assert "OwnError: on purpose" in told
    assert "INTERNALERROR" not in told
    suite.assert_nothing_left()

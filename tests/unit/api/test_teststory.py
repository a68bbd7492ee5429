"""What a failed test's report says of its clusters, and what it leaves out."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from etcd_sandbox import Cluster, InputError
from etcd_sandbox.api.teststory import directory_name, hide_our_frames, keep, told
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.order import signal_name

from tests.unit.conftest import FakeSupervisor, status_answer

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def cluster(supervisor: Callable[..., FakeSupervisor], monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster that is up, whose supervisor answers from a table."""
    fake = supervisor("mine", status=status_answer(), logs=b"")
    monkeypatch.setattr(Cluster, "members", ())
    monkeypatch.setattr(Cluster, "endpoints", ["http://127.0.0.1:12379"])
    made = Cluster(name="mine")
    made._attached = fake.paths
    lines = (
        event(BEGAN - timedelta(seconds=1), "before the test"),
        event(BEGAN + timedelta(seconds=1), "SIGKILL"),
    )
    fake.answers["/v1/events"] = "".join(lines).encode()
    fake.paths.logs.mkdir()
    (fake.paths.logs / "etcd1.log").write_text("a line\n")
    fake.paths.events.write_text("".join(lines))
    return made


def event(at: datetime, signal: str) -> str:
    return (
        f'{{"seq":1,"ts":"{at.isoformat()}","kind":"process.exited","process":"etcd1","member":"infra1",'
        f'"code":null,"signal":"{signal}"}}\n'
    )


def test_the_story_begins_when_the_test_began(cluster: Cluster) -> None:
    text = told(cluster, BEGAN)
    assert "infra1 exited: killed by SIGKILL" in text
    assert "before the test" not in text


def test_the_files_of_a_cluster_outlive_it(cluster: Cluster, tmp_path: Path) -> None:
    place = keep(cluster, "the story", tmp_path / "stories", "tests/test_a.py::test_b[x/y]")
    assert place == tmp_path / "stories" / "tests-test_a.py-test_b[x-y]" / "mine"
    assert (place / "story.txt").read_text() == "the story\n"
    assert (place / "logs" / "etcd1.log").read_text() == "a line\n"
    assert "SIGKILL" in (place / "events.jsonl").read_text()
    assert (place / "status.json").exists()


@pytest.mark.parametrize(
    ("test", "name"),
    [
        ("tests/test_a.py::TestB::test_c", "tests-test_a.py-TestB-test_c"),
        ("../..", "test"),
        ("test_a.py::test[a b]", "test_a.py-test[a-b]"),
    ],
)
def test_a_test_has_a_directory_of_its_name(test: str, name: str) -> None:
    assert directory_name(test) == name


def test_long_or_foreign_names_of_tests_stay_apart() -> None:
    names = [directory_name("t" * 300 + end) for end in "ab"]
    names += [directory_name(f"test_{letter}") for letter in "éü"]
    assert len(set(names)) == 4
    assert max(map(len, names)) < 140
    assert all(name.isascii() for name in names)


def raised(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_the_traceback_of_an_error_of_ours_ends_at_the_callers_line() -> None:
    error = raised(lambda: signal_name("NONE"))
    assert isinstance(error, InputError)
    hide_our_frames(error)
    frames = traceback.extract_tb(error.__traceback__)
    assert [Path(frame.filename).name for frame in frames] == [Path(__file__).name] * 2
    assert "hint: kill -l lists them" in error.__notes__


def test_causes_are_told_without_our_frames_as_well() -> None:
    def act() -> None:
        try:
            signal_name("NONE")
        except InputError as cause:
            raise SandboxError("it broke") from cause

    error = raised(act)
    hide_our_frames(error)
    assert "order.py" not in "".join(traceback.format_exception(error))


def test_a_mistake_in_our_own_code_keeps_its_traceback() -> None:
    error = raised(lambda: signal_name(None))  # type: ignore[arg-type]
    hide_our_frames(error)
    assert "order.py" in "".join(traceback.format_exception(error))

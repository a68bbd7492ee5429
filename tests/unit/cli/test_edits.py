from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.cli import status
from etcd_sandbox.cli.apply import EditWatch, places_of
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.inputs.caller import Caller
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.plan import plan_up
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.plan.recorded import as_builtins

from tests.unit.cli.conftest import Ran
from tests.unit.conftest import FakeSupervisor, member, status_answer

Begin = Callable[..., FakeSupervisor]


def no_etcd(wish: str) -> EtcdBinary:
    raise AssertionError("no etcd is needed")


class Edited:
    """A running Procfile, and what is said about its edits."""

    def __init__(self, supervisor: Begin, *, apply: bool) -> None:
        self.file = Path("Procfile")
        self.file.write_text("web: sleep 1\n")
        self.fake = supervisor(apply={"line": "web changed", "refused": ""})
        caller = Caller(cwd=Path.cwd(), env={"PATH": "/nowhere"}, choose_etcd=no_etcd)
        spec = plan_up(Options(), self.fake.paths, caller).spec
        self.fake.answers["/v1/plan"] = as_builtins(spec)
        self.said: list[str] = []
        self.watch = EditWatch(
            ControlClient(self.fake.paths), self.file, caller, self.said.append, apply=apply
        )

    def applied(self) -> list[dict[str, Any]]:
        return [asked.query for asked in self.fake.asked if asked.path == "/v1/apply"]


def test_an_edit_is_told_once_and_changes_nothing(supervisor: Begin) -> None:
    edited = Edited(supervisor, apply=False)
    edited.file.write_text("web: sleep 2\n")
    edited.watch.look()
    edited.watch.look()
    assert edited.said == ["Procfile changed: web changed; etcd-sandbox apply makes it so"]
    assert edited.applied() == [{"dry_run": ["1"]}, {"dry_run": ["1"]}]


def test_with_watch_an_edit_is_applied(supervisor: Begin) -> None:
    edited = Edited(supervisor, apply=True)
    edited.watch.look()
    assert edited.said == ["Procfile changed: web changed; done"]
    assert edited.applied() == [{"dry_run": ["1"]}, {}]


@pytest.mark.parametrize("apply", [False, True])
def test_a_file_that_is_wrong_is_one_line_and_changes_nothing(
    supervisor: Begin, apply: bool
) -> None:
    edited = Edited(supervisor, apply=apply)
    edited.file.write_text("web: sleep 1\nweb: sleep 2\n")
    edited.watch.look()
    [line] = edited.said
    assert line.startswith(
        "Procfile changed, but cannot be used: the process 'web' is defined twice"
    )
    assert "Procfile:2" in line
    assert edited.applied() == []


def test_an_edit_that_changes_nothing_is_not_told(supervisor: Begin) -> None:
    edited = Edited(supervisor, apply=True)
    edited.fake.answers["/v1/apply"] = {"line": "", "refused": ""}
    edited.watch.look()
    assert edited.said == []
    assert edited.applied() == [{"dry_run": ["1"]}]


def test_a_changed_list_of_members_is_never_applied(supervisor: Begin) -> None:
    edited = Edited(supervisor, apply=True)
    line = "etcd4 came (member list changed: etcd-sandbox down first)"
    edited.fake.answers["/v1/apply"] = {"line": line, "refused": "member list"}
    edited.watch.look()
    assert edited.said == [f"Procfile changed: {line}"]
    assert edited.applied() == [{"dry_run": ["1"]}]


def test_edits_are_seen_behind_every_symbolic_link_on_the_way(
    supervisor: Begin, tmp_path: Path
) -> None:
    edited = Edited(supervisor, apply=False)
    releases = tmp_path / "releases"
    for release in ("one", "two"):
        (releases / release).mkdir(parents=True)
        (releases / release / "Procfile.real").write_text(f"web: sleep {release}\n")
    (tmp_path / "current").symlink_to("releases/one")
    edited.file.unlink()
    edited.file.symlink_to(tmp_path / "current" / "Procfile.real")
    edited.watch.start()

    def seen(line: str) -> None:
        deadline = time.monotonic() + 20
        while line not in "".join(edited.said) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert line in "".join(edited.said)

    seen("web changed")
    edited.fake.answers["/v1/apply"] = {"line": "behind the link", "refused": ""}
    (releases / "one" / "Procfile.real").write_text("web: sleep 3\n")
    seen("behind the link")
    edited.fake.answers["/v1/apply"] = {"line": "another release", "refused": ""}
    (tmp_path / "new").symlink_to("releases/two")
    (tmp_path / "new").rename(tmp_path / "current")
    seen("another release")
    edited.fake.answers["/v1/apply"] = {"line": "in that release", "refused": ""}
    (releases / "two" / "Procfile.real").write_text("web: sleep 4\n")
    seen("in that release")


def test_a_file_that_no_link_leads_to_is_the_only_place(tmp_path: Path) -> None:
    file = tmp_path / "sub" / "Procfile"
    file.parent.mkdir()
    file.touch()
    assert places_of(file) == {file}
    file.unlink()
    file.symlink_to(file)
    assert places_of(file) == {file}


@pytest.mark.parametrize("words", [[], ["--json"], ["--watch"], ["--watch", "--json"]])
def test_status_says_what_waits_to_be_applied_in_every_form(
    words: list[str],
    supervisor: Begin,
    cli: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edited = Edited(supervisor, apply=False)
    edited.fake.answers["/v1/status"] = status_answer(member())
    monkeypatch.setattr(status, "WATCH_EVERY_S", -1.0)  # the second look fails
    line = "Procfile changed: web changed; etcd-sandbox apply makes it so"
    ran = cli("status", *words)
    if "--json" in words:
        assert json.loads(ran.out)["edit"] == line
    else:
        assert line in ran.out.splitlines()

"""`upgrade`: what it asks, what it prints while it works and at its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.model.spec import ClusterSpec, Source, SourceKind
from etcd_sandbox.plan.recorded import as_builtins

from tests.unit.cli.conftest import Ran
from tests.unit.conftest import FakeSupervisor

Begin = Callable[..., FakeSupervisor]

ETCD = '#!/bin/sh\necho "etcd Version: 3.6.16"\n'


@pytest.fixture
def etcd(tmp_path: Path) -> str:
    """A program that says that it is etcd."""
    program = tmp_path / "etcd"
    program.write_text(ETCD)
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def running(supervisor: Begin) -> Callable[..., FakeSupervisor]:
    """A supervisor that tells these lines of an upgrade."""

    plan = ClusterSpec(name="default", source=Source(kind=SourceKind.MEMBERS), processes=())

    def begin(*news: dict[str, Any], **more: Any) -> FakeSupervisor:
        stream = "".join(json.dumps(each) + "\n" for each in news).encode()
        return supervisor(plan=as_builtins(plan), upgrade=stream, **more)

    return begin


def step(member: str, **changes: Any) -> dict[str, Any]:
    return {
        "process": member.replace("infra", "etcd"),
        "member": member,
        "before": "3.5.1",
        "after": "3.6.16",
        **changes,
    }


def planned(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "version": "3.6.16",
        "path": "/new/etcd",
        "cluster_version": "3.5.0",
        "steps": list(steps),
        **changes,
    }


def changed(member: str, **changes: Any) -> dict[str, Any]:
    return {"member": step(member, took_s=0.314, **changes)}


def verdict(left: list[str], after: str, **changes: Any) -> dict[str, Any]:
    upgrade = {
        "version": "3.6.16",
        "left": left,
        "cluster_version_before": "3.5.0",
        "cluster_version_after": after,
    }
    return {"verdict": {"verb": "upgrade", "targets": ["infra1"], "upgrade": upgrade, **changes}}


FIGURES = {
    "term_before": 2,
    "term_after": 2,
    "leader_gap_s": 0.0,
    "read_gap_s": 0.021,
    "reads": {"how": "went-on", "gap_s": 0.021, "wait_s": 0.001},
}
HANDED = {
    "handed_to": "infra2",
    "term_before": 2,
    "term_after": 3,
    "leader_gap_s": 0.012,
    "read_gap_s": 0.2,
    "reads": {"how": "waited", "gap_s": 0.2, "wait_s": 0.2},
}


def test_each_member_gets_a_line_and_the_cluster_version_the_last(
    running: Callable[..., FakeSupervisor], cli: Callable[..., Ran], etcd: str
) -> None:
    fake = running(
        {"plan": planned(step("infra2"), step("infra1"), step("infra3", done=False))},
        changed("infra2", **FIGURES),
        changed("infra1", **HANDED),
        verdict([], "3.6.0", equivalents=["etcdctl move-leader 2a"]),
    )
    ran = cli("upgrade", "all", "--to", etcd, "--timeout", "1m")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "infra3: nothing to do, it runs etcd 3.5.1 already",
        "infra2 3.5.1 → 3.6.16 in 0.31 s · reads went on",
        "infra1 3.5.1 → 3.6.16 in 0.31 s · handed leadership to infra2 (term 2 → 3) · "
        "0.01 s without a leader · reads waited for up to 0.20 s",
        "  cluster version 3.5 → 3.6",
        "  same as: etcdctl move-leader 2a",
        "next: etcd-sandbox status",
    ]
    body = fake.asked[-1].body
    assert (body["select"], body["timeout_s"], body["wait"]) == (["all"], 60.0, True)
    assert (body["to"]["path"], body["to"]["version"]) == (etcd, "3.6.16")


def test_what_is_left_is_named_with_the_command_that_goes_on(
    running: Callable[..., FakeSupervisor], cli: Callable[..., Ran], etcd: str
) -> None:
    running({"plan": planned(step("infra2"))}, verdict(["infra1", "infra3"], "3.5.0"))
    assert cli("upgrade", "all", "--to", etcd).out.splitlines() == [
        "  cluster version 3.5",
        "still to be upgraded: infra1, infra3",
        f"next: etcd-sandbox upgrade all --to {etcd}",
    ]


def test_what_is_forced_goes_on_forced(
    running: Callable[..., FakeSupervisor], cli: Callable[..., Ran], etcd: str
) -> None:
    fake = running({"plan": planned(step("infra2"))}, verdict(["infra1"], "3.5.0"))
    ran = cli("upgrade", "all", "--to", etcd, "--force")
    assert fake.asked[-1].body["force"] is True
    assert ran.out.splitlines()[-1] == f"next: etcd-sandbox upgrade all --to {etcd} --force"


def test_a_list_of_members_that_is_not_that_of_the_plan_is_an_error_with_the_mend(
    running: Callable[..., FakeSupervisor], cli: Callable[..., Ran], etcd: str
) -> None:
    last = verdict([], "3.6.0")
    last["verdict"]["upgrade"]["unlike"] = [
        {"what": "infra1 (abc) is on it", "mend": ["etcd-sandbox remove abc"]},
        {"what": "infra2 is a learner on it", "mend": ["etcd-sandbox promote infra2"]},
    ]
    running({"plan": planned(step("infra2"))}, changed("infra2"), last)
    ran = cli("upgrade", "all", "--to", etcd)
    assert ran.code == 1
    assert ran.out.splitlines()[-2:] == ["  cluster version 3.5 → 3.6", "next: etcd-sandbox status"]
    assert ran.err == (
        "etcd-sandbox: error: etcd's list of members is not that of the plan: "
        "infra1 (abc) is on it; infra2 is a learner on it\n\n"
        "hint: etcd-sandbox remove abc, then etcd-sandbox promote infra2\n"
    )


def test_an_error_in_the_middle_comes_after_what_was_done(
    running: Callable[..., FakeSupervisor], cli: Callable[..., Ran], etcd: str
) -> None:
    error = {"what": "infra1 did not come up", "hint": "bad moon", "exit_code": 1}
    running({"plan": planned(step("infra2"))}, changed("infra2"), {"error": error})
    ran = cli("upgrade", "all", "--to", etcd)
    assert ran.code == 1
    assert ran.out == "infra2 3.5.1 → 3.6.16 in 0.31 s\n"
    assert ran.err == "etcd-sandbox: error: infra1 did not come up\n\nhint: bad moon\n"


def test_a_stream_that_breaks_off_is_an_error(
    running: Callable[..., FakeSupervisor], cli: Callable[..., Ran], etcd: str
) -> None:
    running({"plan": planned(step("infra2"))}, changed("infra2"))
    ran = cli("upgrade", "all", "--to", etcd)
    assert ran.code == 3
    assert "ended while it was asked" in ran.err


def test_with_json_only_the_verdict_is_printed(
    running: Callable[..., FakeSupervisor], cli: Callable[..., Ran], etcd: str
) -> None:
    last = verdict([], "3.6.0")
    running({"plan": planned(step("infra2"))}, changed("infra2"), last)
    assert json.loads(cli("upgrade", "all", "--to", etcd, "--json").out) == last["verdict"]


def test_a_dry_run_shows_the_order_and_the_flags(
    supervisor: Begin, running: Callable[..., FakeSupervisor], cli: Callable[..., Ran], etcd: str
) -> None:
    fake = running()
    fake.answers["/v1/upgrade"] = planned(
        step("infra2", dropped=["--debug=true"], added=["--log-level=debug"]),
        step("infra1", leads=True),
        notes=["mind the gap"],
    )
    assert cli("upgrade", "all", "--to", etcd, "--dry-run").out.splitlines() == [
        "note: mind the gap",
        "1. infra2 3.5.1 → 3.6.16",
        "   - --debug=true",
        "   + --log-level=debug",
        "2. infra1 3.5.1 → 3.6.16; it leads, and hands over first",
        f"next: etcd-sandbox upgrade all --to {etcd}",
    ]
    assert fake.asked[-1].query == {"dry_run": ["1"]}


def test_a_version_that_is_not_here_is_refused_before_anybody_is_asked(
    running: Callable[..., FakeSupervisor], cli: Callable[..., Ran]
) -> None:
    fake = running()
    ran = cli("upgrade", "all", "--to", "3.99")
    assert ran.code == 2
    assert "there is no etcd 3.99 on this machine" in ran.err
    assert [asked.path for asked in fake.asked] == ["/v1/plan"]

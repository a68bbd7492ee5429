"""Cluster and AsyncCluster over a supervisor that answers from a table."""

from __future__ import annotations

import asyncio
import fcntl
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from etcd_sandbox import AsyncCluster, Cluster, InputError, NotRunning, NotSettled, TimedOut
from etcd_sandbox.api.facts import ClusterArguments, ClusterFacts
from etcd_sandbox.api.values import LogLine
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.control.wire import lines_header, skipped_frame
from etcd_sandbox.inputs.caller import Caller
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.plan import plan_up
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.model.state import Quorum, Role
from etcd_sandbox.paths import cluster_paths
from etcd_sandbox.plan.recorded import encoded

from tests.unit.conftest import FakeSupervisor, member, status_answer

VERDICT = {
    "verb": "kill",
    "targets": ["infra1"],
    "leader_before": "infra1",
    "leader_after": "infra3",
    "term_before": 2,
    "term_after": 3,
    "leader_gap_s": 1.12,
    "read_gap_s": 1.14,
    "quorum": {"voters": 3, "needed": 2, "healthy": 2, "ok": True},
    "key of a later version": 1,
}
PLAIN = {
    "select": ["infra1"],
    "versus": [],
    "signal": None,
    "delay_s": 0.0,
    "jitter_s": 0.0,
    "seed": None,
    "name": None,
    "learner": False,
    "force": False,
    "wait": True,
    "timeout_s": 30.0,
}


class Awaited:
    """The asynchronous cluster behind the blocking one's face: one loop for each call."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **how: Any) -> Any:
            async def go() -> Any:
                async with AsyncCluster.attach(self._name) as cluster:
                    told = getattr(cluster, name)(*args, **how)
                    if hasattr(told, "__aiter__"):
                        return [each async for each in told]
                    return await told

            return asyncio.run(go())

        return call


@pytest.fixture
def running(supervisor: Callable[..., FakeSupervisor]) -> Iterator[FakeSupervisor]:
    """A supervisor of three members that holds the cluster's lock and has recorded its plan."""
    fake = supervisor("mine")
    caller = Caller(
        cwd=Path.cwd(),
        env={},
        choose_etcd=lambda _: EtcdBinary(path="/opt/etcd", version="3.6.1", origin="tests"),
    )
    spec = plan_up(Options(members=3), fake.paths, caller).spec
    fake.paths.plan.write_bytes(encoded(spec))
    with fake.paths.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield fake


@pytest.fixture(params=[Cluster.attach, Awaited])
def cluster(request: pytest.FixtureRequest, running: FakeSupervisor) -> Any:
    return request.param("mine")


def test_what_the_plan_says_is_known_without_a_question(running: FakeSupervisor) -> None:
    cluster = Cluster.attach("mine")
    assert cluster.name == "mine"
    assert cluster.members == ("infra1", "infra2", "infra3")
    assert cluster.endpoints == [f"http://127.0.0.1:{port}2379" for port in (1, 2, 3)]
    assert cluster.directory == running.paths.root
    assert cluster.env == {
        "ETCDCTL_ENDPOINTS": ",".join(cluster.endpoints),
        "ETCD_SANDBOX_CLUSTER": "mine",
        "ETCD_SANDBOX_SOCKET": str(running.paths.socket),
    }
    assert running.asked == []
    assert AsyncCluster.attach("mine").endpoints == cluster.endpoints


VERBS: list[tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]] = [
    ("start", ("infra1",), {}, {}),
    ("stop", ("infra1",), {"timeout_s": 5.0}, {"timeout_s": 5.0}),
    ("restart", ("infra1", "infra2"), {}, {"select": ["infra1", "infra2"]}),
    ("kill", ("infra1",), {}, {"signal": "SIGKILL"}),
    (
        "kill",
        ("random",),
        {"seed": 7, "signal": "TERM"},
        {"select": ["random"], "seed": 7, "signal": "SIGTERM"},
    ),
    ("pause", ("infra1",), {"wait": False}, {"wait": False}),
    ("resume", ("infra1",), {}, {}),
    ("pause", ("infra1",), {"for_s": 5, "after_s": 2.5}, {"for_s": 5, "after_s": 2.5}),
    ("starve", ("infra1",), {"share": 0.2}, {"share": 0.2}),
    ("partition", ("infra1",), {}, {"one_way": False, "refuse": False}),
    (
        "partition",
        ("infra1",),
        {"versus": "infra2"},
        {"versus": ["infra2"], "one_way": False, "refuse": False},
    ),
    (
        "partition",
        ("infra1",),
        {"versus": ["infra2", "infra3"], "one_way": True},
        {"versus": ["infra2", "infra3"], "one_way": True, "refuse": False},
    ),
    ("cut", ("infra1", "infra2"), {}, {"versus": ["infra2"], "one_way": False, "refuse": False}),
    ("throttle", ("infra1",), {"bytes_per_s": 64000}, {"bytes_per_s": 64000}),
    ("flaky", ("infra1",), {"stall": 0.05, "seed": 7}, {"stall": 0.05, "reset": 0.0, "seed": 7}),
    (
        "slow",
        ("infra1",),
        {"delay_s": 0.2, "jitter_s": 0.05},
        {"delay_s": 0.2, "jitter_s": 0.05, "one_way": False},
    ),
    ("heal", (), {}, {"select": []}),
    ("move_leader", ("infra1",), {}, {}),
    ("add", (), {}, {"select": []}),
    ("add", ("four",), {"learner": True}, {"select": [], "name": "four", "learner": True}),
    ("promote", ("infra1",), {}, {}),
    ("remove", ("infra1",), {"force": True}, {"force": True}),
    ("replace", ("infra1", "infra2"), {}, {"select": ["infra1", "infra2"]}),
]


@pytest.mark.parametrize(("verb", "args", "how", "differs"), VERBS)
def test_each_verb_asks_for_what_it_means_and_gives_the_verdict(
    cluster: Any,
    running: FakeSupervisor,
    verb: str,
    args: tuple[Any, ...],
    how: dict[str, Any],
    differs: dict[str, Any],
) -> None:
    path = f"/v1/act/{verb.replace('_', '-')}"
    running.answers[path] = VERDICT
    verdict = getattr(cluster, verb)(*args, **how)
    assert [(asked.path, asked.body) for asked in running.asked] == [(path, {**PLAIN, **differs})]
    assert (verdict.leader_before, verdict.leader_after) == ("infra1", "infra3")
    assert verdict.leader_gap_s == 1.12
    assert verdict.quorum == Quorum(voters=3, needed=2, healthy=2, ok=True)


def test_the_status_is_typed(cluster: Any, running: FakeSupervisor) -> None:
    running.answers["/v1/status"] = status_answer(member("infra1", role="leader"))
    status = cluster.status()
    assert status.leader == "infra1"
    assert status.members[0].role is Role.LEADER
    assert cluster.leader() == "infra1"


def test_events_have_their_kind_and_their_own_fields(cluster: Any, running: FakeSupervisor) -> None:
    line = {
        "seq": 3,
        "ts": "2026-01-01T00:00:00Z",
        "kind": "raft.leader_elected",
        "member": "infra1",
        "term": 2,
    }
    running.answers["/v1/events"] = json.dumps(line).encode() + b"\n"
    [event] = cluster.events(tail=1)
    assert (event.kind, event.member, event.fields) == (Kind.LEADER_ELECTED, "infra1", {"term": 2})
    assert running.asked[0].query == {"follow": ["0"], "tail": ["1"]}


def test_log_lines_come_one_by_one(cluster: Any, running: FakeSupervisor) -> None:
    data = b"one\ntwo\xff\n\n"
    running.answers["/v1/logs"] = (
        skipped_frame(3) + lines_header(1, 1_000_000, len(data), "etcd1") + data
    )
    at = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert list(cluster.logs("infra1")) == [
        LogLine(process="etcd1", arrived=at, text=text) for text in ("one", "two\ufffd", "")
    ]


def test_waiting_for_health_ends_when_every_member_is_well(
    cluster: Any, running: FakeSupervisor
) -> None:
    gone = member("infra2", state="removed", healthy=False)
    running.answers["/v1/status"] = status_answer(member("infra1"), gone)
    assert cluster.wait_healthy(1.0).members[0].healthy


def test_members_that_stay_ill_are_named_when_the_time_is_over(
    cluster: Any, running: FakeSupervisor
) -> None:
    ill = [member("infra1", healthy=False), member("infra2", state="paused", healthy=False)]
    running.answers["/v1/status"] = status_answer(*ill)
    with pytest.raises(TimedOut, match=r"0\.01 s: infra1 is not healthy, infra2 is paused"):
        cluster.wait_healthy(0.01)


def test_members_that_follow_two_leaders_are_not_well_though_each_knows_one(
    cluster: Any, running: FakeSupervisor
) -> None:
    apart = [member("infra1", follows="infra1"), member("infra2", follows="infra2")]
    running.answers["/v1/status"] = status_answer(*apart)
    with pytest.raises(TimedOut, match=r"0\.01 s: some follow infra1 and some infra2"):
        cluster.wait_healthy(0.01)


def test_a_verb_that_has_not_settled_in_time_is_an_error_that_has_the_verdict(
    cluster: Any, running: FakeSupervisor
) -> None:
    running.answers["/v1/act/kill"] = {**VERDICT, "settled": False}
    with pytest.raises(NotSettled, match=r"not settled within 1\.5 s after kill") as caught:
        cluster.kill("leader", timeout_s=1.5)
    assert isinstance(caught.value, TimedOut)
    assert caught.value.verdict.leader_before == "infra1"


@pytest.mark.parametrize("settled", [True, False])
def test_an_upgrade_asks_for_the_etcd_that_is_meant_and_gives_the_verdict_at_the_end(
    cluster: Any, running: FakeSupervisor, monkeypatch: pytest.MonkeyPatch, settled: bool
) -> None:
    meant = EtcdBinary(path="/opt/newer", version="3.7.0", origin="tests")
    for module in ("cluster", "async_cluster"):
        monkeypatch.setattr(f"etcd_sandbox.api.{module}.etcd_meant", lambda *_: meant)
    news: list[dict[str, object]] = [{"plan": []}, {"verdict": {**VERDICT, "settled": settled}}]
    running.answers["/v1/upgrade"] = b"".join(json.dumps(each).encode() + b"\n" for each in news)
    running.answers["/v1/plan"] = {}
    with nullcontext() if settled else pytest.raises(NotSettled, match="within 7 s"):
        verdict = cluster.upgrade("infra1", to=Path("/opt/newer"), force=True, timeout_s=7.0)
        assert verdict.leader_after == "infra3"
    assert running.asked[-1].body == {
        "select": ["infra1"],
        "to": msgspec.to_builtins(meant),
        "force": True,
        "seed": None,
        "wait": True,
        "timeout_s": 7.0,
    }


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda cluster: cluster.upgrade(5, to="3.6"), "upgrade takes text, not 5"),
        (lambda cluster: cluster.kill(5), "kill takes text, not 5"),
        (lambda cluster: cluster.failover(0), "rounds is a whole number from 1 on, not 0"),
        (lambda cluster: cluster.failover(how="heal"), "'heal' is no way to lose a leader"),
        (lambda cluster: cluster.ctl("get", 5), "ctl takes text, not 5"),
        (lambda cluster: cluster.reset(timeout_s=-1), "timeout_s is a number of seconds"),
        (lambda cluster: cluster.wait_healthy(-1), "timeout_s is a number of seconds"),
    ],
)
def test_who_passes_the_wrong_thing_hears_of_it_before_anything_is_asked(
    cluster: Any, running: FakeSupervisor, use: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        use(cluster)
    assert running.asked == []


def test_a_failover_asks_as_the_clusters_user(
    running: FakeSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rounds(client: ControlClient, *_: object, **how: object) -> Iterator[str | None]:
        yield client.user

    async def awaited() -> list[Any]:
        return [each async for each in AsyncCluster.attach("mine", user="root:x").failover()]

    monkeypatch.setattr("etcd_sandbox.api.failover.rounds", rounds)
    blocking: list[Any] = list(Cluster.attach("mine", user="root:x").failover())
    assert blocking == asyncio.run(awaited()) == ["root:x"]


def test_what_is_awaited_in_a_thread_is_called_as_its_own() -> None:
    for name in ("down", "reset", "ctl", "snapshot"):
        method = getattr(AsyncCluster, name)
        assert inspect.iscoroutinefunction(method)
        assert method.__qualname__ == f"AsyncCluster.{name}"
        assert method.__doc__ == getattr(Cluster, name).__doc__
        assert inspect.signature(method) == inspect.signature(getattr(Cluster, name))


def test_leaving_the_block_of_a_cluster_that_is_not_ours_lets_it_run(
    running: FakeSupervisor,
) -> None:
    with Cluster.attach("mine") as cluster:
        assert cluster.is_up
    assert not cluster.is_up
    assert running.asked == []


def test_a_cluster_that_does_not_run_cannot_be_attached_to(home: Path) -> None:
    with pytest.raises(NotRunning, match="no cluster 'mine' is running"):
        Cluster.attach("mine")


USES: list[Callable[[Cluster], object]] = [
    lambda cluster: cluster.name,
    lambda cluster: cluster.endpoints,
    lambda cluster: cluster.env,
    lambda cluster: cluster.status(),
    lambda cluster: cluster.kill("leader"),
    lambda cluster: cluster.down(),
]


@pytest.mark.parametrize("use", USES)
def test_a_cluster_that_is_not_up_says_how_to_use_it(
    home: Path, use: Callable[[Cluster], object]
) -> None:
    with pytest.raises(NotRunning, match="the cluster is not up") as caught:
        use(Cluster())
    assert caught.value.__notes__ == ["hint: use it within 'with Cluster() as cluster:'"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keep_data": True}, "data can only be kept for a cluster with a name"),
        ({"base_port": "any"}, "base_port is a port or 'auto', not 'any'"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused_at_once(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Cluster(**arguments)


def test_data_that_was_to_be_kept_is_not_deleted(home: Path) -> None:
    paths = cluster_paths("mine")
    caller = Caller(
        cwd=Path.cwd(),
        env={},
        choose_etcd=lambda _: EtcdBinary(path="/opt/etcd", version="3.6.1", origin="tests"),
    )
    spec = plan_up(Options(members=1), paths, caller).spec
    paths.root.mkdir(parents=True)
    paths.plan.write_bytes(encoded(spec))
    with pytest.raises(InputError, match="has a plan and data that were to be kept"):
        Cluster(name="mine", etcd="/opt/etcd").up()
    assert paths.plan.exists()


def test_both_kinds_of_cluster_can_do_the_same() -> None:
    def offered(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(method).parameters)
            for name, method in vars(kind).items()
            if not name.startswith("_")
        }

    assert offered(AsyncCluster) == offered(Cluster)


def test_the_arguments_that_are_passed_on_are_those_of_the_cluster() -> None:
    taken = inspect.signature(ClusterFacts).parameters
    assert list(ClusterArguments.__annotations__) == list(taken)


_PROBE = """
import json, sys
import {module}
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("module", ["etcd_sandbox", "etcd_sandbox.pytest_plugin"])
def test_what_every_program_or_pytest_session_imports_is_light(module: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-c", _PROBE.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    loaded = set(json.loads(ran.stdout))
    heavy = {"asyncio", "click", "httpx", "msgspec", "psutil", "yaml"}
    ours = {name for name in loaded if name.startswith("etcd_sandbox")}
    assert ours == {"etcd_sandbox", module}
    # What pytest itself brings is not ours to answer for.
    assert not heavy & loaded


def test_the_package_hands_out_what_it_names_and_nothing_else() -> None:
    import etcd_sandbox

    for name in etcd_sandbox.__all__:
        assert getattr(etcd_sandbox, name) is not None
    assert dir(etcd_sandbox) == sorted(etcd_sandbox.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Clustre'"):
        _ = etcd_sandbox.Clustre  # type: ignore[attr-defined]

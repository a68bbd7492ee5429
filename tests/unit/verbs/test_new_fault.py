"""A fault is a declaration, a live half and a line in the registry: an invented one goes all the way with nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Hashable, Sequence
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from etcd_sandbox.cli import root
from etcd_sandbox.cli.act import command_of
from etcd_sandbox.cli.main import run
from etcd_sandbox.cluster.cluster import Cluster
from etcd_sandbox.cluster.faults import registry
from etcd_sandbox.cluster.faults.fault import Applied, Fault, Ground
from etcd_sandbox.control import requests
from etcd_sandbox.control.server import Routes
from etcd_sandbox.control.streams import Streams
from etcd_sandbox.learn.record import Record
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.order import Order
from etcd_sandbox.tui.stripdrawing import mark_of
from etcd_sandbox.verbs import VERBS, Option, Type, Verb
from etcd_sandbox.verbs import Fault as Words
from etcd_sandbox.words import story

from tests.fakes.sandbox import Sandbox, play
from tests.unit.conftest import FakeSupervisor

SLOW_DISK = Verb(
    name="slow-disk",
    summary="Delay what members write.",
    help="Delay what members write to their disks.",
    options=(
        Option(("--write",), "write_s", Type.SPAN, "Added to each write.", metavar="SPAN", most=5),
        Option(("--hard",), "hard", Type.SWITCH, "Lose what is not synced.", default=False),
    ),
    past="given slow disks",
    tells="gave {name} a slow disk",
    instant=True,
    undone_by="heal",
    fault=Words(
        state=lambda told: f"the disk of {told['member']} is slow by {told['write_s']:g} s",
        marks=(("▤", "slow disk"), ("▥", "quick disk")),
    ),
)


class SlowDisks(Fault):
    """It only remembers whom it hit."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._slow: dict[str, object] = {}

    async def apply(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> Applied:
        changed = [name for name in names if name not in self._slow]
        self._slow |= dict.fromkeys(names, order.more["write_s"])
        self._publish(Kind.FAULT_APPLIED, changed)
        return Applied(names, (), changed, names)

    async def heal(self) -> Collection[str]:
        healed = list(self._slow)
        for name in healed:
            await self.end(name)
        return healed

    async def end(self, handle: Hashable) -> None:
        if handle in self._slow:
            self._publish(Kind.FAULT_HEALED, [str(handle)])
            del self._slow[str(handle)]

    def told(self) -> list[dict[str, object]]:
        return [
            {
                "kind": SLOW_DISK.name,
                "member": self._supervisor.processes[name].spec.own_name,
                "write_s": delay_s,
                **self.time_left(name),
            }
            for name, delay_s in self._slow.items()
        ]

    def _publish(self, kind: Kind, names: Sequence[str]) -> None:
        for name in names:
            fields = {"process": name, "fault": SLOW_DISK.name, "write_s": self._slow[name]}
            self._bus.publish(kind, self._supervisor.processes[name].spec.own_name, **fields)


class Recorded:
    """What the routes ask of a cluster: it keeps the orders."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.operations = self

    async def act(self, order: Order) -> dict[str, object]:
        self.orders.append(order)
        return {}


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERBS, SLOW_DISK.name, SLOW_DISK)
    monkeypatch.setitem(registry.LIVE, SLOW_DISK, SlowDisks)


def ordered(body: object) -> Recorded:
    """The order that the server makes of a request's body."""
    cluster = Recorded()
    routes = Routes(cast(Cluster, cluster), Streams()).application()

    async def sent() -> httpx.Response:
        transport = httpx.ASGITransport(app=routes)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            return await client.post(f"/v1/act/{SLOW_DISK}", content=json.dumps(body))

    answer = asyncio.run(sent())
    if answer.status_code != 200:
        raise AssertionError(answer.json())
    return cluster


def test_its_command_is_made_of_the_declaration_and_tells_what_was_done(
    supervisor: Callable[..., FakeSupervisor],
    home: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(root.COMMANDS, SLOW_DISK.name, ("act", SLOW_DISK.summary))
    hit = {"process": "etcd1", "member": "infra1", "pid": 1, "before": "running"}
    hit |= {"state": "running", "was_leader": True, "done": True}
    fake = supervisor(
        **{"act/slow-disk": {"verb": "slow-disk", "targets": ["infra1"], "processes": [hit]}}
    )
    assert run(["slow-disk", "infra1", "--write", "200ms", "--hard"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        "gave infra1 a slow disk; it was the leader",
        "next: etcd-sandbox heal",
    ]
    asked = {"select": ["infra1"], "write_s": 0.2, "hard": True}
    assert asked.items() <= fake.asked[-1].body.items()
    assert [parameter.name for parameter in command_of(SLOW_DISK).params][:3] == [
        "select",
        "write_s",
        "hard",
    ]


def test_the_server_takes_its_options_and_holds_them_to_their_bounds() -> None:
    body = requests.act(SLOW_DISK, ["infra1"], write_s=0.2).body
    (order,) = ordered(body).orders
    assert (order.verb, order.select, order.more) == (
        SLOW_DISK,
        ("infra1",),
        {"write_s": 0.2, "hard": False},
    )
    with pytest.raises(AssertionError, match="write_s"):
        ordered({"select": ["infra1"], "write_s": 6})
    with pytest.raises(AssertionError, match="read_s"):
        ordered({"select": ["infra1"], "read_s": 1})


def test_it_is_done_shown_told_marked_and_healed(tmp_path: Path) -> None:
    (order,) = ordered(requests.act(SLOW_DISK, ["leader"], write_s=0.2).body).orders
    lessons = Record()

    async def history(sandbox: Sandbox) -> None:
        leader = sandbox.leader.member.name
        verdict = await sandbox.cluster.operations.act(order)
        assert (verdict.targets, verdict.processes[0].done) == ((leader,), True)
        assert verdict.leader_after == leader
        words = f"the disk of {leader} is slow by 0.2 s"
        faults = [dict(cast(Any, fault)) for fault in (await sandbox.status()).faults]
        assert [story.fault_words(fault) for fault in faults] == [words]
        healed = await sandbox.do("heal")
        assert healed.targets == (leader,)
        assert (await sandbox.status()).faults == ()
        events = sandbox.told(Kind.FAULT_APPLIED, Kind.FAULT_HEALED)
        told = [story.sentence(event.to_wire()) for event in events]
        assert told == [words, f"{words} no more"]
        assert [mark_of(event).word for event in events] == ["slow disk", "quick disk"]
        for event in events:
            lessons.take(event)
        assert [each.what.value for each in lessons.incidents] == ["given slow disks", "healed"]

    play(tmp_path, history)


def test_it_has_its_time_like_every_other(tmp_path: Path) -> None:
    body = requests.act(SLOW_DISK, ["leader"], write_s=0.2, after_s=2, for_s=3).body
    (order,) = ordered(body).orders

    async def history(sandbox: Sandbox) -> None:
        assert (await sandbox.cluster.operations.act(order)).in_s == 2
        assert (await sandbox.status()).faults == ()
        await asyncio.sleep(3)
        (fault,) = (await sandbox.status()).faults
        assert fault["heals_in_s"] == pytest.approx(2, abs=0.5)
        await asyncio.sleep(3)
        assert (await sandbox.status()).faults == ()
        kinds = [event.kind for event in sandbox.told(*Kind) if event.kind.startswith("fault.")]
        assert kinds == [Kind.FAULT_PLANNED, Kind.FAULT_APPLIED, Kind.FAULT_HEALED]

    play(tmp_path, history)

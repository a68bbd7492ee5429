"""How a member leaves, step by step: what stays must not depend on what goes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from etcd_sandbox.cluster import removemember
from etcd_sandbox.cluster.change import Change
from etcd_sandbox.cluster.memberlist import Report
from etcd_sandbox.cluster.removemember import take_out
from etcd_sandbox.errors import TimedOut
from etcd_sandbox.supervise.supervisor import Supervised

from tests.unit.export.plans import from_profile


@pytest.mark.parametrize("answers", [True, False])
def test_those_that_stay_have_written_down_the_removal_before_the_data_goes(
    monkeypatch: pytest.MonkeyPatch, *, answers: bool
) -> None:
    process = from_profile().members[2]
    steps: list[str] = []

    def step(name: str, answer: Any = None) -> Any:
        async def do(*args: object, **options: object) -> Any:
            steps.append(name)
            return answer

        return do

    async def leader_url() -> str:
        if not answers:
            raise TimedOut("nobody leads")
        return "http://127.0.0.1:12379"

    monkeypatch.setattr(removemember, "delete_data", lambda spec: steps.append("data deleted"))
    at = SimpleNamespace(
        listed=SimpleNamespace(
            find=step("found", SimpleNamespace(id="abc")),
            remove=step("removed"),
        ),
        listed_within=lambda within_s: SimpleNamespace(leader_url=leader_url),
        report=Report(),
        members=SimpleNamespace(
            look=step("looked", SimpleNamespace(leader=None, voters=())),
            gateway=SimpleNamespace(settle=step("settled")),
            retire=lambda name: None,
            runs=lambda name: False,
        ),
        remember=lambda *args: None,
    )
    going = SimpleNamespace(
        spec=process, name=process.name, feed=step("told"), stop=step("stopped")
    )
    asyncio.run(take_out(cast(Change, at), cast(Supervised, going), [process.name]))
    settled = ["settled"] if answers else []
    assert steps == ["found", "looked", "removed", *settled, "told", "stopped", "data deleted"]

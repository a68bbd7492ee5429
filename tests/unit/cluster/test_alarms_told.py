"""When alarms are told to be raised and cleared."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from etcd_sandbox.cluster.monitor import Monitor

from tests.unit.cluster.test_quorum import answer

NOSPACE = "memberID:26 alarm:NOSPACE "


def test_an_alarm_is_not_cleared_by_members_that_refuse_to_tell_of_themselves() -> None:
    told: list[tuple[Any, ...]] = []
    monitor: Any = object.__new__(Monitor)
    monitor._alarms = frozenset()
    monitor._bus = SimpleNamespace(publish=lambda kind, *_, alarm: told.append((kind, alarm)))
    monitor._members = SimpleNamespace(name_of=lambda member_id: "infra1")
    full, well = answer(errors=(NOSPACE,)), answer()
    stranger = answer(refusal="etcdserver: user name is empty")
    for answers in ([full], [stranger], [stranger, full], [stranger, well]):
        monitor._notice_alarms(answers)
    assert told == [("alarm.raised", "NOSPACE"), ("alarm.cleared", "NOSPACE")]

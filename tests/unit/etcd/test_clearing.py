"""What is taken out of a cluster, against an etcd that answers from a table."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.etcd.clearing import CannotBeCleared, Clearing
from etcd_sandbox.etcd.exchange import Exchange

URL = "http://a"
EMPTY: dict[str, Any] = {
    "maintenance/alarm": {},
    "lease/leases": {"header": {}},
    "auth/user/list": {},
    "auth/role/list": {},
    "kv/deleterange": {"header": {"revision": "7"}},
    "kv/compaction": {},
    "lease/revoke": {},
    "auth/user/delete": {},
    "auth/role/delete": {},
    "maintenance/defragment": {},
}


class Table:
    """An exchange that answers `answers[method]`; an exception is raised."""

    def __init__(self, **changes: Any) -> None:
        self.answers = EMPTY | {name.replace("__", "/"): told for name, told in changes.items()}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def send(self, method: str, url: str, body: bytes) -> tuple[int, bytes]:
        assert method == "POST"
        place, _, what = url.partition("/v3/")
        self.asked.append((what if place == URL else f"{place} {what}", json.loads(body)))
        answer = self.answers[what]
        if isinstance(answer, Exception):
            raise answer
        return 200, answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    def clear(self) -> int:
        clearing = Clearing(cast(Exchange, self), URL, 1.0)
        return asyncio.run(clearing.clear([URL, "http://b"]))


def test_a_cluster_in_which_nothing_is_costs_six_questions() -> None:
    table = Table()
    assert table.clear() == 7
    assert [what for what, _ in table.asked] == [
        "maintenance/alarm",
        "lease/leases",
        "auth/user/list",
        "auth/role/list",
        "kv/deleterange",
        "kv/compaction",
    ]
    assert table.asked[-1][1] == {"revision": "7", "physical": False}


def test_leases_users_and_roles_are_taken_out_one_by_one() -> None:
    table = Table(
        lease__leases={"leases": [{"ID": "123"}, {"ID": "456"}]},
        auth__user__list={"users": ["alice"]},
        auth__role__list={"roles": ["readers"]},
    )
    table.answers["auth/user/list"] = {"users": ["alice"]}
    table.clear()
    assert ("lease/revoke", {"ID": "123"}) in table.asked
    assert ("lease/revoke", {"ID": "456"}) in table.asked
    assert ("auth/user/delete", {"name": "alice"}) in table.asked
    assert ("auth/role/delete", {"role": "readers"}) in table.asked


def test_after_a_full_database_every_member_gets_its_room_back_before_the_alarm_goes() -> None:
    alarm = {"memberID": "5", "alarm": "NOSPACE"}
    table = Table(maintenance__alarm={"alarms": [alarm]})
    table.clear()
    assert table.asked[-4:] == [
        ("kv/compaction", {"revision": "7", "physical": True}),
        ("maintenance/defragment", {}),
        ("http://b maintenance/defragment", {}),
        ("maintenance/alarm", {**alarm, "action": "DEACTIVATE"}),
    ]


def test_a_lease_that_ended_meanwhile_and_a_revision_compacted_before_are_no_errors() -> None:
    Table(
        lease__leases={"leases": [{"ID": "123"}]},
        lease__revoke={"code": 5, "message": "etcdserver: requested lease not found"},
        kv__compaction={
            "code": 11,
            "message": "etcdserver: mvcc: required revision has been compacted",
        },
    ).clear()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"kv__deleterange": {"code": 3, "message": "etcdserver: user name is empty"}},
            "authentication is on",
        ),
        (
            {"lease__leases": {"code": 7, "message": "etcdserver: permission denied"}},
            "authentication is on",
        ),
        (
            {"maintenance__alarm": {"error": "etcdserver: user name is empty", "code": 3}},
            "authentication is on",
        ),
        (
            {"maintenance__alarm": {"alarms": [{"alarm": "CORRUPT"}]}},
            r"the data of its members differ \(alarm CORRUPT\)",
        ),
    ],
)
def test_what_only_a_new_start_can_undo_is_told_apart(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(CannotBeCleared, match=reason):
        Table(**changes).clear()


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"code": 14, "message": "etcdserver: no leader"}, SandboxError, "etcd refuses: no leader"),
        (TimeoutError(), TimedOut, r"did not answer within 1 s, http://a/v3/kv/deleterange"),
        (b"<html>", TimedOut, "did not answer"),
        ([], SandboxError, "no answer of an etcd"),
    ],
)
def test_what_etcd_refuses_is_an_error_with_its_reason(
    answer: Any, error: type[SandboxError], words: str
) -> None:
    with pytest.raises(error, match=words):
        Table(kv__deleterange=answer).clear()


def test_a_refusal_is_told_when_every_question_under_way_has_ended() -> None:
    class Slow(Table):
        ended = 0

        async def send(self, method: str, url: str, body: bytes) -> tuple[int, bytes]:
            if not url.endswith("alarm"):
                await asyncio.sleep(0.02)
            self.ended += 1
            return await super().send(method, url, body)

    table = Slow(maintenance__alarm={"code": 3, "message": "etcdserver: user name is empty"})
    with pytest.raises(CannotBeCleared):
        table.clear()
    assert table.ended == 4

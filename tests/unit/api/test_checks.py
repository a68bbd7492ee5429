"""What cannot be meant is refused by the Python API itself, with the argument's own name."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox import Cluster, InputError
from etcd_sandbox.api.facts import ClusterArguments
from etcd_sandbox.api.values import _KINDS, check_order, signal_meant

from tests.unit.conftest import FakeSupervisor


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"members": "3"}, "members is a whole number, not '3'"),
        ({"members": 3.0}, "members is a whole number, not 3.0"),
        ({"members": True}, "members is a whole number, not True"),
        ({"links": "yes"}, "links is True or False, not 'yes'"),
        ({"etcd": 3.5}, "etcd is a version or a path, both as text, not 3.5"),
        ({"base_port": 12379.0}, "base_port is a port or 'auto', not 12379.0"),
        ({"profile": ["three"]}, r"profile is a name or a path, not \['three'\]"),
        ({"timeout_s": -1}, "timeout_s is a number of seconds, 0 to 1,000,000, not -1"),
        ({"timeout_s": math.nan}, "timeout_s is .* not nan"),
        ({"timeout_s": math.inf}, "timeout_s is .* not inf"),
        ({"timeout_s": "30s"}, "timeout_s is .* not '30s'"),
        ({"profile": "three", "procfile": "p"}, "procfile and profile contradict each other"),
        ({"members": 3, "procfile": Path("p")}, "members and procfile contradict each other"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Cluster(**arguments)


def test_every_argument_of_a_cluster_is_checked() -> None:
    assert {*_KINDS, "timeout_s"} == set(ClusterArguments.__annotations__)


@pytest.mark.parametrize("spelled", ["SIGTERM", "term", 15, signal.SIGTERM, "15"])
def test_a_signal_is_a_name_a_number_or_pythons_own(spelled: str | int) -> None:
    assert signal_meant(spelled) == "SIGTERM"


@pytest.mark.parametrize(
    ("select", "how", "message"),
    [
        ((["infra1", "infra2"],), {}, r"kill takes text, not \['infra1', 'infra2'\]"),
        ((1,), {}, "kill takes text, not 1"),
        (("infra1",), {"timeout_s": math.nan}, "timeout_s is a number of seconds"),
        (("infra1",), {"delay_s": "200ms"}, "delay_s is a number of seconds, .*, not '200ms'"),
        (("infra1",), {"seed": "x"}, "seed is a whole number, not 'x'"),
    ],
)
def test_a_verb_refuses_what_nobody_can_do(
    select: tuple[Any, ...], how: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_order("kill", select, how)


def test_names_in_a_list_are_told_apart_by_an_asterisk() -> None:
    with pytest.raises(InputError) as caught:
        check_order("move_leader", (["infra1"],), {})
    assert caught.value.hint == "move_leader(*names) takes several"


def test_questions_that_cannot_be_answered_are_not_asked(supervisor: Any) -> None:
    fake: FakeSupervisor = supervisor("mine")
    cluster = Cluster(name="mine")
    cluster._attached = fake.paths
    asking = (
        lambda: cluster.events(tail=-1),
        lambda: list(cluster.logs(tail=-1)),
        lambda: cluster.ctl("get", 1),  # type: ignore[arg-type]
        lambda: cluster.ctl("get", "a", timeout_s=math.nan),
        lambda: cluster.failover(0),
        lambda: cluster.wait_healthy(math.nan),
        lambda: cluster.reset(timeout_s=math.inf),
        lambda: cluster.upgrade("all", to="3.5", timeout_s=-1),
    )
    for ask in asking:
        with pytest.raises(InputError):
            ask()
    assert [asked.path for asked in fake.asked if asked.path != "/v1/plan"] == []

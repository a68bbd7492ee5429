"""The ports of generated members."""

from __future__ import annotations

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.plan.ports import MemberPorts, member_ports


def test_three_members_have_the_well_known_ports() -> None:
    assert member_ports(3) == (
        MemberPorts(12379, 12380, 12381, 12382),
        MemberPorts(22379, 22380, 22381, 22382),
        MemberPorts(32379, 32380, 32381, 32382),
    )


@pytest.mark.parametrize(
    ("count", "base", "step", "clients"),
    [
        (5, 12379, None, [12379, 22379, 32379, 42379, 52379]),
        (6, 12379, None, [12379, 13379, 14379, 15379, 16379, 17379]),
        (2, 20000, 4, [20000, 20004]),
        (1, 65532, None, [65532]),
        (3, 45532, None, [45532, 55532, 65532]),
    ],
)
def test_client_ports_are_a_step_apart(
    count: int, base: int, step: int | None, clients: list[int]
) -> None:
    assert [ports.client for ports in member_ports(count, base, step)] == clients


def test_twenty_five_members_fit() -> None:
    assert member_ports(25)[-1].client == 12379 + 24 * 1000


@pytest.mark.parametrize(
    ("count", "base", "step", "message", "hint"),
    [
        (0, 12379, None, "a cluster has 1 to 25 members, not 0", ""),
        (1000, 12379, None, "a cluster has 1 to 25 members, not 1000", ""),
        (-1, 12379, None, "a cluster has 1 to 25 members, not -1", ""),
        (3, 0, None, "the base port must be 1 to 65535, not 0", ""),
        (3, 70000, None, "the base port must be 1 to 65535, not 70000", ""),
        (
            3,
            45533,
            None,
            "with the base port 45533 and a step of 10000, ports of the 3 members pass 65535",
            "use a base port of at most 45532",
        ),
        (
            1,
            65533,
            None,
            "with the base port 65533, ports of the member pass 65535",
            "use a base port of at most 65532",
        ),
        (
            3,
            1,
            60000,
            "with the base port 1 and a step of 60000, ports of the 3 members pass 65535",
            "use a step of at most 32765",
        ),
        (
            2,
            12379,
            3,
            "the step between members' ports must be at least 4, not 3",
            "each member takes 4 ports in a row, from its client port on",
        ),
    ],
)
def test_numbers_that_give_no_ports_are_refused(
    count: int, base: int, step: int | None, message: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        member_ports(count, base, step)
    assert (str(caught.value), caught.value.hint) == (message, hint)

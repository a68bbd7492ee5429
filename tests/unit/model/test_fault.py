"""Faults on links as tables: which pairs they are about, and what becomes of each."""

from __future__ import annotations

import pytest
from etcd_sandbox.model.fault import LinkFault, Rule, are_linked, rules_of
from msgspec.structs import replace

CUT = Rule(cut=True)


def partition(side: str, other: str) -> LinkFault:
    return LinkFault(kind="partition", side=tuple(side.split()), other=tuple(other.split()))


def cut(one: str, another: str) -> LinkFault:
    return LinkFault(kind="cut", side=(one,), other=(another,))


def slow(side: str, other: str, delay_s: float, jitter_s: float = 0.0) -> LinkFault:
    return LinkFault(
        kind="slow",
        side=tuple(side.split()),
        other=tuple(other.split()),
        how={"delay_s": delay_s, "jitter_s": jitter_s},
    )


def one_way(fault: LinkFault) -> LinkFault:
    return replace(fault, one_way=True)


def other(kind: str, side: str, other: str, **how: float) -> LinkFault:
    return LinkFault(kind=kind, side=tuple(side.split()), other=tuple(other.split()), how=how)


def shown(rules: dict[tuple[str, str], Rule]) -> dict[str, Rule]:
    return {f"{sender}→{receiver}": rule for (sender, receiver), rule in sorted(rules.items())}


def test_a_fault_acts_both_ways_between_the_sides_and_not_within_one() -> None:
    assert sorted(partition("a b", "c d").pairs) == [
        ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"),
        ("c", "a"), ("c", "b"), ("d", "a"), ("d", "b"),
    ]  # fmt: skip


def test_a_member_has_no_link_to_itself() -> None:
    assert slow("a", "a", 0.1).pairs == frozenset()
    assert slow("a b", "a b", 0.1).pairs == frozenset({("a", "b"), ("b", "a")})


@pytest.mark.parametrize(
    ("faults", "rules"),
    [
        ([], {}),
        ([cut("a", "b")], {"a→b": CUT, "b→a": CUT}),
        (
            [slow("a", "b", 0.2, 0.1)],
            {"a→b": Rule(delay_s=0.2, jitter_s=0.1), "b→a": Rule(delay_s=0.2, jitter_s=0.1)},
        ),
        # A later delay replaces an earlier one.
        (
            [slow("a", "b", 0.2, 0.1), slow("b", "a", 0.05)],
            {"a→b": Rule(delay_s=0.05), "b→a": Rule(delay_s=0.05)},
        ),
        # A cut beats a delay, whichever came first.
        ([slow("a", "b", 0.2), cut("a", "b")], {"a→b": CUT, "b→a": CUT}),
        ([cut("b", "a"), slow("a", "b", 0.2)], {"a→b": CUT, "b→a": CUT}),
        # One way it is for what the first side sends.
        ([one_way(partition("a", "b c"))], {"a→b": CUT, "a→c": CUT}),
        (
            [one_way(slow("a", "b", 0.2)), cut("a", "c")],
            {
                "a→b": Rule(delay_s=0.2),
                "a→c": CUT,
                "c→a": CUT,
            },
        ),
        ([one_way(cut("a", "b")), one_way(cut("b", "a"))], {"a→b": CUT, "b→a": CUT}),
        # Clients that are refused are cut off as well, whichever came first.
        (
            [
                LinkFault(kind="cut", side=("a",), other=("clients",), how={"refuse": True}),
                LinkFault(kind="cut", side=("a",), other=("clients",)),
            ],
            {
                "a→clients": Rule(cut=True, refuse=True),
                "clients→a": Rule(cut=True, refuse=True),
            },
        ),
        # Different kinds add up on one pair; a later figure replaces an earlier one of its kind.
        (
            [
                one_way(slow("a", "b", 0.2)),
                one_way(other("throttle", "a", "b", bytes_per_s=64e3)),
                one_way(other("flaky", "a", "b", stall=0.5, reset=0.1, seed=3)),
                one_way(other("throttle", "a", "b", bytes_per_s=1e6)),
            ],
            {"a→b": Rule(delay_s=0.2, bytes_per_s=1e6, stall=0.5, reset=0.1, seed=3)},
        ),
        ([other("throttle", "a", "b", bytes_per_s=64e3), cut("a", "b")], {"a→b": CUT, "b→a": CUT}),
        # They add up over pairs.
        (
            [partition("a", "b"), slow("c", "a b c", 0.2)],
            {
                "a→b": CUT,
                "a→c": Rule(delay_s=0.2),
                "b→a": CUT,
                "b→c": Rule(delay_s=0.2),
                "c→a": Rule(delay_s=0.2),
                "c→b": Rule(delay_s=0.2),
            },
        ),
    ],
)
def test_faults_add_up_to_one_rule_a_pair(faults: list[LinkFault], rules: dict[str, Rule]) -> None:
    assert shown(rules_of(faults)) == rules


def test_a_fault_replaces_those_of_its_kind_that_it_covers_and_the_same_cut() -> None:
    limit = other("throttle", "a b", "c", bytes_per_s=64e3)
    assert limit.replaces(other("throttle", "a", "c", bytes_per_s=1e6))
    assert not limit.replaces(other("throttle", "a b", "c d", bytes_per_s=1e6))
    assert not limit.replaces(one_way(slow("a", "c", 0.2)))
    assert not one_way(limit).replaces(limit)
    assert cut("a", "b").replaces(cut("a", "b"))
    assert not cut("a", "b").replaces(one_way(cut("a", "b")))


def test_only_a_cut_separates_and_in_either_direction() -> None:
    assert are_linked("a", "b", {})
    assert are_linked("a", "b", rules_of([slow("a", "b", 5.0)]))
    assert are_linked("a", "c", rules_of([cut("a", "b")]))
    assert not are_linked("a", "b", rules_of([cut("a", "b")]))
    assert not are_linked("a", "b", {("a", "b"): CUT})
    assert not are_linked("a", "b", {("b", "a"): CUT})

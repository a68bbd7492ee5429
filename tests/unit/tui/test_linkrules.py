"""Faults as a status tells them, for each member and link."""

from __future__ import annotations

import pytest
from etcd_sandbox.model.fault import Rule
from etcd_sandbox.tui.memberrows import rules_in, words_for
from etcd_sandbox.verbs.faults import delay

NAMES = ("infra1", "infra2", "infra3")
PARTITION: dict[str, object] = {
    "kind": "partition",
    "members": ["infra1"],
    "versus": ["infra2", "infra3"],
}
CUT: dict[str, object] = {"kind": "cut", "members": ["infra1"], "versus": ["infra2"]}
SLOW: dict[str, object] = {
    "kind": "slow",
    "members": ["infra1"],
    "versus": ["infra3"],
    "delay_s": 0.2,
    "jitter_s": 0,
}
PAUSE: dict[str, object] = {"kind": "pause", "process": "etcd2", "member": "infra2"}


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ([], ("", "", "")),
        ([PAUSE], ("", "", "")),
        ([PARTITION], ("cut off", "cut from infra1", "cut from infra1")),
        ([CUT], ("cut from infra2", "cut from infra1", "")),
        ([SLOW], ("slow links", "", "slow links")),
        ([SLOW, PARTITION], ("cut off", "cut from infra1", "cut from infra1")),
        ([{"kind": "something new", "members": ["infra1"]}], ("", "", "")),
    ],
)
def test_each_member_is_told_what_is_wrong_with_its_links(
    faults: list[dict[str, object]], words: tuple[str, ...]
) -> None:
    rules = rules_in(faults)
    assert tuple(words_for(name, NAMES, rules) for name in NAMES) == words


def test_a_larger_partition_counts_the_peers() -> None:
    names = [f"infra{n}" for n in range(1, 6)]
    rules = rules_in([{"kind": "partition", "members": names[:2], "versus": names[2:]}])
    assert words_for("infra1", names, rules) == "cut from 3 peers"


def test_a_member_alone_is_not_cut_off() -> None:
    assert words_for("infra1", ["infra1"], {}) == ""


def test_a_cut_beats_a_delay_whatever_came_first() -> None:
    slow = {**SLOW, "versus": ["infra2"]}
    for faults in ([CUT, slow], [slow, CUT]):
        assert rules_in(faults)["infra2", "infra1"].cut


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(delay_s=0.2), "200 ms"),
        (Rule(delay_s=0.2, jitter_s=0.05), "200 ms ± 50 ms"),
        (Rule(delay_s=1.5), "1.5 s"),
    ],
)
def test_a_delay_is_told_as_everywhere(rule: Rule, words: str) -> None:
    assert delay(rule.delay_s, rule.jitter_s) == words

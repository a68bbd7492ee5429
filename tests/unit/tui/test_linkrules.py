"""Faults as a status tells them, for each member and link."""

from __future__ import annotations

import pytest
from etcd_sandbox.model.fault import Rule
from etcd_sandbox.tui.linkrows import note_of, rule_words, rules_in, words_for

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
THROTTLE: dict[str, object] = {
    "kind": "throttle",
    "members": ["infra1"],
    "versus": ["infra3"],
    "bytes_per_s": 64e3,
}
FLAKY: dict[str, object] = {
    "kind": "flaky",
    "members": ["infra1"],
    "versus": ["infra3"],
    "stall": 0.05,
    "reset": 0.01,
    "seed": 7,
}
STARVE: dict[str, object] = {
    "kind": "starve",
    "process": "etcd2",
    "member": "infra2",
    "share": 0.2,
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
        (
            [{**PARTITION, "one_way": True}],
            ("unheard by all", "deaf to infra1", "deaf to infra1"),
        ),
        ([{**CUT, "one_way": True}, SLOW], ("unheard by infra2", "deaf to infra1", "slow links")),
        (
            [THROTTLE, SLOW, FLAKY],
            (
                "slow links, throttled links, flaky links",
                "",
                "slow links, throttled links, flaky links",
            ),
        ),
        ([{**CUT, "versus": ["clients"]}], ("cut from clients", "", "")),
        (
            [{**SLOW, "versus": ["clients"]}, {**CUT, "versus": ["clients"], "one_way": True}],
            ("unheard by clients", "", ""),
        ),
        (
            [CUT, {**SLOW, "versus": ["clients"]}],
            ("cut from infra2, slow links", "cut from infra1", ""),
        ),
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
        (Rule(bytes_per_s=64e3), "64 KB/s"),
        (Rule(delay_s=0.1, stall=0.05, reset=0.01), "100 ms, stalls 5 %, resets 1 %"),
    ],
)
def test_what_ails_a_link_is_told_with_its_figures(rule: Rule, words: str) -> None:
    assert rule_words(rule) == words


def test_a_starved_process_is_told_with_its_share_and_a_paused_one_by_its_state() -> None:
    assert note_of("etcd2", [PARTITION, PAUSE, STARVE]) == "starved to 20 %"
    assert note_of("etcd1", [PARTITION, PAUSE, STARVE]) == ""

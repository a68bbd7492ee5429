"""What the faults of a status mean for each member and each link between two of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from etcd_sandbox.model.fault import LinkFault, LinkFaultKind, Pair, Rule, rules_of

_LINK_FAULTS = frozenset(LinkFaultKind)


def rules_in(faults: Iterable[Mapping[str, Any]]) -> dict[Pair, Rule]:
    """The rule of each pair of members that has one, by member names.

    Faults of other kinds, such as pauses, and kinds that a newer supervisor may know are passed over.
    """
    return rules_of(
        LinkFault(
            kind=LinkFaultKind(fault["kind"]),
            side=tuple(fault.get("members", ())),
            other=tuple(fault.get("versus", ())),
            delay_s=fault.get("delay_s", 0.0),
            jitter_s=fault.get("jitter_s", 0.0),
        )
        for fault in faults
        if fault.get("kind") in _LINK_FAULTS
    )


def words_for(member: str, others: Iterable[str], rules: Mapping[Pair, Rule]) -> str:
    """What is wrong with a member's links: `cut off`, `cut from infra2`, `slow links`; empty if nothing."""
    peers = [other for other in others if other != member]
    cut = [peer for peer in peers if (rule := rules.get((member, peer))) and rule.cut]
    if cut and len(cut) == len(peers):
        return "cut off"
    if cut:
        return f"cut from {cut[0] if len(cut) == 1 else f'{len(cut)} peers'}"
    return "slow links" if any((member, peer) in rules for peer in peers) else ""


def delay_words(rule: Rule) -> str:
    """The delay of a slow link: `200 ms`, `200±50 ms`."""
    jitter = f"±{rule.jitter_s * 1000:g}" if rule.jitter_s else ""
    return f"{rule.delay_s * 1000:g}{jitter} ms"

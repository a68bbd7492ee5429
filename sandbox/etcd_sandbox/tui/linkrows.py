"""What faults have made of links and members, as the dashboard says it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from etcd_sandbox.model.fault import CLIENTS, LinkFault, Pair, Rule, rules_of
from etcd_sandbox.verbs import VERBS, fault_of, figures

_LINK_FAULTS = frozenset(name for name, verb in VERBS.items() if verb.targets.has_sides)


def rules_in(faults: Iterable[Mapping[str, Any]]) -> dict[Pair, Rule]:
    """The rule of each pair of members that has one, by member names.

    Faults of other kinds, such as pauses, and kinds that a newer supervisor may know are passed over.
    """
    return rules_of(
        LinkFault(
            kind=fault["kind"],
            side=tuple(fault.get("members", ())),
            other=tuple(fault.get("versus", ())),
            one_way=bool(fault.get("one_way")),
            how={name: fault[name] for name in Rule.__struct_fields__ if name in fault},
        )
        for fault in faults
        if fault.get("kind") in _LINK_FAULTS
    )


def words_for(member: str, others: Iterable[str], rules: Mapping[Pair, Rule]) -> str:
    """What is wrong with a member's links: `cut off`, `unheard by infra2`, `slow links`; empty if nothing."""
    peers = [other for other in others if other != member]
    words = (_ails_of(member, peers, rules), _ails_of(member, [CLIENTS], rules))
    return ", ".join(filter(None, words))


def _ails_of(member: str, peers: Sequence[str], rules: Mapping[Pair, Rule]) -> str:
    """What is wrong between a member and these, its peers or its clients."""
    said = {peer for peer in peers if (rule := rules.get((member, peer))) and rule.cut}
    heard = {peer for peer in peers if (rule := rules.get((peer, member))) and rule.cut}
    if len(said & heard) == len(peers) and peers and peers != [CLIENTS]:
        return "cut off"
    ails = (("cut from", said & heard), ("unheard by", said - heard), ("deaf to", heard - said))
    words = [f"{what} {_whom(whom, peers)}" for what, whom in ails if whom]
    if words:
        return ", ".join(words)
    known = [rules[pair] for p in peers for pair in ((member, p), (p, member)) if pair in rules]
    words = [what for what, ails_so in _AILS.items() if any(map(ails_so, known))]
    return ", ".join(words)


def _whom(whom: Collection[str], peers: Sequence[str]) -> str:
    if len(whom) == 1:
        return next(iter(whom))
    return "all" if len(whom) == len(peers) else f"{len(whom)} peers"


_AILS: dict[str, Callable[[Rule], object]] = {
    "slow links": lambda rule: rule.delay_s or rule.jitter_s,
    "throttled links": lambda rule: rule.bytes_per_s is not None,
    "flaky links": lambda rule: rule.stall or rule.reset,
}


def rule_words(rule: Rule) -> str:
    """What ails a link: `200 ms`, `200 ms ± 50 ms`, `64 KB/s`, `stalls 5 %`."""
    words = []
    if rule.delay_s or rule.jitter_s:
        words.append(figures.delay(rule.delay_s, rule.jitter_s))
    if rule.bytes_per_s is not None:
        words.append(figures.rate(rule.bytes_per_s))
    if rule.stall:
        words.append(f"stalls {figures.share(rule.stall)}")
    if rule.reset:
        words.append(f"resets {figures.share(rule.reset)}")
    return ", ".join(words)


def note_of(process: str, faults: Iterable[Mapping[str, Any]]) -> str:
    """What the faults of a process say beside its state: `starved to 20 %`; empty if nothing."""
    hit = [fault for fault in faults if fault.get("process") == process]
    notes = ((fault_of(fault.get("kind")).note, fault) for fault in hit)
    return ", ".join(note(fault) for note, fault in notes if note is not None)

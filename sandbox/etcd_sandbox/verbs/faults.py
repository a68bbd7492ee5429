"""The verbs that break something until it is healed, and the one that heals. The live halves are `cluster.faults`."""

from __future__ import annotations

from collections.abc import Iterable

from etcd_sandbox.verbs.verb import (
    Fault,
    Key,
    Needs,
    Option,
    Outcome,
    Targets,
    Told,
    Type,
    Verb,
    leads,
)


def _hit(told: Told) -> str:
    return str(told.get("member") or told.get("process") or "cluster")


def _sides(told: Told) -> tuple[str, str]:
    return _listed(told.get("members", ())), _listed(told.get("versus", ()))


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))


PAUSE = Verb(
    name="pause",
    summary="Let processes hang (SIGSTOP).",
    help="Let processes hang (SIGSTOP): they keep their ports and answer nobody.",
    past="paused",
    instant=True,
    silent=True,
    undone_by="resume",
    fault=Fault(
        state=lambda told: f"{_hit(told)} is paused",
        applied=lambda told: f"{_hit(told)} paused",
        healed=lambda told: f"{_hit(told)} goes on",
        marks=(("‖", "paused"), ("▸", "resumed")),
    ),
    key=Key("p", "Pause", "Let the selected process hang (SIGSTOP).", 7, Needs.RUN),
)


def _cut_off(told: Told) -> str:
    side, other = _sides(told)
    return f"{side} {'are' if ', ' in side else 'is'} cut off from {other}"


def _says_partition(verdict: Outcome, how: Told) -> str:
    leader = next((each.name for each in verdict.processes if each.was_leader), None)
    off = f"cut {_listed(verdict.targets)} off from {_listed(verdict.versus)}"
    return f"{off}{leads(leader, len(verdict.targets))}"


PARTITION = Verb(
    name="partition",
    summary="Cut peer traffic between two sides.",
    help="Cut all peer traffic between two sides, both ways; clients still reach every member.\n\n"
    "The other side is everyone else, if it is not given.",
    targets=Targets.SIDES,
    past="partitioned",
    says=_says_partition,
    instant=True,
    silent=True,
    undone_by="heal",
    fault=Fault(state=_cut_off),
    key=Key("x", "Partition", "Cut the selected member off from all others.", 4, Needs.LINKS),
)


def _one_cut(told: Told) -> str:
    side, other = _sides(told)
    return f"the link between {side} and {other} is cut"


CUT = Verb(
    name="cut",
    summary="Cut the one link between two members.",
    help="Cut the one link between two members, both ways.",
    targets=Targets.PAIR,
    past="cut",
    says=lambda verdict, how: (
        f"cut the link between {_listed(verdict.targets)} and {_listed(verdict.versus)}"
    ),
    instant=True,
    silent=True,
    undone_by="heal",
    fault=Fault(state=_one_cut),
)


def _late(told: Told) -> str:
    side, other = _sides(told)
    late = delay(told.get("delay_s", 0), told.get("jitter_s", 0))
    if set(told.get("members", ())) <= set(told.get("versus", ())):
        return f"the links of {side} are slow by {late} a way"
    return f"the links between {side} and {other} are slow by {late} a way"


def _says_slow(verdict: Outcome, how: Told) -> str:
    to = set(verdict.versus) - set(verdict.targets)
    where = f" to {_listed(verdict.versus)}" if how.get("versus") and to else ""
    by = delay(how["delay_s"], how.get("jitter_s", 0))
    return f"slowed the links of {_listed(verdict.targets)}{where} by {by} a way"


SLOW = Verb(
    name="slow",
    summary="Delay peer traffic.",
    help="Delay peer traffic: on all links of the selected members, or only on those to the other side."
    "\n\nA cut beats a delay; a later delay replaces an earlier one.",
    targets=Targets.LINKS,
    options=(
        Option(("--delay",), "delay_s", Type.SPAN, "Added to each way.", metavar="SPAN"),
        Option(
            ("--jitter",),
            "jitter_s",
            Type.SPAN,
            "The delay varies by up to this.",
            default="0s",
            metavar="SPAN",
        ),
    ),
    past="slowed",
    says=_says_slow,
    instant=True,
    silent=True,
    undone_by="heal",
    fault=Fault(state=_late),
    key=Key(
        "d",
        "Slow",
        "Delay the selected member's peer traffic by 200 ms a way.",
        13,
        Needs.LINKS,
        how={"delay_s": 0.2},
    ),
)


def _says_heal(verdict: Outcome, how: Told) -> str:
    names = _listed(verdict.targets)
    return f"healed {names}" if names else "nothing to heal: no fault is there"


HEAL = Verb(
    name="heal",
    summary="Undo every fault.",
    help="Undo every fault, whichever command made it: links that are cut or slow, pauses.",
    targets=Targets.NONE,
    past="healed",
    says=_says_heal,
    instant=True,
    key=Key("h", "Heal", "Undo every fault: links and pauses.", 5, Needs.FAULT),
)


def delay(delay_s: float, jitter_s: float = 0) -> str:
    """A delay that was asked for: `200 ms`, `1.5 s`, `200 ms ± 50 ms`."""
    shown = f"{delay_s * 1000:g} ms" if delay_s < 1 else f"{delay_s:g} s"
    return f"{shown} ± {delay(jitter_s)}" if jitter_s else shown

"""The faults on the links between members. Their live half is `cluster.faults.links`."""

from __future__ import annotations

from collections.abc import Iterable

from etcd_sandbox.verbs import figures
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


def listed(names: Iterable[object]) -> str:
    """Names as a sentence has them."""
    return ", ".join(map(str, names))


def _sides(told: Told) -> tuple[str, str]:
    return listed(told.get("members", ())), listed(told.get("versus", ()))


def _between(told: Told) -> str:
    """Which links a fault is about, as the subject of a sentence."""
    side, other = _sides(told)
    if set(told.get("members", ())) <= set(told.get("versus", ())):
        return f"the links of {side}"
    return f"the links between {side} and {other}"


def _hit(verdict: Outcome, how: Told) -> str:
    """Which links a verb was for, as the object of a sentence."""
    to = set(verdict.versus) - set(verdict.targets)
    where = f" to {listed(verdict.versus)}" if how.get("versus") and to else ""
    return f"the links of {listed(verdict.targets)}{where}"


REFUSE = Option(
    ("--refuse",),
    "refuse",
    Type.SWITCH,
    "Reset the connections of clients, and new ones at once, instead of letting them wait for ever.",
    default=False,
)
ONE_WAY = Option(
    ("--one-way",),
    "one_way",
    Type.SWITCH,
    "Only for what the first side sends to the second.",
    default=False,
)


def _cut_off(told: Told) -> str:
    side, other = _sides(told)
    if told.get("refuse"):
        return f"{side} {'refuse' if ', ' in side else 'refuses'} {other}"
    if told.get("one_way"):
        return f"nothing that {side} {_send(side)} reaches {other}"
    return f"{side} {'are' if ', ' in side else 'is'} cut off from {other}"


def _send(side: str) -> str:
    return "send" if ", " in side else "sends"


def _says_partition(verdict: Outcome, how: Told) -> str:
    leader = next((each.name for each in verdict.processes if each.was_leader), None)
    side, other = listed(verdict.targets), listed(verdict.versus)
    off = f"cut {side} off from {other}"
    if how.get("refuse"):
        off = f"cut {side} off from {other}, who are refused"
    elif how.get("one_way"):
        off = f"cut what {side} {_send(side)} to {other}"
    if how.get("refuse") or how.get("one_way"):
        return off if leader is None else f"{off}; {leader} was the leader"
    return f"{off}{leads(leader, len(verdict.targets))}"


PARTITION = Verb(
    name="partition",
    summary="Cut peer traffic between two sides.",
    help="Cut all peer traffic between two sides, both ways; clients still reach every member.\n\n"
    "The other side is everyone else, if it is not given. 'vs clients' cuts members off from their clients, where "
    "the cluster was started with --client-links.",
    targets=Targets.SIDES,
    options=(ONE_WAY, REFUSE),
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
    if told.get("one_way") or told.get("refuse"):
        return _cut_off(told)
    return f"the link between {side} and {other} is cut"


def _says_cut(verdict: Outcome, how: Told) -> str:
    side, other = listed(verdict.targets), listed(verdict.versus)
    if how.get("one_way"):
        return f"cut what {side} sends to {other}"
    if how.get("refuse"):
        return f"cut {side} off from {other}, who are refused"
    return f"cut the link between {side} and {other}"


CUT = Verb(
    name="cut",
    summary="Cut the one link between two members.",
    help="Cut the one link between two members, both ways.",
    targets=Targets.PAIR,
    options=(ONE_WAY, REFUSE),
    past="cut",
    says=_says_cut,
    instant=True,
    silent=True,
    undone_by="heal",
    fault=Fault(state=_one_cut),
)


def _late(told: Told) -> str:
    late = figures.delay(told.get("delay_s", 0), told.get("jitter_s", 0))
    if told.get("one_way"):
        side, other = _sides(told)
        return f"what {side} {_send(side)} to {other} is late by {late}"
    return f"{_between(told)} are slow by {late} a way"


def _says_slow(verdict: Outcome, how: Told) -> str:
    by = figures.delay(how["delay_s"], how.get("jitter_s", 0))
    if how.get("one_way"):
        side = listed(verdict.targets)
        return f"slowed what {side} {_send(side)} to {listed(verdict.versus)} by {by}"
    return f"slowed {_hit(verdict, how)} by {by} a way"


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
        ONE_WAY,
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

THROTTLE = Verb(
    name="throttle",
    summary="Limit how much peer traffic passes in a second.",
    help="Limit the peer traffic of each pair of members, each way: on all links of the selected "
    "members, or only on those to the other side.\n\nA later limit replaces an earlier one.",
    targets=Targets.LINKS,
    options=(
        Option(
            ("--rate",),
            "bytes_per_s",
            Type.RATE,
            "How much passes from one member to another in a second.",
            metavar="RATE",
            most=1e12,
            example="64KB/s",
        ),
    ),
    past="throttled",
    says=lambda verdict, how: (
        f"throttled {_hit(verdict, how)} to {figures.rate(how['bytes_per_s'])} a way"
    ),
    instant=True,
    silent=True,
    undone_by="heal",
    fault=Fault(
        state=lambda told: (
            f"{_between(told)} let {figures.rate(told.get('bytes_per_s', 0))} pass a way"
        )
    ),
)


def _ails(how: Told) -> str:
    """What becomes of the pieces: `5 % of the pieces stall, 1 % reset their connection`."""
    shares = [(how.get("stall"), "stall"), (how.get("reset"), "reset their connection")]
    ails = [f"{figures.share(share)} {what}" for share, what in shares if share]
    return ", ".join(ails).replace(" %", " % of the pieces", 1)


FLAKY = Verb(
    name="flaky",
    summary="Let peer traffic stall and break, as a network that loses packets does.",
    help="""Let peer traffic stall and break: on all links of the selected members, or only on those to the other side.

    TCP sends again what is lost, so that a lossy network shows as stalls: 200 ms for what is lost once, twice as long
    for what is lost again. A reset ends the connection, and the members dial anew. Both are drawn for each
    piece that is sent, as often as that is said. Later shares replace earlier ones.
    """,
    targets=Targets.LINKS,
    options=(
        Option(
            ("--stall",),
            "stall",
            Type.SHARE,
            "How many of the pieces are lost and sent again.",
            default="0%",
            metavar="SHARE",
            most=1.0,
            example="5%",
        ),
        Option(
            ("--reset",),
            "reset",
            Type.SHARE,
            "How many of the pieces end their connection.",
            default="0%",
            metavar="SHARE",
            most=1.0,
            example="1%",
        ),
    ),
    past="made flaky",
    says=lambda verdict, how: f"made {_hit(verdict, how)} flaky: {_ails(how)}",
    instant=True,
    silent=True,
    undone_by="heal",
    draws=True,
    any_of=("stall", "reset"),
    fault=Fault(
        state=lambda told: f"{_between(told)} are flaky: {_ails(told)}",
    ),
)


def _broken(told: Told) -> str:
    side, other = _sides(told)
    if set(told.get("members", ())) <= set(told.get("versus", ())):
        return f"the peer connections of {side} were reset"
    return f"the connections between {side} and {other} were reset"


def _says_reset(verdict: Outcome, how: Told) -> str:
    links = _hit(verdict, how)
    what = "connections" if how.get("versus") else "peer connections"
    return f"reset the {what}{links.removeprefix('the links')}"


RESET = Verb(
    name="reset",
    summary="Reset the connections that are open now.",
    help="Reset the peer connections that are open now, also in the middle of an answer: all those of the selected "
    "members, or only those to the other side, which can be 'clients'.\n\nNew ones are as good as ever.",
    targets=Targets.LINKS,
    past="reset",
    says=_says_reset,
    instant=True,
    fault=Fault(state=_broken, passes=True),
    python="reset_links",
)

"""What a verdict says against what the witness saw. Pure; each rule is a function with a name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from tests.witness.claims import Contradiction, Healthy, Refusal, Verdict
from tests.witness.history import History, Span
from tests.witness.observed import Outcome, Pulse
from tests.witness.statusrules import UNKNOWN, Found

Rule = Callable[[Verdict, History], Found]

FIGURES_AGREE_S = 0.25
"""Two who measure the same gap with reads of their own agree within this, and within their own lateness."""

WRITES_ARE_TRIED_S = 0.3
"""Between two writes of the product, and of the witness, lies so much."""

_WITHOUT_GOODBYE = ("kill", "pause")
"""A leader that is stopped hands over, in less time than there is in the figures."""

_NOT_SERVED = ("failed", "failing", "waiting")

SETTLED_FOR_S = 1.3
"""A verdict waits for a last read of up to a second after the cluster was found to have settled."""

_NO_LEADER = re.compile(r"no (?:member leads|leader|quorum)|quorum (?:is )?lost")

ENDS = {"kill": Pulse.ENDED, "stop": Pulse.ENDED, "pause": Pulse.STOPPED}


def leader_after(claim: Verdict, history: History) -> Found:
    """Who leads at the end leads then."""
    name, term = claim.body["leader_after"], claim.body["term_after"]
    if name is not None and not history.may_lead(name, term, _end(claim)):
        yield f"{name} leads in term {term}", _leading(history, _end(claim))


def leader_before(claim: Verdict, history: History) -> Found:
    """Who led before did so at some moment between the order and the answer."""
    name, term = claim.body["leader_before"], claim.body["term_before"]
    span = claim.span.wider(before=0.3)
    if name is not None and not history.may_lead(name, term, span):
        yield f"{name} led before, in term {term}", _leading(history, span)


def nobody_leads(claim: Verdict, history: History) -> Found:
    """No leader, or no quorum, at the end: not while somebody led and reads were served."""
    if claim.body.get("quorum") is None or claim.body["leader_after"] is not None:
        return
    reign = history.led_throughout(_end(claim))
    if reign is not None and not UNKNOWN.search(claim.sentence):
        yield repr(claim.sentence), f"{reign.member} led in term {reign.term}, reads were served"


def still_leads(claim: Verdict, history: History) -> Found:
    """One who 'still leads' never ceased to."""
    body = claim.body
    elected = history.elections(claim.span)
    if "still leads" in claim.sentence and elected:
        yield repr(claim.sentence), f"{elected[-1].member} elected in term {elected[-1].term}"
    before, after = body["leader_before"], body["leader_after"]
    never = body.get("leader_gap_s") == 0.0 and body["verb"] in _WITHOUT_GOODBYE
    others = [sign for sign in elected if sign.member != before]
    if never and others and None not in (before, after) and before != after:
        yield "never without a leader", f"{others[0].member} elected after the {body['verb']}"


def leader_gap(claim: Verdict, history: History) -> Found:
    """The time without a leader is no longer than until the election, and no shorter than seen."""
    gap, elected = claim.body.get("leader_gap_s"), history.elections(claim.span)
    if gap is None or len(elected) != 1 or elected[0].member != claim.body["leader_after"]:
        return
    slack = FIGURES_AGREE_S + history.lateness_s(claim.span)
    before = claim.body["leader_before"]
    # Whoever believes to lead without a quorum led last when it was obeyed, before the order.
    since = min(claim.span.begin, _last_led(history, elected[0].ts))
    longest = max(elected[0].ts - since, 0.0)
    if gap > longest + slack:
        yield f"{gap} s without a leader", f"{longest:.2f} s until the election"
    if before is None:
        return
    ended = history.ended_after(before, claim.span.begin)
    if ended < elected[0].ts and gap < elected[0].ts - ended - slack:
        yield f"{gap} s without a leader", f"{elected[0].ts - ended:.2f} s after {before} ended"


def read_gap(claim: Verdict, history: History) -> Found:
    """Reads failed for as long as the witness's own did."""
    said, reads = claim.body.get("read_gap_s"), claim.body.get("reads") or {}
    if said is not None:
        # Where each read is slow, the next one of a member is tried when it has ended.
        slack_s = FIGURES_AGREE_S + (
            0.0 if reads.get("how") in _NOT_SERVED else reads.get("wait_s", 0.0)
        )
        yield from _gaps("reads", said, slack_s, history.read, claim.span, history)
    open_end = reads.get("how") in ("failing", "waiting") if reads else said is None
    measured = claim.body.get("quorum") is not None and claim.body["leader_after"] is not None
    if measured and open_end and history.serves_throughout(_end(claim)):
        yield "reads fail", "reads served all the time at the end"


def write_gap(claim: Verdict, history: History) -> Found:
    """Writes failed for as long as the witness's own did; of writes that are lost nothing is said."""
    writes = claim.body.get("writes")
    if writes is not None and not claim.body.get("lost_writes"):
        slack_s = FIGURES_AGREE_S + WRITES_ARE_TRIED_S
        slack_s += 0.0 if writes["how"] in _NOT_SERVED else writes["wait_s"]
        yield from _gaps("writes", writes["gap_s"], slack_s, history.written, claim.span, history)


def slow_reads(claim: Verdict, history: History) -> Found:
    """Reads that went on were not slow, and reads that are slow were."""
    reads, span = claim.body.get("reads") or {}, _end(claim)
    within = [
        each for each in history.reads if claim.span.begin <= each.sent and each.ended <= span.end
    ]
    took = sorted(each.ended - each.sent for each in within if each.outcome is Outcome.SERVED)
    slack = FIGURES_AGREE_S + history.lateness_s(claim.span)
    if took and "reads went on" in claim.sentence and took[len(took) // 2] > slack:
        yield "reads went on", f"half of all reads took {took[len(took) // 2]:.2f} s and more"
    # One that is still under way, or began before, shows as well that reads are slow: as far as it came.
    about = [
        each for each in history.reads if each.ended >= claim.span.begin and each.sent <= span.end
    ]
    longest = max((min(each.ended, span.end) - each.sent for each in about), default=None)
    if longest is not None and reads.get("how") == "slow" and reads["wait_s"] > longest + slack:
        yield f"reads take up to {reads['wait_s']} s", f"no read took longer than {longest:.2f} s"


def _gaps(
    what: str,
    said: float,
    slack_s: float,
    served: Sequence[float],
    span: Span,
    history: History,
) -> Found:
    slack_s += 2 * history.lateness_s(span)
    seen = history.longest_gap_s(served, span)
    if seen is not None and said > seen + slack_s:
        yield f"{what} failed for {said} s", f"no longer than {seen:.2f} s between two {what}"
    # The witness's own gap counts as far as it lies within the time of the verb.
    inside = _gap_inside(served, span)
    if inside > said + slack_s:
        yield f"{what} failed for {said} s", f"{inside:.2f} s without any that was served"


def voters(claim: Verdict, history: History) -> Found:
    """As many voters as etcd's own member list had."""
    quorum, lists = claim.body.get("quorum"), history.lists_in(claim.span)
    if quorum is None or not lists:
        return
    counts = {sum(not entry.learner for entry in listed) for listed in lists}
    if quorum["voters"] not in counts:
        yield f"{quorum['voters']} voters", f"{sorted(counts)} on etcd's list"
    if quorum["needed"] != quorum["voters"] // 2 + 1:
        yield f"{quorum['needed']} of {quorum['voters']} needed", "a majority is more or fewer"


def quorum_there(claim: Verdict, history: History) -> Found:
    """What is said of the quorum at the end: as `status` says it."""
    quorum, span = claim.body.get("quorum"), _end(claim)
    if quorum is None:
        return
    if not quorum["ok"] and history.led_throughout(span):
        yield f"quorum not ok: {quorum}", "reads served all the time"
    up, lists = claim.body.get("up"), history.lists_in(span)
    if up is None or not lists:
        return
    most = max(
        sum(
            not entry.name or history.may_live(entry.name, span)
            for entry in listed
            if not entry.learner
        )
        for listed in lists
    )
    if up > most:
        yield f"{up} up", f"at most {most} that ran"


def believers(claim: Verdict, history: History) -> Found:
    """Whoever 'still believes that it leads' said so."""
    for told in claim.body.get("leaders", ()):
        if not history.may_lead(told["member"], told["term"], _end(claim)):
            yield (
                f"{told['member']} believes that it leads (term {told['term']})",
                _leading(history, _end(claim)),
            )


def targets(claim: Verdict, history: History) -> Found:
    """Whom the verb ended or stopped has ended or stopped."""
    fits = ENDS.get(claim.body["verb"])
    for target in claim.body.get("processes", ()):
        name = target["member"]
        if fits is None or name is None or not target["done"] or target["pid"] is None:
            continue
        pulses = [
            seen for seen in history.pulses_of(name, _end(claim)) if seen.pid == target["pid"]
        ]
        if (
            pulses
            and not any(seen.pulse is fits for seen in pulses)
            and all(seen.pid == target["pid"] for seen in history.pulses_of(name, _end(claim)))
        ):
            yield f"{claim.body['verb']} {name} (pid {target['pid']})", f"it {pulses[-1].pulse}"


RULES: tuple[Rule, ...] = (
    leader_after,
    leader_before,
    nobody_leads,
    still_leads,
    leader_gap,
    read_gap,
    write_gap,
    slow_reads,
    voters,
    quorum_there,
    believers,
    targets,
)


def contradictions(claim: Verdict, history: History) -> Iterable[Contradiction]:
    """What a verdict says and the witness saw otherwise."""
    for rule in RULES:
        for said, seen in rule(claim, history):
            said = f"{claim.body['verb']} {', '.join(claim.body['targets'])}: {said}"
            yield Contradiction(f"verdict.{rule.__name__}", said, seen, claim.span.end)


def gave_up(claim: Healthy, history: History) -> Iterable[Contradiction]:
    """`wait_healthy` gave up because of members that answered at once, with a leader, at the end."""
    span = claim.told
    for name in history.answers:
        ailing = f"{name} is not healthy" in claim.error
        if ailing and history.answers_well(name, span):
            yield Contradiction(
                "wait_healthy.gave_up", claim.error, f"{name} answered at once", claim.span.end
            )


def _end(claim: Verdict) -> Span:
    return Span(max(claim.span.begin, claim.span.end - SETTLED_FOR_S), claim.span.end)


def _last_led(history: History, moment: float) -> float:
    """When a leader was obeyed for the last time before the moment, by logs and by reads; never, else.

    A leader that is cut off leads for its log until it steps down, and for nobody else.
    """
    ends = [reign.span.end for reign in history.reigns if reign.span.end <= moment]
    before = [served for served in history.read if served <= moment]
    return min(max(ends, default=float("-inf")), max(before, default=float("-inf")))


def _gap_inside(served: Sequence[float], span: Span) -> float:
    """The longest time within the span between two that were served, both within it."""
    moments = [moment for moment in served if span.begin <= moment <= span.end]
    return max((later - earlier for earlier, later in pairwise(moments)), default=0.0)


def _leading(history: History, span: Span) -> str:
    reigns = [
        f"{each.member} (term {each.term})" for each in history.reigns if each.span.meets(span)
    ]
    return f"{', '.join(reigns) or 'nobody'} leading"


def refused(claim: Refusal, history: History) -> Iterable[Contradiction]:
    """A verb was not done for want of a leader or a quorum: not while somebody led and reads were served."""
    span = Span(max(claim.span.begin, claim.span.end - SETTLED_FOR_S), claim.span.end)
    reign = history.led_throughout(span)
    if reign is not None and _NO_LEADER.search(claim.error):
        said, seen = f"{claim.asked}: {claim.error}", f"{reign.member} led in term {reign.term}"
        yield Contradiction("refusal.no_leader", said, seen, claim.span.end)

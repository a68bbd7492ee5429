"""What all verbs have in common: their options, the order that is sent, and what is said of its verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etcd_sandbox.cli import output
from etcd_sandbox.cli.params import WHOLE, timeout
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import TimedOut
from etcd_sandbox.model.verb import MEMBERSHIP, Verb

if TYPE_CHECKING:
    from etcd_sandbox.model.verdict import Target, Verdict

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_OPTIONS = (
    timeout("How long to wait until it is done and the cluster has settled."),
    click.option(
        "--wait/--no-wait",
        default=True,
        show_default=True,
        help="Wait until the cluster has settled, and say what happened meanwhile.",
    ),
    click.option(
        "--seed", type=WHOLE, metavar="N", help="What 'random' draws from: the same member again."
    ),
)

_DONE = {
    Verb.START: "started",
    Verb.STOP: "stopped",
    Verb.RESTART: "restarted",
    Verb.KILL: "killed",
    Verb.PAUSE: "paused",
    Verb.RESUME: "resumed",
    Verb.ADD: "added",
    Verb.PROMOTE: "promoted",
    Verb.REMOVE: "removed",
    Verb.REPLACE: "replaced",
}
_NEXT = {Verb.STOP: "start", Verb.KILL: "start", Verb.PAUSE: "resume"}
_LINKS = (Verb.PARTITION, Verb.CUT, Verb.SLOW)


def measured(command: Decorated) -> Decorated:
    """Adds the options of a verb whose effect is measured, and the global ones."""
    command = common(data=True)(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def order(verb: Verb, select: Sequence[str], *, timeout_s: float, **how: Any) -> None:
    """Have it done and show the verdict. Raises TimedOut when the cluster has not settled."""
    import msgspec

    from etcd_sandbox.cli.choice import running
    from etcd_sandbox.model.verdict import Verdict, sentence

    if "random" in (*select, *how.get("versus", ())) and how.get("seed") is None:
        import secrets

        how["seed"] = secrets.randbelow(10**6)
    client = running()
    if verb in MEMBERSHIP:
        from etcd_sandbox.cli.waiting import told_meanwhile

        with told_meanwhile(client, verb):
            answer = client.act(verb, select, timeout_s=timeout_s, **how)
    else:
        answer = client.act(verb, select, timeout_s=timeout_s, **how)
    verdict = msgspec.convert(answer, Verdict)
    if settings().json:
        output.document(answer)
    else:
        for text in _told(verdict, how):
            output.line(text)
        if words := sentence(verdict):
            output.line(f"  {words}")
        for note in verdict.notes:
            output.line(f"  {note}")
        for command in verdict.equivalents:
            output.line(f"  same as: {command}")
        output.next_step(_following(verdict, how))
    check_settled(verdict, timeout_s)


def check_settled(verdict: Verdict, timeout_s: float) -> None:
    """Raises TimedOut where the cluster has not settled."""
    if not verdict.settled:
        raise TimedOut(
            f"the cluster has not settled within {timeout_s:g} s",
            hint="etcd-sandbox status and etcd-sandbox events -f show what goes on",
        )


def _told(verdict: Verdict, how: Mapping[str, Any]) -> list[str]:
    """What was done, whom it hit, or why there was nothing to do; `how` are the verb's options."""
    lines = _said(verdict, how)
    if how.get("seed") is not None and lines:
        lines[-1] += f" (random, seed {how['seed']})"
    return lines


def _following(verdict: Verdict, how: Mapping[str, Any]) -> str:
    """The command that is most likely wanted next."""
    verb = Verb(verdict.verb)
    if verb in _LINKS:
        return "heal"
    done = [target.name for target in verdict.processes if target.done]
    if verb is Verb.ADD and how.get("learner"):
        return f"promote {' '.join(done)}"
    if verb not in _NEXT or not done or how.get("signal") not in (None, "SIGKILL"):
        return "status"
    return " ".join((_NEXT[verb], *done))


def _said(verdict: Verdict, how: Mapping[str, Any]) -> list[str]:
    verb, names = Verb(verdict.verb), ", ".join(verdict.targets)
    done = any(target.done for target in verdict.processes)
    leader = next((t.name for t in verdict.processes if t.was_leader), None)
    match verb:
        case Verb.PARTITION | Verb.CUT | Verb.SLOW if not done:
            return [f"{names}: nothing to do, it is so already"]
        case Verb.PARTITION:
            others = ", ".join(verdict.versus)
            return [f"cut {names} off from {others}{_leads(leader, len(verdict.targets))}"]
        case Verb.CUT:
            return [f"cut the link between {names} and {', '.join(verdict.versus)}"]
        case Verb.SLOW:
            from etcd_sandbox.words.shown import delay

            jitter = f" ± {delay(how['jitter_s'])}" if how.get("jitter_s") else ""
            to = set(verdict.versus) - set(verdict.targets)
            where = f" to {', '.join(verdict.versus)}" if how.get("versus") and to else ""
            return [f"slowed the links of {names}{where} by {delay(how['delay_s'])}{jitter} a way"]
        case Verb.HEAL:
            return [f"healed {names}" if names else "nothing to heal: no fault is there"]
        case Verb.MOVE_LEADER:
            if not done:
                return [f"{names}: nothing to do, it leads already"]
            return [f"moved leadership to {names}"]
        case _:
            return [_process(verb, target, how.get("signal")) for target in verdict.processes]


def _process(verb: Verb, target: Target, signal: str | None) -> str:
    if not target.done:
        return f"{target.name}: nothing to do, it is {target.state}"
    if signal is not None and signal != "SIGKILL":
        text = f"sent {signal} to {target.name} (pid {target.pid})"
    elif verb is Verb.KILL:
        text = f"killed {target.name} (pid {target.pid}, SIGKILL)"
    elif verb is Verb.ADD:
        text = f"added {target.name} (pid {target.pid})"
    elif verb is Verb.PROMOTE:
        text = f"promoted {target.name}: it votes from now on"
    elif verb is Verb.REPLACE:
        text = f"replaced {target.name}: a new member of that name, with a new ID and no old data"
    elif verb in (Verb.RESTART, Verb.REMOVE) or target.pid is None:
        # The pid is the one before: of a process that is no more.
        text = f"{_DONE[verb]} {target.name}"
    else:
        text = f"{_DONE[verb]} {target.name} (pid {target.pid})"
    return f"{text}{_leads(target.name if target.was_leader else None, 1)}"


def _leads(leader: str | None, targets: int) -> str:
    if leader is None:
        return ""
    return f"; {leader if targets > 1 else 'it'} was the leader"

"""What a verb did, in lines, and the command that is most likely wanted next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etcd_sandbox.model.verb import Verb
from etcd_sandbox.model.verdict import Target, Verdict
from etcd_sandbox.words.shown import delay

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


def told(verdict: Verdict, how: Mapping[str, Any]) -> list[str]:
    """What was done, whom it hit, or why there was nothing to do; `how` are the verb's options."""
    lines = _said(verdict, how)
    if how.get("seed") is not None and lines:
        lines[-1] += f" (random, seed {how['seed']})"
    return lines


def following(verdict: Verdict, how: Mapping[str, Any]) -> str:
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

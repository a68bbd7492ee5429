"""The verbs that break a process until it is healed, and the one that heals. The live halves are `cluster.faults`."""

from __future__ import annotations

from etcd_sandbox.verbs import figures
from etcd_sandbox.verbs.links import listed
from etcd_sandbox.verbs.verb import Fault, Key, Needs, Option, Outcome, Targets, Told, Type, Verb


def _hit(told: Told) -> str:
    return str(told.get("member") or told.get("process") or "cluster")


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


def _starved(told: Told) -> str:
    return f"{_hit(told)} runs for {figures.share(told.get('share', 0))} of the time"


STARVE = Verb(
    name="starve",
    summary="Let processes run for a share of the time only.",
    help="""Let processes run for a share of the time only, as where others take the processor.

    They are stopped and continued (SIGSTOP, SIGCONT) in turns of 100 ms, until heal, resume, or the end of the
    process. A later share replaces an earlier one.
    """,
    options=(
        Option(
            ("--share",),
            "share",
            Type.SHARE,
            "For how much of the time it runs: 1% to 99%.",
            metavar="SHARE",
            most=0.99,
            example="20%",
        ),
    ),
    past="starved",
    tells="{past} {name} (pid {pid})",
    instant=True,
    silent=True,
    undone_by="resume",
    fault=Fault(
        state=_starved,
        healed=lambda told: f"{_hit(told)} runs all the time again",
        marks=(("◔", "starved"), ("●", "fed")),
        note=lambda told: f"starved to {figures.share(told.get('share', 0))}",
    ),
)


def _says_heal(verdict: Outcome, how: Told) -> str:
    names = listed(verdict.targets)
    return f"healed {names}" if names else "nothing to heal: no fault is there"


HEAL = Verb(
    name="heal",
    summary="Undo every fault.",
    help="Undo every fault, whichever command made it, and drop those that are to come (--after).",
    targets=Targets.NONE,
    past="healed",
    says=_says_heal,
    instant=True,
    key=Key("h", "Heal", "Undo every fault: links and pauses.", 5, Needs.FAULT),
)

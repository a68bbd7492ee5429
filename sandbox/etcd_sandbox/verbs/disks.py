"""The faults of a member's disk. Their live half is `cluster.faults.disks`."""

from __future__ import annotations

from etcd_sandbox.verbs import figures
from etcd_sandbox.verbs.links import listed
from etcd_sandbox.verbs.verb import Fault, Option, Outcome, Told, Type, Verb, leads

ANY = "all"
"""The fault is for each file of a member's data."""

SYNC, WRITE = "sync", "write"
_FILES = {"wal": "WAL", "db": "database", ANY: "files"}

ON = Option(
    ("--on",),
    "on",
    Type.CHOICE,
    "Which files: the write-ahead log, the database with the snapshots, or both.",
    default=ANY,
    show_default=True,
    choices=("wal", "db", ANY),
)
CALLS = Option(
    ("--calls",),
    "calls",
    Type.CHOICE,
    "Which calls: those that wait for the disk (fsync, fdatasync), or those that write.",
    default=SYNC,
    show_default=True,
    choices=(SYNC, WRITE),
)
ONCE = Option(
    ("--once",),
    "once",
    Type.COUNT,
    "Only the next N of these calls.",
    metavar="N",
    most=1e6,
    optional=True,
    example="1",
)
_FILTER = """

    Linux only, and not for members in containers. A member that runs without the filter by which its calls are
    stopped is restarted to have it."""


def _calls(told: Told, whose: str) -> tuple[str, bool]:
    """Which calls a fault is for, as the subject of a sentence, and whether they are several."""
    what, once = told.get("calls", SYNC), told.get("once")
    of = f"of {whose} {_FILES.get(told.get('on', ANY), _FILES[ANY])}"
    if once is None:
        return f"each {what} {of}", False
    return (
        (f"the next {what} {of}", False) if once == 1 else (f"the next {once} {what}s {of}", True)
    )


def _whose(told: Told) -> str:
    return f"{told.get('member') or told.get('process')}'s"


def _slow(told: Told, whose: str) -> str:
    calls, several = _calls(told, whose)
    late = figures.delay(told.get("delay_s", 0), told.get("jitter_s", 0))
    return f"{calls} {'take' if several else 'takes'} {late} longer"


def _failing(told: Told, whose: str) -> str:
    calls, several = _calls(told, whose)
    return f"{calls} {'fail' if several else 'fails'} with {told.get('error')}"


def _no_more(told: Told, ails: str) -> str:
    files = _FILES.get(told.get("on", ANY), _FILES[ANY])
    return f"no {told.get('calls', SYNC)} of {_whose(told)} {files} {ails} any more"


def _disks(verdict: Outcome) -> str:
    disks = "disk" if len(verdict.targets) == 1 else "disks"
    return f"the {disks} of {listed(verdict.targets)}"


def _led(verdict: Outcome) -> str:
    leader = next((each.name for each in verdict.processes if each.was_leader), None)
    return leads(leader, len(verdict.targets))


def _its(verdict: Outcome) -> str:
    return "its" if len(verdict.targets) == 1 else "their"


SLOW_DISK = Verb(
    name="slow-disk",
    summary="Have a member's disk answer late.",
    help="Have a member's disk answer late: each sync of its files, or each write, takes longer.\n\nA later "
    f"delay of the same calls replaces an earlier one, and a failure beats a delay.{_FILTER}",
    options=(
        Option(("--delay",), "delay_s", Type.SPAN, "How much longer a call takes.", metavar="SPAN"),
        Option(
            ("--jitter",),
            "jitter_s",
            Type.SPAN,
            "The delay varies by up to this.",
            default="0s",
            metavar="SPAN",
        ),
        ON,
        CALLS,
        ONCE,
    ),
    past="slowed",
    says=lambda verdict, how: (
        f"slowed {_disks(verdict)}: {_slow(how, _its(verdict))}{_led(verdict)}"
    ),
    instant=True,
    silent=True,
    undone_by="heal",
    fault=Fault(
        state=lambda told: _slow(told, _whose(told)),
        healed=lambda told: _no_more(told, "takes longer"),
        marks=(("▤", "slow disk"), ("♥", "healed")),
        note=lambda told: f"disk slow by {figures.delay(told.get('delay_s', 0))}",
    ),
)

FAIL_DISK = Verb(
    name="fail-disk",
    summary="Have a member's disk fail.",
    help="Have a member's disk fail: each sync of its files, or each write, ends with an error. etcd "
    "does not go on after an error of its write-ahead log or of its database: the member ends, and 'start' after 'heal' "
    f"brings it back with its data.{_FILTER}",
    options=(
        Option(
            ("--error",),
            "error",
            Type.CHOICE,
            "What a call ends with: an error of the device, or no space left.",
            default="EIO",
            show_default=True,
            choices=("EIO", "ENOSPC"),
        ),
        ON,
        CALLS,
        ONCE,
    ),
    past="broke",
    says=lambda verdict, how: (
        f"broke {_disks(verdict)}: {_failing(how, _its(verdict))}{_led(verdict)}"
    ),
    instant=True,
    silent=True,
    undone_by="heal",
    fault=Fault(
        state=lambda told: _failing(told, _whose(told)),
        healed=lambda told: _no_more(told, "fails"),
        marks=(("▧", "failing disk"), ("♥", "healed")),
        note=lambda told: f"disk fails ({told.get('error')})",
    ),
)

"""Why an etcd ended, from its own last words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from etcd_sandbox.etcd.logline import LogLine, read_line

GO_DEATHS = (b"panic: ", b"fatal error: ")
"""How the first line of what Go's runtime prints begins."""

_SAYS_NOTHING = ("discovery failed", "failed to verify flags")
"""Messages that etcd prints whatever the matter was: the cause is in the field `error`."""

_VERIFYING = "error verifying flags, "
_SEE_HELP = " See 'etcd --help'."
_USAGE_ERRORS = (
    b"flag provided but not defined",
    b"invalid value ",
    b"invalid boolean value ",
    b"flag needs an argument",
    b"bad flag syntax",
)


_WHOLE_CLUSTER = re.compile(r" \{ClusterID:.*RemovedMemberIDs:\[[^\]]*\]\}")
"""etcd prints its whole list of members, as Go has it, in the middle of a cause."""

_MENDS = {
    "member count is unequal": "--initial-cluster names more or fewer members than etcd's list has; a new member "
    "is put on the list first (etcd-sandbox ctl member add), and --initial-cluster names all of them",
    "unmatched member while checking PeerURLs": "--initial-cluster has other peer URLs than etcd's list "
    "of members, which etcd-sandbox ctl member list shows",
    "cannot fetch cluster info from peer urls": "no other member that --initial-cluster names answers; "
    "start those first",
    "has already been bootstrapped": "the other members know it, and its data are gone; etcd-sandbox replace "
    "brings a new member in its place",
    "found data inconsistency with peers": "its data differ from those of the other members; etcd-sandbox "
    "replace brings a new member with theirs",
    "couldn't find local name": "--initial-cluster must name the member itself, as --name does",
    "has been permanently removed": "etcd-sandbox add brings a new member",
}
"""What helps, by a part of etcd's cause (3.4 to 3.7: `etcdserver/bootstrap.go`, `corrupt.go`,
`api/membership/cluster.go`)."""


def cause_and_mend(lines: Sequence[bytes]) -> str | None:
    """Why etcd ended, as `fatal_cause` has it, and what to do where that is known."""
    cause = fatal_cause(lines)
    if cause is None:
        return None
    cause = _WHOLE_CLUSTER.sub("", cause)
    mend = next((mend for part, mend in _MENDS.items() if part in cause), "")
    return f"{cause}: {mend}" if mend else cause


def fatal_cause(lines: Sequence[bytes]) -> str | None:
    """Why etcd ended, from the last lines of one run; None when they hold no cause.

    The last fatal or panic line of the log, else the first line of a Go panic, else what the
    parser of flags complained about.
    """
    for raw in reversed(lines):
        line = read_line(raw)
        if line is not None and _is_fatal(line):
            return cause_of(line)
    for openings in (GO_DEATHS, _USAGE_ERRORS):
        for raw in lines:
            if raw.startswith(openings):
                return _text(raw)
    return None


def _is_fatal(line: LogLine) -> bool:
    return (
        line.level in ("fatal", "panic")
        or line.message == "failed to verify flags"
        or (line.package == "etcdmain" and line.message.startswith(_VERIFYING))
    )


def cause_of(line: LogLine) -> str:
    """The cause that a fatal or panic line names."""
    error = line.text("error")
    message = line.message.removeprefix(_VERIFYING).removesuffix(_SEE_HELP)
    if error and message in _SAYS_NOTHING:
        return error
    about = error or line.text("environment-variable")
    return f"{message}: {about}" if about else message


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\r\n").decode("utf-8", "replace")

"""What happened, as clauses for the learner. Pure."""

from __future__ import annotations

from etcd_sandbox.learn.record import Election, Happening, What
from etcd_sandbox.learn.view import is_contained
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.state import BootstrapStatus, ClusterStatus
from etcd_sandbox.words import story


def happening_words(happening: Happening) -> str:
    """What happened, with who it was: `infra2 was killed, and it was the leader`."""
    names = ", ".join(happening.who)
    was = "were" if len(happening.who) > 1 else "was"
    leader = ", and it was the leader" if happening.led else ""
    match happening.what:
        case What.STOPPED if happening.led:
            return f"{names} was stopped, and handed leadership over before it went"
        case What.ENDED:
            return f"{names} ended by itself{leader}"
        case What.PARTITIONED:
            return f"{names} {was} cut off from {', '.join(happening.other)}"
        case What.CUT:
            return f"the link between {names} and {', '.join(happening.other)} was cut"
        case What.SLOWED:
            return f"the links of {names} were slowed"
        case What.HEALED:
            return f"the links of {names} were healed"
        case What.ADDED:
            learner = happening.fields.get("learner")
            return f"{names} was added {'as a learner' if learner else 'with a vote'}"
        case What.UPGRADED:
            before, after = (happening.fields.get(key) for key in ("from", "to"))
            return f"{names} was brought from etcd {before} to {after}"
        case What.ALARM_RAISED:
            return f"{names} raised the alarm {happening.fields.get('alarm')}"
        case What.ALARM_CLEARED:
            return f"{names} cleared the alarm {happening.fields.get('alarm')}"
        case What.QUORUM_LOST | What.QUORUM_REGAINED:
            lost = happening.what is What.QUORUM_LOST
            kind = Kind.QUORUM_LOST if lost else Kind.QUORUM_REGAINED
            return story.sentence({**happening.fields, "kind": kind})
        case What.BROUGHT_UP if happening.bootstrap is not None:
            how = f"{told_by(happening.bootstrap)}, and {made_of(happening.bootstrap)}"
            return f"the cluster was brought up again: {how}"
        case _:
            return f"{names} was {happening.what.value}{leader}"


_TOLD_BY = {
    Bootstrap.STATIC: "the members were told of each other by a static list",
    Bootstrap.DISCOVERY: "the members were introduced by a discovery service",
    Bootstrap.DNS: "the members found each other by DNS SRV records",
}


def told_by(bootstrap: BootstrapStatus) -> str:
    """How the members were told of each other."""
    return _TOLD_BY[bootstrap.way]


def made_of(bootstrap: BootstrapStatus) -> str:
    """What the members are."""
    what = f"container of {bootstrap.runtime}" if is_contained(bootstrap) else "process"
    return f"each member is a {what}"


def leader_words(status: ClusterStatus) -> str:
    """Who leads now: `infra3 leads in term 4`; without the term where that is not known."""
    leads = f"{status.leader} leads"
    return leads if status.term is None else f"{leads} in term {status.term}"


def election_words(election: Election) -> str:
    """Who came to lead: `infra3 leads in term 4 after 1.31 s`."""
    words = f"{election.member} leads in term {election.term}"
    if election.by is not None:
        return f"{words}, by a hand-over: nobody had to wait for an election timeout"
    return f"{words} after {election.after_s:.2f} s" if election.after_s is not None else words

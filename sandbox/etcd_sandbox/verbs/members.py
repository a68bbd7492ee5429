"""The verbs on leadership, and on who is a member."""

from __future__ import annotations

from etcd_sandbox.verbs.verb import Key, Needs, Option, Outcome, Targets, Told, Type, Verb


def _says_moved(verdict: Outcome, how: Told) -> str:
    names = ", ".join(verdict.targets)
    if not any(target.done for target in verdict.processes):
        return f"{names}: nothing to do, it leads already"
    return f"moved leadership to {names}"


MOVE_LEADER = Verb(
    name="move-leader",
    summary="Hand leadership over to a member.",
    help="Have the leader hand leadership over to another member.",
    targets=Targets.MEMBER,
    past="moved",
    says=_says_moved,
    key=Key("m", "Lead", "Hand leadership over to the selected member.", 11, Needs.FOLLOWER),
)

ADD = Verb(
    name="add",
    summary="Add a member, or a learner, while it runs.",
    help="""Add a member while the cluster runs, and start it; by default infraN with the next number.

    It has the ports that come next, and the others' flags. etcd takes a new member only when
    its voters have been connected for 5 s; until then it is waited for. If the new member does not
    come up it is taken out again. A member that is on etcd's list already with its peer URL (etcdctl
    member add), and never started, is started as it is; that one stays on the list in any case.
    """,
    targets=Targets.NEW,
    options=(
        Option(
            ("--learner",),
            "learner",
            Type.SWITCH,
            "It gets all data, but no vote until it is promoted.",
            default=False,
        ),
    ),
    past="added",
    changes_members=True,
    then={"learner": "promote"},
)

PROMOTE = Verb(
    name="promote",
    summary="Give a learner its vote.",
    help="Give learners their vote, as soon as they have caught up with the leader.",
    past="promoted",
    tells="{past} {name}: it votes from now on",
    changes_members=True,
)

REMOVE = Verb(
    name="remove",
    summary="Take a member out of the cluster.",
    help="""Take members out of the cluster for good, dead or alive, and delete their data.

    A leader hands over first. What would leave too few members up for a quorum is refused. The ID of
    a member on etcd's list that is no process of ours (never started, say) takes it off the list.
    """,
    options=(
        Option(
            ("--force",),
            "force",
            Type.SWITCH,
            "Ask etcd also for what would break the quorum.",
            default=False,
        ),
    ),
    past="removed",
    tells="{past} {name}",
    changes_members=True,
    takes_strangers=True,
)

REPLACE = Verb(
    name="replace",
    summary="Put a new member in the place of one.",
    help="""Put new members in the place of these, dead or alive: same name and URLs, new ID, no old data.

    Each is removed first and comes back as a learner, which is promoted when it has caught up: the
    quorum never waits for it. Name all that are down in one command.
    """,
    past="replaced",
    tells="{past} {name}: a new member of that name, with a new ID and no old data",
    changes_members=True,
)

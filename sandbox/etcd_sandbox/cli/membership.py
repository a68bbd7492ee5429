"""`add`, `promote`, `remove`, `replace`: who is a member, changed while the cluster runs."""

from __future__ import annotations

from typing import Any

import click

from etcd_sandbox.cli.ordering import measured, order
from etcd_sandbox.cli.params import selectors
from etcd_sandbox.cli.settings import common
from etcd_sandbox.model.verb import Verb


@click.command("add")
@click.argument("name", required=False)
@click.option("--learner", is_flag=True, help="It gets all data, but no vote until it is promoted.")
@measured
@common(data=True)
def add(name: str | None, **how: Any) -> None:
    """Add a member while the cluster runs, and start it; by default infraN with the next number.

    It has the ports that come next, and the others' flags. etcd takes a new member only when
    its voters have been connected for 5 s; until then it is waited for. If the new member does not
    come up it is taken out again. A member that is on etcd's list already with its peer URL (etcdctl
    member add), and never started, is started as it is; that one stays on the list in any case.
    """
    order(Verb.ADD, (), name=name, **how)


@click.command("promote")
@selectors(required=True)
@measured
@common(data=True)
def promote(select: tuple[str, ...], **how: Any) -> None:
    """Give learners their vote, as soon as they have caught up with the leader."""
    order(Verb.PROMOTE, select, **how)


@click.command("remove")
@selectors(required=True)
@click.option("--force", is_flag=True, help="Ask etcd also for what would break the quorum.")
@measured
@common(data=True)
def remove(select: tuple[str, ...], **how: Any) -> None:
    """Take members out of the cluster for good, dead or alive, and delete their data.

    A leader hands over first. What would leave too few members up for a quorum is refused. The ID of
    a member on etcd's list that is no process of ours (never started, say) takes it off the list.
    """
    order(Verb.REMOVE, select, **how)


@click.command("replace")
@selectors(required=True)
@measured
@common(data=True)
def replace(select: tuple[str, ...], **how: Any) -> None:
    """Put new members in the place of these, dead or alive: same name and URLs, new ID, no old data.

    Each is removed first and comes back as a learner, which is promoted when it has caught up: the
    quorum never waits for it. Name all that are down in one command.
    """
    order(Verb.REPLACE, select, **how)

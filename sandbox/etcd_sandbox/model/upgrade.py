"""A rolling upgrade: what is ordered, what it would do, and what became of each member."""

from __future__ import annotations

from msgspec import Struct

from etcd_sandbox.model.order import Seconds, Words
from etcd_sandbox.model.service import Service
from etcd_sandbox.model.spec import EtcdBinary


class UpgradeOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Members get the etcd `to`, one after the other.

    `select` are selectors, `seed` is what `random` draws from. `timeout_s` is what each member may
    take, and the cluster version at the end. With `wait` the cluster is given time to settle after
    each member, reads are tried meanwhile, and the cluster version is waited for. With `force` it is
    done although the new etcd may not know of changes of the members in the past.
    """

    select: Words
    to: EtcdBinary
    force: bool = False
    seed: int | None = None
    wait: bool = True
    timeout_s: Seconds = 30.0


class UpgradeStep(Struct, frozen=True, kw_only=True):
    """What would be done to one member; `before` and `after` are versions of etcd.

    `dropped` and `added` are the flags of its command that the new version cannot take, and what
    they become. `leads`: it is the leader, and hands over before it stops. `done` is False where
    the member has that etcd already.
    """

    process: str
    member: str
    before: str
    after: str
    dropped: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    leads: bool = False
    done: bool = True


class UpgradePlan(Struct, frozen=True, kw_only=True):
    """The steps in their order, and what should be known before.

    `version` is the new etcd's, `path` where it is, `cluster_version` the one now (`3.4.0`), None
    where no member tells it.
    """

    version: str
    path: str
    cluster_version: str | None
    steps: tuple[UpgradeStep, ...]
    notes: tuple[str, ...] = ()


class MemberUpgrade(Struct, frozen=True, kw_only=True):
    """What became of one member: it ran etcd `before`, and runs `after` now.

    `took_s` is the time from its stop until it had caught up with the leader. `handed_to` is who
    got leadership before the stop; None for one that did not lead. The gaps and terms are those of
    a Verdict, None where nothing was measured.
    """

    process: str
    member: str
    before: str
    after: str
    took_s: float
    handed_to: str | None = None
    leader_gap_s: float | None = None
    read_gap_s: float | None = None
    reads: Service | None = None
    term_before: int | None = None
    term_after: int | None = None


class Unlike(Struct, frozen=True, kw_only=True):
    """A difference between etcd's own list of members and the plan, in a clause.

    `mend` are the commands that mend it, one after the other.
    """

    what: str
    mend: tuple[str, ...]


class UpgradeOutcome(Struct, frozen=True, kw_only=True):
    """What an upgrade came to. `members` are those that it changed, in their order.

    `left` are those whose turn had not come when it was told to stop. The cluster version rises
    by itself, some seconds after the last member: where `cluster_version_after` is not that of the
    members yet, they were not all asked for, or it was not waited for. `unlike` is how etcd's list of
    members differs from the plan now: empty where it is as it should be, or no member told it.
    """

    version: str
    members: tuple[MemberUpgrade, ...] = ()
    left: tuple[str, ...] = ()
    cluster_version_before: str | None = None
    cluster_version_after: str | None = None
    unlike: tuple[Unlike, ...] = ()

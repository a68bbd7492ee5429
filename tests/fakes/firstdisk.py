"""What a member of the model begins with that has no data yet: alone among founders, or by its peers' list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcd_sandbox.etcd.version import member_id

from tests.fakes.messages import Disk, Entry
from tests.fakes.store import Change

if TYPE_CHECKING:
    from tests.fakes.etcd import FakeEtcd


class CannotBegin(Exception):
    """Why etcd ends at its start, in its words."""


def first_disk(etcd: FakeEtcd) -> tuple[Disk, str]:
    """Its log, and its ID. Raises CannotBegin."""
    if etcd.flags.get("initial-cluster-state") == "existing":
        return Disk(), _listed_id(etcd)
    own = etcd.member
    founders = own.initial_cluster
    ids = {name: member_id(urls, own.token) for name, urls in founders.items()}
    entries = [
        Entry(1, Change(kind="add", number=0, id=ids[name], urls=urls))
        for name, urls in sorted(founders.items(), key=lambda each: ids[each[0]])
    ]
    return Disk(term=1, log=entries, committed=len(entries)), ids[own.name]


def _listed_id(etcd: FakeEtcd) -> str:
    """Its ID by the list of the first peer that answers."""
    own = etcd.member
    urls = {url for urls in own.initial_cluster.values() for url in urls}
    lists = (
        other.store.members
        for other in etcd.machine.running()
        if other is not etcd
        and other.peers_served
        and not other.paused
        and other.member.peer_url in urls
    )
    listed = next(lists, None)
    if listed is None:
        raise CannotBegin(
            "cannot fetch cluster info from peer urls: could not retrieve cluster information from "
            "the given URLs"
        )
    entry = next((each for each in listed.values() if own.peer_url in each.peer_urls), None)
    if entry is None or len(listed) != len(own.initial_cluster):
        raise CannotBegin("error validating peerURLs: member count is unequal")
    return entry.id

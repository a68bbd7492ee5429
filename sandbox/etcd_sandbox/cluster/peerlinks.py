"""The links in front of a cluster's members, as its plan wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from etcd_sandbox.links.keeper import Link, Links
from etcd_sandbox.model.access import address_of
from etcd_sandbox.model.spec import ProcessSpec, members_of
from etcd_sandbox.supervise.ledger import Ledger

LINKS_NAME = "peer links"
"""What the process of the links is called where pids are written down."""


def links_for(processes: Iterable[ProcessSpec]) -> list[Link]:
    """The links that these members need."""
    found = []
    for process in members_of(processes):
        if process.member.link is None:
            continue
        listen = address_of(process.member.link.listen_url)
        target = address_of(process.member.link.target_url)
        if listen is not None and target is not None:
            found.append(Link(member=process.name, listen=listen, target=target))
    return found


def make_links(
    processes: Sequence[ProcessSpec],
    environment: Mapping[str, str],
    ledger: Ledger,
    guard: Callable[[str], None],
) -> Links | None:
    """The links of these members, bound and not yet relaying; None where none has a link.

    Their process is written down in the ledger and told to the guard, as members are.
    """
    links = links_for(processes)
    if not links:
        return None

    def started(pid: int) -> None:
        guard(f"+{pid}")
        ledger.add(LINKS_NAME, pid)

    def ended(pid: int) -> None:
        guard(f"-{pid}")
        ledger.drop(LINKS_NAME)

    made = Links(links, on_started=started, on_ended=ended, environment=environment)
    made.bind()
    return made

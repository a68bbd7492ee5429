"""Why a member did not come up, by its way of bootstrap or its last lines, and the mend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from etcd_sandbox.etcd.failures import LINES_OF_LOG, explain_discovery, explain_dns, log_trouble
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.supervise.supervisor import Supervisor


def explain(spec: ClusterSpec, process: str, lines: Sequence[bytes]) -> str | None:
    """What is wrong with the start of `process` and what to do, from its last lines.

    None where the way of bootstrap is not the reason.
    """
    match spec.bootstrap:
        case Bootstrap.DISCOVERY if spec.discovery is not None:
            return explain_discovery(spec.discovery, lines)
        case Bootstrap.DNS if spec.dns is not None:
            return explain_dns(spec.dns, lines)
        case _:
            return None


def late_words(supervisor: Supervisor, late: Iterable[str]) -> str:
    """Who of these processes is not up, and what keeps each from its peers where its last lines say so.

    `infra2; infra3, which belongs to another cluster than its peers …`.
    """
    words = []
    for name in late:
        own_name = supervisor.processes[name].spec.own_name
        why = log_trouble(supervisor.logbook.last_lines(name, LINES_OF_LOG))
        words.append(own_name + (f", which {why}" if why else ""))
    return ("; " if any(", " in each for each in words) else ", ").join(words)

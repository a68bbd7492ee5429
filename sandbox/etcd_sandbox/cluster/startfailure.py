"""Why a member did not come up, where its way of bootstrap explains it, and the mend."""

from __future__ import annotations

from collections.abc import Sequence

from etcd_sandbox.etcd.discoveryfailures import explain_discovery
from etcd_sandbox.etcd.dnsfailures import explain_dns
from etcd_sandbox.model.spec import Bootstrap, ClusterSpec


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

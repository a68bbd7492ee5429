"""The variables that etcdctl reads, for the members of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def members_of(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The members of a plan as JSON, each with its `process`, in the order of the cluster."""
    return [
        {**process["member"], "process": process["name"]}
        for process in plan["processes"]
        if process.get("member")
    ]


def etcdctl_variables(members: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """`ETCDCTL_…` for talking to these members, with what TLS needs where it is used.

    Without ETCDCTL_API: every etcdctl from 3.4 on speaks API 3 unasked, and 3.6 warns of it.
    """
    listed = list(members)
    variables = {"ETCDCTL_ENDPOINTS": ",".join(member["client_url"] for member in listed)}
    if any(member["client_url"].startswith("https://") for member in listed):
        variables["ETCDCTL_INSECURE_SKIP_TLS_VERIFY"] = "true"
        secured = next((member for member in listed if member.get("client_cert")), None)
        if secured is not None:
            variables["ETCDCTL_CERT"] = secured["client_cert"]
            variables["ETCDCTL_KEY"] = secured["client_key"]
    return variables

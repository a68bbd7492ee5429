"""A member's etcd options, taken back out of the command that runs it."""

from __future__ import annotations

import re

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.memberflags import read_bool, read_flags
from etcd_sandbox.model.access import as_pairs
from etcd_sandbox.model.spec import MemberProcess, ProcessSpec
from etcd_sandbox.plan.shell import EtcdInvocation, etcd_invocation

_CONFIG_FILE = re.compile(r"--?config-file(=|\Z)")

MEMBERS_OWN = frozenset(
    [
        "name",
        "data-dir",
        "listen-client-urls",
        "advertise-client-urls",
        "listen-peer-urls",
        "initial-advertise-peer-urls",
        "listen-metrics-urls",
        "initial-cluster",
    ]
)
"""The flags that `MemberSpec` holds as values."""


def is_composed(process: MemberProcess) -> bool:
    """Whether the sandbox wrote the member's command, rather than a Procfile."""
    return process.member.data_owned


def command_of(process: MemberProcess) -> str:
    """The command of a Procfile's entry as it is written there, without our link."""
    link = process.member.link
    return process.shown.removesuffix(f" --listen-peer-urls={link.target_url}" if link else "")


def invocation_of(process: MemberProcess) -> EtcdInvocation | None:
    """How a Procfile's member is started; None where the caller's environment had a say in it."""
    return etcd_invocation(command_of(process), process.env)


def told(process: ProcessSpec) -> dict[str, str]:
    """What an etcd of ours is told, by flag and in order: of a member where it is and whom it meets, then its `flags`."""
    if not isinstance(process, MemberProcess):
        return process.flags
    member, flags = process.member, process.flags
    listen_client, listen_peer = member.listen_urls[:2]
    is_given_list = "initial-cluster-state" in flags and "discovery-srv" not in flags
    return {
        "name": member.name,
        "data-dir": member.data_dir,
        "listen-client-urls": listen_client,
        "advertise-client-urls": member.advertised_client_url,
        "listen-peer-urls": listen_peer,
        "initial-advertise-peer-urls": member.peer_url,
        **({"listen-metrics-urls": member.metrics_url} if member.metrics_url else {}),
        **(
            {"initial-cluster": ",".join(as_pairs(member.initial_cluster))} if is_given_list else {}
        ),
        **flags,
    }


def options(process: MemberProcess) -> dict[str, str]:
    """All options of a member's etcd by their names, in their order.

    Raises InputError for one that has them in a file of its own.
    """
    if is_composed(process):
        return told(process)
    invocation = invocation_of(process)
    if invocation is None:
        raise InputError(
            f"the command of {process.name} names its program by a variable of the environment",
            hint="write the program's path, or export procfile or shell",
        )
    env = invocation.environment(process.env)
    if "ETCD_CONFIG_FILE" in env or any(_CONFIG_FILE.match(word) for word in invocation.argv):
        raise InputError(
            f"{process.name} has its options in a config file of etcd",
            hint="write them as flags of the command, or export procfile or shell",
        )
    return dict(read_flags(invocation.argv, env, _no_file).raw)


def checks_strictly(process: MemberProcess) -> bool:
    """Whether the member asks for voters that are connected before it takes another: etcd's default.

    So it is said of one whose options cannot be known, too.
    """
    try:
        return read_bool(options(process).get("strict-reconfig-check", "true")) is not False
    except InputError:
        return True


def _no_file(path: str) -> str:
    raise FileNotFoundError(path)

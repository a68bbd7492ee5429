"""A member's etcd options, taken back out of the command that runs it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.memberflags import read_bool, read_flags
from etcd_sandbox.model.spec import MemberProcess
from etcd_sandbox.plan.shell import EtcdInvocation, etcd_invocation

_CONFIG_FILE = re.compile(r"--?config-file(=|\Z)")


def port_of(url: str) -> int | None:
    """The port that a URL names; None where it names none that there is."""
    try:
        return urlsplit(url).port
    except ValueError:
        return None


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


def options(process: MemberProcess) -> dict[str, str]:
    """All options of a member's etcd by their names, in their order.

    Raises InputError for one that has them in a file of its own.
    """
    if is_composed(process):
        return dict(process.flags)
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

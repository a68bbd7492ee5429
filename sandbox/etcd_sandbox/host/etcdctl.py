"""etcdctl for the members of a plan: which program, and the variables that it reads."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.etcd.datadir import is_of_proxy
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.spec import After
from etcd_sandbox.paths import SOCKET_PATH_LIMIT

if TYPE_CHECKING:
    from etcd_sandbox.control.client import ControlClient
    from etcd_sandbox.model.spec import ClusterSpec
    from etcd_sandbox.paths import ClusterPaths


def members_of(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The members of a plan as JSON, each with its `process`, in the order of the cluster.

    `surplus`: clients are not served by it: the discovery token had no place for it, or it is a learner
    or a proxy, as a member of 3.4 or 3.5 becomes one that finds the token full.
    """
    return [
        {
            **process["member"],
            "process": process["name"],
            "surplus": process.get("after") == After.READY
            or process["member"].get("learner")
            or process["member"].get("proxy")
            or is_of_proxy(process["member"].get("data_dir") or ""),
        }
        for process in plan["processes"]
        if process.get("member")
    ]


def etcdctl_variables(members: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """`ETCDCTL_…` for talking to these members, with what TLS needs where it is used.

    Without ETCDCTL_API: every etcdctl from 3.4 on speaks API 3 unasked, and 3.6 warns of it.
    """
    listed = list(members)
    # Proxies speak no gRPC, and learners refuse most: they are talked to only where nobody else is meant.
    listed = [member for member in listed if not member.get("surplus")] or listed
    urls = [member.get("endpoint") or member["client_url"] for member in listed]
    variables = {"ETCDCTL_ENDPOINTS": ",".join(map(_short, urls))}
    if any(Address(url).is_secure for url in urls):
        variables["ETCDCTL_INSECURE_SKIP_TLS_VERIFY"] = "true"
        secured = next((member for member in listed if member.get("client_cert")), None)
        if secured is not None:
            variables["ETCDCTL_CERT"] = secured["client_cert"]
            variables["ETCDCTL_KEY"] = secured["client_key"]
    return variables


def by_hand(member: Mapping[str, Any], user: str, args: Sequence[str]) -> str:
    """The command that asks this member with a plain etcdctl, as a shell reads it.

    With a `user`, NAME:PASSWORD, it names the user, and etcdctl asks for the password.
    """
    flags = [
        f"--{name.removeprefix('ETCDCTL_').lower().replace('_', '-')}={value}"
        for name, value in etcdctl_variables([member]).items()
    ]
    named = [f"--user={user.partition(':')[0]}"] if user else []
    return shlex.join(["etcdctl", *flags, *named, *args])


def program_variables(plan: Mapping[str, Any], paths: ClusterPaths) -> dict[str, str]:
    """Variables for a program that uses the cluster of this plan: its endpoints, and where it is asked.

    `ETCD_SANDBOX_SOCKET` is where the control API answers. Members that find each other by DNS
    have a server of their own: `ETCD_SANDBOX_DNS` is its address (port 53), `ETCD_SANDBOX_DNS_DOMAIN`
    the domain whose SRV records it gives.
    """
    variables = {
        **etcdctl_variables(members_of(plan)),
        "ETCD_SANDBOX_CLUSTER": paths.name,
        "ETCD_SANDBOX_SOCKET": str(paths.socket),
    }
    if dns := plan.get("dns"):
        variables["ETCD_SANDBOX_DNS"] = dns["address"]
        variables["ETCD_SANDBOX_DNS_DOMAIN"] = dns["domain"]
    return variables


def path_with_etcdctl(plan: Mapping[str, Any], path: str) -> str:
    """The PATH with the directory of the cluster's etcdctl behind all others, if there is one."""
    try:
        directory = os.path.dirname(etcdctl_for_members(members_of(plan)))  # noqa: PTH120 - no object is wanted
    except SandboxError:
        return path
    return path if directory in path.split(os.pathsep) else os.pathsep.join((path, directory))


_OF_TLS = ("ETCDCTL_CACERT", "ETCDCTL_CERT", "ETCDCTL_KEY")
_OF_RECORDS = ("ETCDCTL_DISCOVERY_SRV", "ETCDCTL_DISCOVERY_SRV_NAME")


def misleading(
    caller: Mapping[str, str], members: Iterable[Mapping[str, Any]], args: Iterable[str] = ()
) -> dict[str, str]:
    """Variables of the caller that are meant for another cluster, each with the reason.

    With any of them etcdctl fails at these members, or asks others (measured with 3.4.23, 3.5.1,
    3.6.16 and 3.7.3). User and password stay: they may be meant.
    """
    secure = any(Address(member["client_url"]).is_secure for member in members)
    found = {}
    for name in _OF_TLS:
        if not secure:
            found[name] = "the members of this cluster serve without TLS"
        elif not os.access(caller.get(name, ""), os.R_OK):
            found[name] = f"{caller.get(name)} cannot be read"
    if not _looks_up(args):
        found |= dict.fromkeys(_OF_RECORDS, "the endpoints of this cluster are known")
    return {name: why for name, why in found.items() if caller.get(name)}


def misleading_words(left_out: Mapping[str, str]) -> list[str]:
    """What to tell of variables that are left out, a line for each reason."""
    whys = dict.fromkeys(left_out.values())
    return [
        f"{', '.join(name for name in left_out if left_out[name] == why)} of your environment "
        f"is left out: {why}"
        for why in whys
    ]


def inherited(
    caller: Mapping[str, str], left_out: Iterable[str], args: Iterable[str] = ()
) -> dict[str, str]:
    """The caller's variables for an etcdctl with `args`: a flag that is given wins over its variable."""
    dropped = {"ETCDCTL_API", *left_out}
    kept = {name: value for name, value in caller.items() if name not in dropped}
    of_etcdctl = {name: value for name, value in kept.items() if name.startswith("ETCDCTL_")}
    shadowed = of_etcdctl.keys() - unshadowed(of_etcdctl, args).keys()
    return {name: value for name, value in kept.items() if name not in shadowed}


def _short(url: str) -> str:
    """The URL, of a socket by a path that can be connected to."""
    scheme, _, file = url.partition("://")
    if Address(url).is_socket and len(os.fsencode(file)) > SOCKET_PATH_LIMIT:
        return f"{scheme}://{os.path.relpath(file)}"
    return url


def etcdctl_for_members(members: Iterable[Mapping[str, Any]]) -> str:
    """The etcdctl for these members: beside their etcd, else the newest on this machine.

    Raises SandboxError when there is none.
    """
    from etcd_sandbox.etcd.release import etcdctl_for

    known = [member["etcd"] for member in members if member.get("etcd")]
    # The path of an etcd in an image is nowhere on this machine.
    paths = [etcd["path"] for etcd in known if not etcd.get("image")]
    found = etcdctl_for(paths[0] if paths else "")
    if found is None:
        raise SandboxError(
            "there is no etcdctl on this machine",
            hint="install your system's package (etcd-client), "
            "or pip install 'etcd-sandbox[etcd]', which brings etcdctl 3.5.1",
        )
    return found


def command_line(
    plan: Mapping[str, Any], members: Sequence[Mapping[str, Any]], args: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """What is executed to run etcdctl with `args` for these members of a plan, and its variables.

    Asked to look the endpoints up by DNS it is given none, and has the resolver that the members
    have. Raises SandboxError when there is no etcdctl.
    """
    argv = [etcdctl_for_members(members), *args]
    variables = unshadowed(etcdctl_variables(members), args)
    if _looks_up(args):
        if not overlooks_records(args):
            variables.pop("ETCDCTL_ENDPOINTS", None)
        if dns := plan.get("dns"):
            from etcd_sandbox.plan.ways.dns import NO_PLUGINS

            argv = [*dns["mount"], dns["resolv_conf"], *argv]
            variables["GODEBUG"] = NO_PLUGINS
    return argv, variables


def overlooks_records(args: Sequence[str]) -> bool:
    """Whether etcdctl is asked to look the endpoints up and will not.

    Measured with 3.4.23, 3.5.1, 3.6.16 and 3.7.3: the commands of `endpoint` ask what `--endpoints`
    names, by default 127.0.0.1:2379, unless `--cluster` has them begin with a member list.
    """
    return _looks_up(args) and "endpoint" in args and "--cluster" not in args


def _looks_up(args: Iterable[str]) -> bool:
    """Whether etcdctl is asked to find the endpoints by SRV records."""
    return any(word.partition("=")[0] in ("--discovery-srv", "-d") for word in args)


def unshadowed(variables: Mapping[str, str], args: Iterable[str]) -> dict[str, str]:
    """The variables without those whose flag is given: etcdctl refuses to have both."""
    flags = {word.partition("=")[0] for word in args if word.startswith("--")}
    if any(word.startswith("-w") for word in args):
        flags.add("--write-out")
    return {
        name: value
        for name, value in variables.items()
        if "--" + name.removeprefix("ETCDCTL_").lower().replace("_", "-") not in flags
    }


def run_etcdctl(
    spec: ClusterSpec, args: Sequence[str], timeout_s: float, client: ControlClient | None = None
) -> str:
    """What etcdctl prints, with the endpoints of all members of `spec` set.

    With authentication on, it is run as the user of `client`, if that has one.
    Raises SandboxError with its complaint when it fails, TimedOut when it takes longer.
    """
    import subprocess

    from etcd_sandbox.plan.recorded import as_builtins

    members = members_of(as_builtins(spec))
    if not members:
        raise SandboxError(f"cluster {spec.name!r} has no etcd member to talk to")
    argv, variables = command_line(as_builtins(spec), members, args)
    if client is not None and client.user and client.status().get("authentication"):
        # Where it is off, etcdctl would fail for naming a user.
        variables.update(unshadowed({"ETCDCTL_USER": client.user}, args))
    kept = inherited(os.environ, misleading(os.environ, members, args), args)
    try:
        done = subprocess.run(
            argv,
            env={**kept, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimedOut(
            f"etcdctl {args[0] if args else ''} took longer than {timeout_s:g} s"
        ) from error
    if done.returncode != 0:
        raise SandboxError(
            f"etcdctl {shlex.join(args)} failed with exit status {done.returncode}",
            detail=done.stderr or done.stdout,
        )
    return done.stdout

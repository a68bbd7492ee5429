"""Finds a container engine and what it needs on this machine."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import sys
from pathlib import Path

from msgspec import Struct

from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.etcd.version import parse
from etcd_sandbox.host.enginecommand import Answer, ask_engine
from etcd_sandbox.model.spec import ContainerNetwork, Runtime
from etcd_sandbox.plan.runtimes.engine import Engine

_PASSTHROUGH_SINCE = (4,)
_CAP_SYS_RESOURCE = 24
_ENGINE_LIMIT = 1_048_576
_PODMAN_PROCESSES = 32_768
"""podman 4.3 lowers its own limit of processes to this, and without privilege nobody raises it."""


class _Facts(Struct, frozen=True, kw_only=True):
    """What an engine says of itself. `apart`: its containers run in another machine, a virtual one."""

    apart: bool
    options: tuple[str, ...]


def find_engine(runtime: Runtime, network: ContainerNetwork | None = None) -> Engine:
    """The engine of that name, ready to run containers.

    `network` None: the host's where the engine can. Raises InputError when the engine is not
    installed, does not answer, or cannot give containers that network.
    """
    program = shutil.which(runtime.value)
    if program is None:
        other = Runtime.DOCKER if runtime is Runtime.PODMAN else Runtime.PODMAN
        instead = f"--runtime {other} is there, or " if shutil.which(other.value) else ""
        raise InputError(
            f"{runtime} is not installed",
            hint=f"install your system's package ({_package(runtime)}); {instead}"
            "--runtime process runs the members without containers",
        )
    facts = _podman(program) if runtime is Runtime.PODMAN else _docker(program)
    if facts.apart and network is ContainerNetwork.HOST:
        raise InputError(
            f"{runtime} runs containers in a virtual machine here: its network is not this machine's",
            hint="leave out --container-network, or use --container-network published",
        )
    usual = ContainerNetwork.PUBLISHED if facts.apart else ContainerNetwork.HOST
    return Engine(
        runtime=runtime,
        program=program,
        network=network or usual,
        # SELinux would keep a container from files that are not labelled for it.
        options=("--security-opt=label=disable", *facts.options),
        tells_pid=runtime is Runtime.PODMAN and not facts.apart,
    )


def engine_version(program: str) -> str:
    """What the client of an engine says of its own version, whether its server runs or not."""
    words = ask_engine(program, "--version").out.replace(",", " ").split()
    return next((word for word in words if parse(word)), "unknown")


def _package(runtime: Runtime) -> str:
    return {Runtime.PODMAN: "podman", Runtime.DOCKER: "docker.io or docker-ce"}[runtime]


def _podman(program: str) -> _Facts:
    answer = _asked(program, "version", "--format=json")
    version = json.loads(answer.out)
    # In a container, the user who runs podman is called root, also when it is nobody special.
    whose = "--user=0:0"
    if version.get("Server") or sys.platform != "linux":
        return _Facts(apart=True, options=(whose, "--log-driver=none"))
    passes = parse(version["Client"]["Version"]) >= _PASSTHROUGH_SINCE
    # Passed through, what etcd writes comes straight to us, and none of it lies in podman's files.
    driver = "passthrough" if passes else "none"
    return _Facts(apart=False, options=(whose, f"--log-driver={driver}", *_limits()))


def _limits() -> tuple[str, ...]:
    """What keeps podman from asking for higher limits than root without privileges may set."""
    if os.geteuid() != 0 or _has_capability(_CAP_SYS_RESOURCE):
        return ()
    return (
        f"--ulimit=nofile={_limit(resource.RLIMIT_NOFILE, _ENGINE_LIMIT)}",
        f"--ulimit=nproc={_limit(resource.RLIMIT_NPROC, _PODMAN_PROCESSES)}",
    )


def _limit(which: int, most: int) -> str:
    hard = resource.getrlimit(which)[1]
    limit = most if hard == resource.RLIM_INFINITY else min(hard, most)
    return f"{limit}:{limit}"


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return True


def _docker(program: str) -> _Facts:
    told = json.loads(_asked(program, "info", "--format={{json .}}").out)
    if complaints := told.get("ServerErrors"):
        raise _unusable(program, complaints[0])
    apart = sys.platform != "linux" or told.get("KernelVersion") != platform.release()
    rootless = any("name=rootless" in option for option in told.get("SecurityOptions") or ())
    user = "0:0" if rootless or apart else f"{os.geteuid()}:{os.getegid()}"
    return _Facts(apart=apart, options=(f"--user={user}", "--log-driver=none"))


def _asked(program: str, *arguments: str) -> Answer:
    try:
        answer = ask_engine(program, *arguments)
    except SandboxError as error:
        raise InputError(error.what, error.where, error.hint) from error
    if answer.code != 0:
        raise _unusable(program, answer.reason)
    return answer


def _unusable(program: str, reason: str) -> InputError:
    name, told = Path(program).name, reason.lower()
    if "permission denied" in told and name == Runtime.DOCKER:
        mend = "let this user use it (the group 'docker'), or take podman, which needs no daemon"
    elif "connect" in told:
        start = "systemctl start docker" if name == Runtime.DOCKER else "podman machine start"
        mend = f"start it: {start}"
    else:
        mend = f"see what it says itself: {name} info"
    return InputError(
        f"{name} cannot be used: {reason}",
        hint=f"{mend}; --runtime process runs the members without containers",
    )

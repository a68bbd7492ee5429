"""Small programs that behave badly on purpose, and a plan that runs them with a short stop timeout.

The plan is a profile: there the time between SIGTERM and SIGKILL can be set. Only the
processes beside its member are started, so the etcd that it names is never executed.
"""

from __future__ import annotations

import shlex
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import SandboxCommand, until
from tests.etcd.ports import free_ports


def only(directory: Path, *names: str) -> str:
    """A PATH with nothing but these of the system's programs, in a directory of its own."""
    directory.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found is not None, name
        (directory / name).symlink_to(found)
    return str(directory)


HOLDER = """
import os, signal, socket, sys, time
port, *how = sys.argv[1:]
if "forks" in how and os.fork():
    if "leaves" not in how:
        signal.pause()
    os._exit(0)
if "escapes" in how:
    os.setsid()
if "ignores" in how:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(port)))
listener.listen()
print("holding", port, flush=True)
while True:
    time.sleep(3600)
"""
"""Holds a port, and its pipe; `forks`: in a grandchild; `escapes`: out of its session; `ignores`: signals."""

STUBBORN = {
    "deaf": "ignores",
    "family": "forks ignores",
    "runaway": "forks escapes ignores",
}
"""A child that ignores SIGTERM, one with a grandchild that does, one whose grandchild left the group."""


def can_be_bound(port: int) -> bool:
    """Whether nobody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Holders:
    """Processes that each hold a port."""

    sandbox: SandboxCommand
    args: tuple[str, ...]
    ports: Mapping[str, int]

    def until_all_hold(self, cluster: str = "default") -> None:
        """Return once each of them listens."""
        logs = self.sandbox.home / cluster / "logs"

        def holding() -> list[str]:
            return [
                name
                for name, port in self.ports.items()
                if (logs / f"{name}.log").exists()
                and f"holding {port}\n" in (logs / f"{name}.log").read_text()
            ]

        until(lambda: len(holding()) == len(self.ports), evidence=holding)

    def assert_free(self) -> None:
        """Every port can be bound again, now."""
        assert [name for name, port in self.ports.items() if not can_be_bound(port)] == []


def holders(
    sandbox: SandboxCommand, how: Mapping[str, str] = STUBBORN, *, stop_timeout_s: float = 1.0
) -> Holders:
    """The arguments of `up` that start a holder per name, each behaving as its words say."""
    program = sandbox.cwd / "holder.py"
    program.write_text(HOLDER)
    etcd = sandbox.cwd / "never-executed" / "etcd"
    etcd.parent.mkdir(exist_ok=True)
    etcd.write_text("#!/bin/sh\necho 'etcd Version: 3.5.21'\n")
    etcd.chmod(0o755)
    ports = dict(zip(how, free_ports(len(how)), strict=True))
    tables = [
        f'[cluster]\nmembers = 1\netcd = "{etcd}"\n[supervise]\nstop_timeout_s = {stop_timeout_s}\n'
    ]
    for name, words in how.items():
        command = shlex.join([sys.executable, "-S", "-E", str(program), str(ports[name])])
        tables.append(f"[[process]]\nname = \"{name}\"\ncommand = '''{command} {words}'''\n")
    profile = sandbox.cwd / "holders.toml"
    profile.write_text("".join(tables))
    return Holders(sandbox, ("-p", str(profile), "--base-port", "auto", *how), ports)

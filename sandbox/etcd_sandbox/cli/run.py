"""`run`: a command against a fresh cluster on free ports, and nothing left afterwards: for CI."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from etcd_sandbox.cli import diagnostics
from etcd_sandbox.cli.check import collect, here, input_options
from etcd_sandbox.cli.params import timeout
from etcd_sandbox.cli.settings import common
from etcd_sandbox.cli.waiting import ENDING, ending_signals, interruptible
from etcd_sandbox.errors import InputError, SandboxError

if TYPE_CHECKING:
    from etcd_sandbox.inputs.caller import Planned
    from etcd_sandbox.paths import ClusterPaths

EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127


class CommandNotExecutable(SandboxError):
    """The command is there, but cannot be executed."""

    exit_code = EXIT_NOT_EXECUTABLE


class CommandNotFound(SandboxError):
    """There is no such command."""

    exit_code = EXIT_NOT_FOUND


@click.command("run", context_settings={"allow_interspersed_args": False})
@input_options()
@timeout("How long to wait until the cluster is ready.")
@click.argument("command", metavar="-- CMD...", nargs=-1, required=True, type=click.UNPROCESSED)
@common()
def run(timeout_s: float, command: tuple[str, ...], **given: Any) -> int:
    """Run CMD against a fresh cluster of its own on free ports, then clean up.

    CMD gets ETCDCTL_ENDPOINTS, ETCD_SANDBOX_CLUSTER, ETCD_SANDBOX_SOCKET (the control API) and,
    with --bootstrap dns, ETCD_SANDBOX_DNS (the address of the DNS server) and
    ETCD_SANDBOX_DNS_DOMAIN. The cluster's etcdctl is last on its PATH. Its exit code is ours.
    """
    from etcd_sandbox.host.leftovers import clear_abandoned, passing_cluster
    from etcd_sandbox.inputs.olddata import refuse_foreign_data
    from etcd_sandbox.inputs.options import DEFAULT_MEMBERS
    from etcd_sandbox.inputs.plan import plan_up
    from etcd_sandbox.model.spec import SourceKind

    if given["procfile"] is not None:
        raise InputError(
            "run needs free ports and data of its own, and a Procfile names both itself",
            hint="use -n or -p; or etcd-sandbox up -d, your command, and etcd-sandbox down",
        )
    if given["members"] is None and given["profile"] is None:
        given["members"] = DEFAULT_MEMBERS
    given["base_port"] = given["base_port"] or "auto"
    for line in clear_abandoned():
        diagnostics.note(line)
    paths = passing_cluster("run")
    with interruptible():
        try:
            planned = plan_up(collect(ephemeral=True, **given), paths, here())
            diagnostics.note(planned.says)
            diagnostics.risk_notes(planned.spec)
            if planned.spec.source.kind is not SourceKind.PROCFILE:
                refuse_foreign_data(planned.spec, "run")
            return _run(planned, paths, command, timeout_s)
        finally:
            with _undisturbed():
                _leave_nothing(paths)


def _run(planned: Planned, paths: ClusterPaths, command: Sequence[str], timeout_s: float) -> int:
    import msgspec

    from etcd_sandbox.host.etcdctl import (
        members_of,
        misleading,
        misleading_words,
        path_with_etcdctl,
        program_variables,
    )
    from etcd_sandbox.host.start import start_and_wait

    start_and_wait(planned, paths, owned=True, timeout_s=timeout_s, leave_late=False)
    plan = msgspec.to_builtins(planned.spec)
    path = path_with_etcdctl(plan, os.environ.get("PATH", os.defpath))
    left_out = misleading(os.environ, members_of(plan))
    for text in misleading_words(left_out):
        diagnostics.note(text)
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    env = {**kept, **program_variables(plan, paths), "PATH": path}
    with _forwarded() as to:
        try:
            child = subprocess.Popen(list(command), env=env)
        except FileNotFoundError as error:
            raise CommandNotFound("there is no such command", command[0]) from error
        except OSError as error:
            raise CommandNotExecutable(
                f"the command cannot be executed ({error.strerror})", command[0]
            ) from error
        to(child)
        code = child.wait()
    return 128 - code if code < 0 else code


@contextlib.contextmanager
def _forwarded() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """The ending signals go to the command that is named: it decides what they mean.

    Those that come before, while it is being executed, go to it then.
    """
    commands: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        # The terminal's Ctrl-C has reached the command already.
        if not commands:
            early.append(number)
        elif number != signal.SIGINT or not _in_front():
            commands[0].send_signal(number)

    def to(command: subprocess.Popen[bytes]) -> None:
        commands.append(command)
        for number in early:
            command.send_signal(number)

    with ending_signals(forward):
        yield to


def _in_front() -> bool:
    """Whether this process is in the group that the terminal sends Ctrl-C to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


@contextlib.contextmanager
def _undisturbed() -> Any:
    """Within, the ending signals wait: tidying up takes a second at most."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_nothing(paths: ClusterPaths) -> None:
    from etcd_sandbox.host.clusterlock import purge
    from etcd_sandbox.host.start import stop_at_once

    stop_at_once(paths)
    with contextlib.suppress(SandboxError):
        purge(paths)

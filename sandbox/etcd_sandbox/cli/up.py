"""`up` and `run`: start a cluster, to own it, to leave it running, or for one command."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from etcd_sandbox.cli import diagnostics, output, params
from etcd_sandbox.cli.check import collect, here, input_options, show
from etcd_sandbox.cli.params import timeout
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.cli.waiting import ENDING, ending_signals, interruptible
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.plan.recorded import as_builtins
from etcd_sandbox.plan.ways import way_of

if TYPE_CHECKING:
    import subprocess
    from types import FrameType

    from etcd_sandbox.inputs.caller import Planned
    from etcd_sandbox.paths import ClusterPaths


@click.command("up")
@click.argument("wanted", metavar="[NAME]...", nargs=-1)
@input_options()
@params.detach
@params.plain
@params.raw
@click.option("--fresh", is_flag=True, help="Delete the cluster's old data first.")
@params.ephemeral
@click.option(
    "--exit-on-error",
    is_flag=True,
    help="End the cluster when a process fails, with its exit code.",
)
@click.option(
    "--watch", is_flag=True, help="Apply edits of the Procfile or profile by itself, as they come."
)
@timeout("How long to wait until the cluster is ready.")
@click.option("--dry-run", is_flag=True, help="Print what would run; start nothing.")
@common(data=True)
def up(
    wanted: tuple[str, ...],
    detach: bool,
    plain: bool,
    raw: bool,
    fresh: bool,
    ephemeral: bool,
    exit_on_error: bool,
    watch: bool,
    timeout_s: float,
    dry_run: bool,
    **given: Any,
) -> None:
    """Start a cluster: its members, and what is to run beside them.

    With nothing named: ./Procfile, else the plan recorded for this cluster, else three members.
    NAMEs start only these processes. Without -d the cluster stops when this command goes, in
    whatever way. On a terminal the dashboard opens, and asks before it goes; with --plain Ctrl-C
    stops everything, a second one kills at once.
    """
    from etcd_sandbox.cli.choice import clear_leftovers, paths_to_start
    from etcd_sandbox.host.planfile import recorded_plan
    from etcd_sandbox.inputs.olddata import going_on, logs_elsewhere, refuse_foreign_data
    from etcd_sandbox.inputs.plan import plan_up

    options = collect(
        wanted=wanted, ephemeral=ephemeral, exit_on_error=exit_on_error, fresh=fresh, **given
    )
    paths, caller = paths_to_start(), here()
    planned = plan_up(options, paths, caller)
    diagnostics.warn(*planned.spec.notes)
    diagnostics.note(planned.says)
    for option, asked in (("--fresh", fresh), ("--ephemeral", ephemeral)):
        if asked:
            refuse_foreign_data(planned.spec, option)
    if fresh and (kept := logs_elsewhere(planned.spec, paths.root)):
        diagnostics.note(kept)
    if dry_run:
        show(planned.spec)
        return
    diagnostics.risk_notes(planned.spec)
    clear_leftovers(paths)
    old = (
        None if fresh else going_on(planned.spec, recorded_plan(paths), paths, ephemeral=ephemeral)
    )
    if old is not None and not paths.supervisor.exists():
        diagnostics.note(old)
    if detach:
        from etcd_sandbox.host.start import start_and_wait

        with interruptible():
            answer, _ = start_and_wait(
                planned, paths, owned=False, fresh=fresh, timeout_s=timeout_s
            )
        show_begun(answer, planned, paths)
        return
    from etcd_sandbox.cli.dashboard import can_be_shown
    from etcd_sandbox.cli.foreground import Wishes, own

    wishes = Wishes(
        fresh=fresh,
        apply_edits=watch,
        timeout_s=timeout_s,
        raw=raw,
        notice=old or "",
        dashboard=not (plain or settings().json) and can_be_shown(),
    )
    output.leave(own(planned, paths, caller, wishes))


def show_begun(answer: dict[str, Any], planned: Planned, paths: ClusterPaths) -> None:
    """What a cluster that is left running has become; `answer` is that of `ready`."""
    from etcd_sandbox.control.client import ControlClient

    if settings().json:
        output.document(answer)
        return
    if why := answer.get("why"):
        output.line(str(why))
    else:
        output.line(f"cluster {paths.name} ready in {answer['ready_s']:.2f} s")
    diagnostics.warn(*answer.get("warnings", ()))
    status = ControlClient(paths).status()
    _short_table(status)
    if not settings().quiet:
        for command in way_of(planned.spec).lines:
            output.line(f"records: {command}")
    output.next_step("status")
    output.next_step("kill leader" if status["members"] else "logs -f")
    output.next_step("down")


def _short_table(answer: dict[str, Any]) -> None:
    from etcd_sandbox.cli.status import member_row

    heads = ("MEMBER", "PROCESS", "ROLE", "PID", "CLIENT")
    rows = [member_row(member, index) for index, member in enumerate(answer["members"])]
    output.table([{head: row[head] for head in heads} for row in rows])
    for process in answer["processes"]:
        output.line(f"{process['name']}: {process['state']}{_how(process)}")


def _how(process: dict[str, Any]) -> str:
    """The pid of a process that runs, how another one ended: ` (pid 12)`, `: exit status 1`."""
    if process["pid"] is not None:
        return f" (pid {process['pid']})"
    from etcd_sandbox.words.story import end

    words = end(process["exit"])
    note = (process["exit"] or {}).get("note")
    return (f": {words}" if words else "") + (f" ({note})" if note else "")


class CommandNotExecutable(SandboxError):
    """The command is there, but cannot be executed."""

    exit_code = 126


class CommandNotFound(SandboxError):
    """There is no such command."""

    exit_code = 127


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
    from etcd_sandbox.host.start import clear_abandoned, passing_cluster
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
    diagnostics.note(*clear_abandoned())
    paths = passing_cluster("run")
    with interruptible():
        try:
            planned = plan_up(collect(ephemeral=True, **given), paths, here())
            diagnostics.note(planned.says)
            diagnostics.risk_notes(planned.spec)
            if planned.spec.source.kind is not SourceKind.PROCFILE:
                refuse_foreign_data(planned.spec, "run")
            return _run_command(planned, paths, command, timeout_s)
        finally:
            with _undisturbed():
                _leave_nothing(paths)


def _run_command(
    planned: Planned, paths: ClusterPaths, command: Sequence[str], timeout_s: float
) -> int:
    from etcd_sandbox.host.etcdctl import (
        members_of,
        misleading,
        misleading_words,
        path_with_etcdctl,
        program_variables,
    )
    from etcd_sandbox.host.start import start_and_wait

    start_and_wait(planned, paths, owned=True, timeout_s=timeout_s)
    plan = as_builtins(planned.spec)
    path = path_with_etcdctl(plan, os.environ.get("PATH", os.defpath))
    left_out = misleading(os.environ, members_of(plan))
    diagnostics.note(*misleading_words(left_out))
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    env = {**kept, **program_variables(plan, paths), "PATH": path}
    import subprocess

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

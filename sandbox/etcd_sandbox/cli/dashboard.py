"""`dashboard`: attach to a running cluster, from any terminal or browser, any number of times."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import click

from etcd_sandbox.cli.params import WHOLE, BasePort, WholeRange
from etcd_sandbox.cli.settings import common
from etcd_sandbox.errors import EXIT_INTERRUPTED, InputError, SandboxError

if TYPE_CHECKING:
    from etcd_sandbox.control.client import ControlClient
    from etcd_sandbox.paths import ClusterPaths
    from etcd_sandbox.tui.app import Dashboard

VIEWERS_AT_ONCE = 10


class WebPort(BasePort):
    """A port; 0 and `auto` are any free one, 0."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        port = 0 if value == "0" else super().convert(value, param, ctx)
        return 0 if isinstance(port, str) else port


@click.command("dashboard")
@click.option("--web", is_flag=True, help="Serve it to browsers, at a secret URL that is printed.")
@click.option(
    "--bind",
    metavar="ADDRESS",
    help="With --web: where to listen, instead of on 127.0.0.1 for this machine alone.",
)
@click.option(
    "--port",
    type=WebPort(),
    metavar="PORT",
    help="With --web: the port, or 'auto' for a free one; 8379, if it is free, when not given.",
)
@click.option(
    "--viewers",
    type=WholeRange(1, 1000),
    metavar="N",
    help=f"With --web: how many browsers may show it at once, {VIEWERS_AT_ONCE} when not given; each costs some 45 MiB.",
)
@click.option(
    "--owned", is_flag=True, hidden=True, help="Ask at the end what becomes of the cluster."
)
@click.option("--notices", type=WHOLE, hidden=True, help="Where lines to be shown come from.")
@common()
def dashboard(
    web: bool,
    bind: str | None,
    port: int | None,
    viewers: int | None,
    owned: bool,
    notices: int | None,
) -> int:
    """Watch a running cluster and act on it: members, elections, outages, logs.

    Leaving it, or its end in whatever way, changes nothing of the cluster.
    """
    from etcd_sandbox.cli.choice import running

    given = (("--bind", bind), ("--port", port), ("--viewers", viewers))
    of_web = next((name for name, value in given if value is not None), None)
    if not web and of_web is not None:
        raise InputError(
            f"{of_web} is for the dashboard in a browser",
            hint="etcd-sandbox dashboard --web",
        )
    client = running()
    if web:
        return _serve(client.paths, bind, port, viewers or VIEWERS_AT_ONCE)
    return _show(client, owned, notices)


def _show(client: ControlClient, owned: bool, notices: int | None) -> int:
    from etcd_sandbox.cli.owndashboard import EXIT_RUNNING, EXIT_STOP

    app = shown(client, owned=owned, notices=notices)
    if not owned:
        return app.return_code or 0
    left = app.return_value
    from etcd_sandbox.tui.screens.quit import Leave

    return EXIT_RUNNING if left is Leave.RUNNING else EXIT_STOP if left is Leave.STOP else 1


def check_it_can_be_shown(hint: str) -> None:
    """Raises InputError with the hint where there is neither a terminal nor a browser."""
    from etcd_sandbox.cli.owndashboard import can_be_shown
    from etcd_sandbox.web.fed import is_fed

    if not is_fed() and not can_be_shown():
        raise InputError("the dashboard needs a terminal", hint=hint)


def shown(client: ControlClient, **options: Any) -> Dashboard:
    """The dashboard of a cluster, once it was left. `options` are the dashboard's own.

    Raises whatever it crashed of.
    """
    from etcd_sandbox.web.fed import end_with_server, is_fed

    check_it_can_be_shown(
        "etcd-sandbox dashboard --web shows it in a browser;"
        " status --watch and logs -f work without either"
    )
    if is_fed():
        end_with_server()
    import msgspec

    from etcd_sandbox.control.async_client import AsyncControlClient
    from etcd_sandbox.model.state import ClusterStatus
    from etcd_sandbox.tui.app import ENDING_SIGNALS, Dashboard
    from etcd_sandbox.tui.terminaldriver import TerminalDriver

    try:
        known = msgspec.convert(client.status(), ClusterStatus)
    except msgspec.MsgspecError as error:
        raise SandboxError(
            f"the supervisor's answer is not understood: {error}",
            hint="it may be of another version: etcd-sandbox down, then up",
        ) from error
    # Between Textual's taking the terminal and the dashboard's heeding them, these would leave
    # the terminal as it is then.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    app = Dashboard(
        AsyncControlClient(client.paths),
        known=known,
        driver_class=None if is_fed() else TerminalDriver,
        **options,
    )
    app.run()
    if app.crash is not None:
        raise app.crash
    return app


def _serve(paths: ClusterPaths, bind: str | None, port: int | None, viewers: int) -> int:
    from etcd_sandbox.cli import output
    from etcd_sandbox.cli.diagnostics import note, raw, warn
    from etcd_sandbox.cli.interrupts import heeded

    try:
        from etcd_sandbox.web.server import serve
    except ModuleNotFoundError as error:
        raise SandboxError(
            "the dashboard in a browser needs textual-serve, which is not installed",
            hint="pip install 'etcd-sandbox[web]'",
        ) from error
    from etcd_sandbox.web.listening import listen

    listening = listen(bind, port)
    if listening.beyond_this_machine:
        warn(
            f"everybody who can reach {listening.address} port {listening.port} and has the URL"
            " can run commands on this machine as you; the traffic is not encrypted"
        )

    def ready(url: str) -> None:
        output.line(url)
        output.flush()
        note(f"cluster {paths.name}: open that URL in a browser; Ctrl-C ends it")

    def say(text: str) -> None:
        raw(text.encode())

    serve(paths.name, listening, heeded(), ready, say, viewers)
    return EXIT_INTERRUPTED

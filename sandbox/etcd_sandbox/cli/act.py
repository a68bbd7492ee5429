"""`start`, `stop`, `restart`, `kill`, `pause`, `resume`: what is done to processes."""

from __future__ import annotations

from typing import Any

import click

from etcd_sandbox.cli.ordering import measured, order
from etcd_sandbox.cli.params import SIGNAL, selectors
from etcd_sandbox.cli.settings import common
from etcd_sandbox.model.verb import Verb


@click.command("start")
@selectors(required=True)
@measured
@common(data=True)
def start(select: tuple[str, ...], **how: Any) -> None:
    """Start processes that do not run, with the data that they had."""
    order(Verb.START, select, **how)


@click.command("stop")
@selectors(required=True)
@measured
@common(data=True)
def stop(select: tuple[str, ...], **how: Any) -> None:
    """Stop processes gracefully: SIGTERM, and SIGKILL to those that do not go. Their data stays."""
    order(Verb.STOP, select, **how)


@click.command("restart")
@selectors(required=True)
@measured
@common(data=True)
def restart(select: tuple[str, ...], **how: Any) -> None:
    """Stop processes gracefully and start them again, with the data that they had."""
    order(Verb.RESTART, select, **how)


@click.command("kill")
@selectors(required=True)
@click.option(
    "-s",
    "--signal",
    type=SIGNAL,
    default="SIGKILL",
    show_default=True,
    metavar="S",
    help="The signal, by name (with or without SIG) or number.",
)
@measured
@common(data=True)
def kill(select: tuple[str, ...], signal: str, **how: Any) -> None:
    """Crash processes: no goodbye, as when a machine fails."""
    order(Verb.KILL, select, signal=signal, **how)


@click.command("pause")
@selectors(required=True)
@measured
@common(data=True)
def pause(select: tuple[str, ...], **how: Any) -> None:
    """Let processes hang (SIGSTOP): they keep their ports and answer nobody."""
    order(Verb.PAUSE, select, **how)


@click.command("resume")
@selectors(required=True)
@measured
@common(data=True)
def resume(select: tuple[str, ...], **how: Any) -> None:
    """Let paused processes go on (SIGCONT)."""
    order(Verb.RESUME, select, **how)

"""`start`, `stop`, `restart`, `kill`, `pause`, `resume`: each says whom it meant and what to type next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from sandbox.cli import output
from sandbox.cli.params import SIGNAL, SPAN, selectors
from sandbox.cli.settings import common, settings
from sandbox.control.wire import Verb

_DONE = {
    Verb.START: "started",
    Verb.STOP: "stopped",
    Verb.RESTART: "restarted",
    Verb.KILL: "killed",
    Verb.PAUSE: "paused",
    Verb.RESUME: "resumed",
}
_NEXT = {Verb.STOP: "start", Verb.KILL: "start", Verb.PAUSE: "resume"}

_timeout = click.option(
    "--timeout",
    "timeout_s",
    type=SPAN,
    default="30s",
    show_default=True,
    metavar="SPAN",
    help="How long to wait until it is done.",
)


@click.command("start")
@selectors(required=True)
@_timeout
@common(data=True)
def start(select: tuple[str, ...], timeout_s: float) -> None:
    """Start processes that do not run, with the data that they had."""
    _act(Verb.START, select, timeout_s)


@click.command("stop")
@selectors(required=True)
@_timeout
@common(data=True)
def stop(select: tuple[str, ...], timeout_s: float) -> None:
    """Stop processes gracefully: SIGTERM, and SIGKILL to those that do not go. Their data stays."""
    _act(Verb.STOP, select, timeout_s)


@click.command("restart")
@selectors(required=True)
@_timeout
@common(data=True)
def restart(select: tuple[str, ...], timeout_s: float) -> None:
    """Stop processes gracefully and start them again, with the data that they had."""
    _act(Verb.RESTART, select, timeout_s)


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
@_timeout
@common(data=True)
def kill(select: tuple[str, ...], signal: str, timeout_s: float) -> None:
    """Crash processes: no goodbye, as when a machine fails."""
    _act(Verb.KILL, select, timeout_s, signal)


@click.command("pause")
@selectors(required=True)
@_timeout
@common(data=True)
def pause(select: tuple[str, ...], timeout_s: float) -> None:
    """Let processes hang (SIGSTOP): they keep their ports and answer nobody."""
    _act(Verb.PAUSE, select, timeout_s)


@click.command("resume")
@selectors(required=True)
@_timeout
@common(data=True)
def resume(select: tuple[str, ...], timeout_s: float) -> None:
    """Let paused processes go on (SIGCONT)."""
    _act(Verb.RESUME, select, timeout_s)


def _act(verb: Verb, select: tuple[str, ...], timeout_s: float, signal: str | None = None) -> None:
    from sandbox.cli.choice import running

    answer = running().act(verb, select, signal=signal, timeout_s=timeout_s)
    if settings().json:
        output.document(answer)
        return
    targets = answer["targets"]
    for text in told(verb, targets, signal):
        output.line(text)
    output.next_step(following(verb, targets, signal))


def told(verb: Verb, targets: Iterable[dict[str, Any]], signal: str | None = None) -> list[str]:
    """A line for each target: what was done to it, or why there was nothing to do."""
    return [_told(verb, target, signal) for target in targets]


def following(verb: Verb, targets: Iterable[dict[str, Any]], signal: str | None = None) -> str:
    """The command that is most likely wanted next."""
    done = [name_of(target) for target in targets if target["done"]]
    if verb not in _NEXT or not done or signal not in (None, "SIGKILL"):
        return "status"
    return " ".join((_NEXT[verb], *done))


def name_of(target: dict[str, Any]) -> str:
    """The member's name, else the process's."""
    return str(target.get("member") or target["process"])


def _told(verb: Verb, target: dict[str, Any], signal: str | None) -> str:
    name = name_of(target)
    if not target["done"]:
        return f"{name}: nothing to do, it is {target['state']}"
    pid = target.get("pid")
    if signal is not None and signal != "SIGKILL":
        text = f"sent {signal} to {name} (pid {pid})"
    elif verb is Verb.KILL:
        text = f"killed {name} (pid {pid}, {signal or 'SIGKILL'})"
    elif verb is Verb.RESTART or pid is None:
        # The pid is the one before: of a process that is no more.
        text = f"{_DONE[verb]} {name}"
    else:
        text = f"{_DONE[verb]} {name} (pid {pid})"
    return f"{text}; it was the leader" if target.get("was_leader") else text

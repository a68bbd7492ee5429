"""The cluster as a script of POSIX sh: it starts the processes and stops them when it ends."""

from __future__ import annotations

import shlex

from etcd_sandbox.export.exported import Exported, Kind, heading
from etcd_sandbox.export.standalone import (
    PAUSE,
    Command,
    commands,
    is_of_procfile,
    register,
    unsaid,
)
from etcd_sandbox.model.spec import ClusterSpec
from etcd_sandbox.plan.shell import is_simple, shell_argv

_BEGIN = r"""
# etcd dies of an option that it gets as a flag and as a variable.
for variable in $(env | sed -n 's/^\(ETCD_[A-Z0-9_]*\)=.*/\1/p'); do
  unset "$variable"
done

pids=
stop() {
  trap 'kill -KILL $pids' INT TERM HUP
  # One by one: a leader hands over to a member that still runs, and is gone at once.
  for pid in $pids; do
    kill -TERM "$pid" 2>/dev/null && wait "$pid"
  done
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
"""


def shell(spec: ClusterSpec, on_path: str) -> Exported:
    """The script, of the processes that `up` starts. `on_path` is the etcd that a bare `etcd` runs, or empty."""
    wanted = {process.name for process in spec.wanted_processes}
    found = [each for each in commands(spec, Kind.SHELL, on_path) if each.name in wanted]
    place = (
        "Run it in the directory of the Procfile that it was made from"
        if is_of_procfile(spec)
        else "Run it in a directory of its own: data goes to NAME.etcd there"
    )
    head = heading(spec, Kind.SHELL, f"{place}, output to NAME.log.", "Ctrl-C stops them all.")
    # What others wait for comes first.
    ordered = sorted(found, key=lambda command: (not command.service, not command.member))
    parts = [_started(spec, command) for command in ordered]
    text = f"#!/bin/sh\n{head}{_BEGIN}\n{''.join(parts)}{_end(spec, found)}"
    return Exported(text=text, notes=(*unsaid(spec, Kind.SHELL), *_notes(found)))


def _started(spec: ClusterSpec, command: Command) -> str:
    words = command.words or shell_argv(command.shell)
    if command.env:
        words = ("env", *(f"{name}={value}" for name, value in command.env.items()), *words)
    wait = "" if not command.until or command.member else _until(command.until)
    log = shlex.quote(f"{command.name}.log")
    lines = " \\\n  ".join(shlex.quote(word) for word in words)
    text = f'{wait}{lines} >{log} 2>&1 &\npids="$pids $!"\n\n'
    return text + _until(register(spec)) + "\n" if command.service else text


def _until(condition: str) -> str:
    return f"until {condition} 2>/dev/null; do\n  {PAUSE}\ndone\n"


def _end(spec: ClusterSpec, found: list[Command]) -> str:
    members = {command.member for command in found if command.member}
    urls = ",".join(
        process.member.client_url
        for process in spec.members
        if process.member is not None and process.member.name in members
    )
    told = [f"ETCDCTL_ENDPOINTS={urls} etcdctl endpoint health"] if urls else []
    lines = [*told, "Ctrl-C stops all."]
    return "".join(f"echo {shlex.quote(line)}\n" for line in lines) + "wait\n"


def _notes(found: list[Command]) -> list[str]:
    notes = []
    if loaded := sorted({name for command in found for name in command.env} - {"PORT"}):
        notes.append(
            f"the script holds the values of {', '.join(loaded)}, from a file of variables"
        )
    if loose := [each.name for each in found if each.shell and not is_simple(each.shell)]:
        notes.append(
            f"{', '.join(loose)}: the script stops the shell of that command, not what that started"
        )
    return notes

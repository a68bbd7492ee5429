"""`python -m tests.docs.commandspage` prints docs/cli.md, made from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
from etcd_sandbox.cli import output
from etcd_sandbox.cli.root import PROGRAM, SECTIONS, load, root

_HEAD = """# The commands

This page is made from the commands by `python -m tests.docs.commandspage`; a test holds them together.

Global options may be typed before the command or behind it. Exit codes: 0 done · 1 failed ·
2 usage or bad input · 3 no such running cluster · 4 timed out · 130 interrupted.
Errors go to stderr: what and where, then how to mend it; data goes to stdout.

With `--json` an error is one JSON object on one line of stderr, the last one:
`{"error": "no cluster is running", "hint": "etcd-sandbox up starts one; …", "detail": null, "code": 3}`.
`code` is the exit code; `detail` is evidence, such as the last log lines of a member; hint and detail may be
null. Notes are left out then, and a warning is a line of its own, `{"warning": "…"}`.

**SEL** names processes: a process name, a member name, a member ID in hex, or `leader`,
`followers`, `members`, `all`; several are taken together. **SPAN** is a span of time: `30` (seconds),
`200ms`, `10m`, `1h30m`.
"""


def page() -> str:
    """The whole page."""
    lines = [_HEAD, "## Global options", "", *_options(root, skip=frozenset()), ""]
    shared = {option.name for option in root.params} | {"help"}
    for title, commands in SECTIONS.items():
        lines += [f"## {title}", ""]
        for name in commands:
            lines += [*_command(name, load(name), frozenset(map(str, shared))), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _command(name: str, command: click.Command, shared: frozenset[str]) -> Iterator[str]:
    context = click.Context(command, info_name=f"{PROGRAM} {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"### {name}"
    yield ""
    yield "```"
    yield f"{PROGRAM} {name} {usage}"
    yield "```"
    yield ""
    yield inspect.cleandoc(command.help or "")
    # Data can be had as JSON only from some: that is worth a line where it is so.
    json = frozenset({"json"}) & {str(param.name) for param in command.params}
    options = list(_options(command, skip=shared - json))
    if options:
        yield ""
        yield from options


def _options(command: click.Command, skip: frozenset[str]) -> Iterator[str]:
    context = click.Context(command, info_name=PROGRAM, help_option_names=["-h", "--help"])
    for param in command.get_params(context):
        if not isinstance(param, click.Option) or param.name in skip:
            continue
        if command is not root and "--help" in param.opts:
            continue
        record = param.get_help_record(context)
        if record is not None:
            spelling, text = record
            yield f"- `{spelling}`: {text}"


if __name__ == "__main__":
    output.text(page())

"""The command `etcd-sandbox` itself: which commands there are, loaded only when they are used."""

from __future__ import annotations

import importlib

import click

from sandbox import __version__
from sandbox.cli.settings import common, settings
from sandbox.errors import InputError

PROGRAM = "etcd-sandbox"

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Bring up and take down": {
        "up": ("sandbox.cli.up:up", "Start a cluster."),
        "run": ("sandbox.cli.run:run", "Run a command against a fresh cluster, then clean up."),
        "apply": ("sandbox.cli.apply:apply", "Make the running set match the changed input."),
        "down": ("sandbox.cli.down:down", "Stop everything."),
    },
    "Look": {
        "ls": ("sandbox.cli.ls:ls", "List running and stopped clusters."),
        "status": ("sandbox.cli.status:status", "Show the members."),
        "logs": ("sandbox.cli.logs:logs", "Show log lines, in order of arrival."),
        "events": ("sandbox.cli.events:events", "Show what happened: starts, exits, elections."),
    },
    "Act": {
        "start": ("sandbox.cli.act:start", "Start processes that do not run."),
        "stop": ("sandbox.cli.act:stop", "Stop processes gracefully; their data stays."),
        "restart": ("sandbox.cli.act:restart", "Stop and start processes; their data stays."),
        "kill": ("sandbox.cli.act:kill", "Crash processes: SIGKILL, or another signal."),
        "pause": ("sandbox.cli.act:pause", "Let processes hang (SIGSTOP)."),
        "resume": ("sandbox.cli.act:resume", "Let paused processes go on (SIGCONT)."),
    },
    "Use": {
        "ctl": ("sandbox.cli.ctl:ctl", "Run etcdctl with the endpoints set."),
        "env": ("sandbox.cli.env:env", "Print the variables that etcdctl reads."),
    },
    "Prepare": {
        "check": (
            "sandbox.cli.check:check",
            "Validate a Procfile or profile; print what would run.",
        ),
        "doctor": ("sandbox.cli.doctor:doctor", "Find what would get in the way here."),
        "versions": ("sandbox.cli.versions:versions", "List every etcd found here."),
    },
}
"""Section → command → where it is, and its line in the list (so that the list imports nothing)."""

COMMANDS = {name: entry for commands in SECTIONS.values() for name, entry in commands.items()}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            raise _no_such_command(args[0])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(width), line) for name, (_, line) in commands.items()]
                )


def load(name: str) -> click.Command:
    """The command called `name`, its module imported."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


def _no_such_command(word: str) -> InputError:
    from difflib import get_close_matches

    near = get_close_matches(word, COMMANDS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "etcd-sandbox --help lists the commands"
    return InputError(f"there is no command {word!r}", hint=hint)


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from sandbox.cli import output

        output.line(f"{PROGRAM} {__version__}")
        context.exit()


@click.group(
    PROGRAM,
    cls=LazyGroup,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@common(data=True)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Print the version.",
)
@click.pass_context
def root(context: click.Context) -> None:
    """Run a real etcd cluster on one machine, break it on purpose, understand what happens."""
    if context.invoked_subcommand is None:
        from sandbox.cli import output

        output.line(context.get_help())
        return
    command = load(context.invoked_subcommand)
    if settings().json and not any(param.name == "json" for param in command.params):
        raise InputError(
            f"'{command.name}' has no --json",
            hint=f"{PROGRAM} {command.name} --help shows what it has",
        )

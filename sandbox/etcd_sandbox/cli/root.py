"""The command `etcd-sandbox` itself: which commands there are, loaded only when they are used."""

from __future__ import annotations

import importlib

import click

from etcd_sandbox import __version__
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import InputError
from etcd_sandbox.verbs import OF_MEMBERS, VERBS

PROGRAM = "etcd-sandbox"

_VERBS = {verb.name: ("act", verb.summary) for verb in VERBS.values()}
_OF_MEMBERS = {verb.name: _VERBS[verb.name] for verb in OF_MEMBERS}

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Bring up and take down": {
        "up": ("up", "Start a cluster."),
        "run": ("up", "Run a command against a fresh cluster, then clean up."),
        "apply": ("apply", "Make the running set match the changed input."),
        "down": ("down", "Stop everything."),
    },
    "Look": {
        "ls": ("ls", "List running and stopped clusters."),
        "status": ("ls", "Show the members."),
        "logs": ("logs", "Show log lines, in order of arrival."),
        "dashboard": ("ls", "Watch a cluster and act on it."),
        "events": ("logs", "Show what happened: starts, exits, elections."),
    },
    "Act": {
        **{name: entry for name, entry in _VERBS.items() if name not in _OF_MEMBERS},
        "failover": ("failover", "Lose the leader again and again; measure."),
        **_OF_MEMBERS,
        "upgrade": ("upgrade", "Give members another etcd, one at a time."),
    },
    "Learn": {
        "learn": ("learn", "Do a lesson of the workshop, step by step."),
    },
    "Use": {
        "ctl": ("ctl", "Run etcdctl with the endpoints set."),
        "env": ("ctl", "Print the variables that etcdctl reads."),
        "snapshot": ("snapshot", "Back the cluster's keys up into a file."),
        "restore": ("snapshot", "Bring up a new cluster from a snapshot."),
        "export": ("export", "Print the same cluster for another tool."),
    },
    "Prepare": {
        "check": ("check", "Validate a Procfile or profile; print what would run."),
        "doctor": ("prepare", "Find what would get in the way here."),
        "versions": ("prepare", "List every etcd found here."),
        "kit": ("prepare", "Prepare machines that have no network."),
    },
}
"""Section → command → its file in this room, and its line in the list (so that the list imports nothing)."""

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
    module = importlib.import_module(f"etcd_sandbox.cli.{COMMANDS[name][0]}")
    command = getattr(module, name.replace("-", "_"))
    assert isinstance(command, click.Command)
    return command


def _no_such_command(word: str) -> InputError:
    from etcd_sandbox.errors import nearest

    near = nearest(word, COMMANDS)
    hint = f"did you mean '{near}'?" if near else "etcd-sandbox --help lists the commands"
    return InputError(f"there is no command {word!r}", hint=hint)


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from etcd_sandbox.cli import output

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
        from etcd_sandbox.cli import output

        output.line(context.get_help())
        return
    command = load(context.invoked_subcommand)
    if settings().json and not any(param.name == "json" for param in command.params):
        raise InputError(
            f"'{command.name}' has no --json",
            hint=f"{PROGRAM} {command.name} --help shows what it has",
        )

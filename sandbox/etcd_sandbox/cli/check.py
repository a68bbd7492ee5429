"""What a cluster is to be made of: the options that say so, what would run of it, and `check`."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etcd_sandbox.cli import diagnostics, output
from etcd_sandbox.cli.params import PORT, WHOLE, WholeRange
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import InputError
from etcd_sandbox.inputs.options import DECLARED, Kind, Option, Options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem
    from click.types import OptionHelpExtra

    from etcd_sandbox.inputs.caller import Caller
    from etcd_sandbox.model.spec import ClusterSpec, MemberSpec, ProcessSpec

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_OF_SNAPSHOTS = ("members", "profile", "etcd", "base_port", "links")


class _Typed(click.Option):
    """An option whose value is None where it is not given; `--help` tells what stands for that."""

    def __init__(self, words: Sequence[str], *, stands_for: str, **more: Any) -> None:
        super().__init__(words, **more)
        self._stands_for = stands_for

    def get_help_extra(self, ctx: click.Context) -> OptionHelpExtra:
        extra = super().get_help_extra(ctx)
        if self._stands_for:
            extra["default"] = self._stands_for
        return extra


class _PortBase(WholeRange):
    """A port; `auto` is a word of the option that begins the members' ports."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "auto":
            self.fail("'auto' is for --base-port: it finds free ports for members", param, ctx)
        return super().convert(value, param, ctx)


def _profiles(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The built-in profiles, and files."""
    from click.shell_completion import CompletionItem

    from etcd_sandbox.config.profile import builtin_profiles

    names = [name for name in builtin_profiles() if name.startswith(incomplete)]
    return [*map(CompletionItem, names), CompletionItem(incomplete, type="file")]


def _decorator(option: Option) -> Callable[[Decorated], Decorated]:
    more: dict[str, Any] = {"default": None}
    match option.kind:
        case Kind.SWITCH:
            more["is_flag"] = True
        case Kind.FILES:
            more = {"multiple": True}
        case Kind.PORT_OR_AUTO:
            more["type"] = PORT
        case Kind.WHOLE:
            bounded = option.least is not None
            bounds = _PortBase if option.name == "port_base" else WholeRange
            more["type"] = bounds(option.least, option.most) if bounded else WHOLE
    if option.words:
        more["type"] = click.Choice([str(word) for word in option.words])
    if option.name == "profile":
        more["shell_complete"] = _profiles
    flags = f"{option.flag}/{option.off}" if option.off else option.flag
    stands_for = "" if option.default is None else str(option.default)
    if option.default is True:
        stands_for = option.flag.removeprefix("--")
    return click.option(
        *filter(None, (option.short, flags)),
        option.name,
        cls=_Typed,
        metavar=option.metavar or None,
        help=option.help,
        stands_for=stands_for,
        **more,
    )


def _options(wanted: Collection[str]) -> Callable[[Decorated], Decorated]:
    def decorate(command: Decorated) -> Decorated:
        for name in reversed(list(DECLARED)):
            if name in wanted and DECLARED[name].flag:
                command = _decorator(DECLARED[name])(command)
        return command

    return decorate


def input_options() -> Callable[[Decorated], Decorated]:
    """Adds the options."""
    return _options(DECLARED)


def restore_options() -> Callable[[Decorated], Decorated]:
    """Adds those that say what a cluster from a snapshot is to be: its members know each other."""
    return _options(_OF_SNAPSHOTS)


def collect(**given: Any) -> Options:
    """The options of a command that has these, of whatever it has."""
    if not given.get("env_files"):
        given["env_files"] = None
    return Options(**given)


def here() -> Caller:
    """The caller of this command."""
    from etcd_sandbox.inputs.caller import Caller
    from etcd_sandbox.paths import working_directory

    return Caller(cwd=working_directory(), env=dict(os.environ))


@click.command("check")
@click.argument("file", required=False)
@input_options()
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@common(data=True)
def check(file: str | None, strict: bool, **given: Any) -> None:
    """Validate a Procfile or profile and print what would run; start nothing.

    FILE is a profile if it ends in .toml or is a built-in profile's name, else a Procfile.
    Without it, what etcd-sandbox up would take is checked.
    """
    from etcd_sandbox.cli.choice import paths_to_start
    from etcd_sandbox.inputs.plan import plan_file, plan_up

    options, paths = collect(**given), paths_to_start()
    if file is None:
        planned = plan_up(options, paths, here())
    else:
        planned = plan_file(file, options, paths, here())
    notes = planned.spec.notes
    if strict and notes:
        raise InputError(
            notes[0], hint="--strict takes warnings for errors", detail="\n".join(notes[1:])
        )
    diagnostics.warn(*notes)
    diagnostics.risk_notes(planned.spec)
    diagnostics.note(planned.says)
    show(planned.spec)
    if not settings().json:
        output.next_step("up")


def show(spec: ClusterSpec) -> None:
    """Print the plan, as JSON if that was asked for."""
    if settings().json:
        from etcd_sandbox.plan.recorded import as_builtins

        output.document(as_builtins(spec))
        return
    for index, process in enumerate(spec.processes):
        if index:
            output.line()
        output.line(output.of_process(process.name, index))
        for label, value in _facts(spec, process):
            output.line(f"  {label:<8} {value}")


def _facts(spec: ClusterSpec, process: ProcessSpec) -> list[tuple[str, str]]:
    facts = [] if process.member is None else _member_facts(process.member)
    facts += [("command", process.shown), ("cwd", process.cwd)]
    if process.env:
        facts.append(("env", " ".join(f"{name}={value}" for name, value in process.env.items())))
    if process.restart != "never":
        facts.append(("restart", process.restart))
    if process.after != "start":
        facts.append(("after", process.after))
    if spec.wanted and process.name not in spec.wanted:
        facts.append(("start", "no: it was not asked for"))
    return facts


def _member_facts(member: MemberSpec) -> list[tuple[str, str]]:
    facts = [
        ("member", member.name),
        ("id", member.id or "known once it runs"),
        ("client", member.advertised_client_url),
        *([] if member.proxy else [("peer", member.peer_url)]),
        ("data", member.data_dir),
    ]
    if member.etcd is not None:
        etcd = member.etcd
        facts.append(("etcd", f"{etcd.version} ({etcd.origin}), {etcd.path}"))
    return facts

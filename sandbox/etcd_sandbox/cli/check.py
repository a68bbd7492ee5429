"""`check`: whether a Procfile or profile can be used, and what it would run."""

from __future__ import annotations

from typing import Any

import click

from etcd_sandbox.cli import diagnostics, output, preview
from etcd_sandbox.cli.inputoptions import collect, here, input_options
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import InputError


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
    for text in notes:
        diagnostics.warn(text)
    diagnostics.risk_notes(planned.spec)
    diagnostics.note(planned.says)
    preview.show(planned.spec)
    if not settings().json:
        output.next_step("up")

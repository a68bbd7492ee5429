"""`apply`: make the running set match the input that it was made from, as that is now."""

from __future__ import annotations

from typing import Any

import click

from etcd_sandbox.cli import diagnostics, output
from etcd_sandbox.cli.inputoptions import here
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import InputError


@click.command("apply")
@click.option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
@common(data=True)
def apply(dry_run: bool) -> None:
    """Make the running set match the changed Procfile or profile.

    What did not change is not touched. What changed is started anew, what came is started,
    what went is stopped. A member with another peer URL is dialled there from then on: etcd's list
    of members has it first, then the member is started anew. Other members than before are refused.
    """
    from etcd_sandbox.cli.choice import running
    from etcd_sandbox.cli.preview import as_json
    from etcd_sandbox.inputs.plan import plan_again

    client = running()
    plan = client.plan()
    _refuse_piped(plan["source"])
    planned = plan_again(plan, client.paths, here())
    for text in planned.spec.notes:
        diagnostics.warn(text)
    answer = client.apply(as_json(planned.spec), dry_run=dry_run)
    if settings().json:
        output.document(answer)
        return
    for line in told(answer, dry_run=dry_run):
        output.line(line)
    fits = dry_run and answer["line"] and not answer.get("refused")
    output.next_step("apply" if fits else "status")


def _refuse_piped(source: dict[str, Any]) -> None:
    """Raises InputError where the input can have no edits."""
    if source["path"] in source.get("texts", {}):
        kind = "Procfile" if source["kind"] == "procfile" else "profile"
        flag = "-f" if kind == "Procfile" else "-p"
        raise InputError(
            f"the {kind} of this cluster came through a pipe, so there is no file to be edited",
            source["path"],
            f"put the {kind} into a file, then etcd-sandbox down and etcd-sandbox up {flag} FILE",
        )


def told(answer: dict[str, Any], *, dry_run: bool) -> list[str]:
    """What was or would be done, a line for each kind."""
    verbs = {"changed": "changed", "came": "started", "went": "stopped"}
    lines = [
        f"{'would be ' if dry_run else ''}{verb}: {', '.join(answer[kind])}"
        for kind, verb in verbs.items()
        if answer[kind]
    ]
    lines += [
        f"{'would be ' if dry_run else ''}dialled by its peers at {each['after']}, not at "
        f"{each['before']}: {each['member']}"
        for each in answer.get("moved", ())
    ]
    if refused := answer.get("refused"):
        lines.append(f"the {refused} differs: a running cluster does not take that from a file")
    return lines or ["nothing to do: what runs is what the input says"]

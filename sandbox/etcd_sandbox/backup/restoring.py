"""A new cluster from a snapshot: whether that can be, its plan, and its members' data.

A plan touches nothing. Data is made beside where it is to be: nothing half-made is left anywhere.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.etcd import release, snapshotfile
from etcd_sandbox.etcd.datadir import WAL_SEGMENT_BYTES, has_data
from etcd_sandbox.etcd.snapshotfile import SnapshotFacts
from etcd_sandbox.etcd.version import cluster_id, parse, series
from etcd_sandbox.host.clusterlock import is_running, purge
from etcd_sandbox.host.obstacle import no_room
from etcd_sandbox.host.planfile import recorded_plan
from etcd_sandbox.inputs.caller import Caller, Planned
from etcd_sandbox.inputs.olddata import refuse_foreign_data
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.plan import plan_up
from etcd_sandbox.model.access import as_pairs
from etcd_sandbox.model.bootstrap import DEFAULT_BOOTSTRAP
from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary, MemberProcess, MemberSpec, PastKind
from etcd_sandbox.paths import ClusterPaths, existing_parent
from etcd_sandbox.plan.generated import default_token
from etcd_sandbox.plan.membership import with_past

DEFAULT_NAME = "restored"

MOST_MEMBERS = 25


class Tool(Struct, frozen=True, kw_only=True):
    """The program that makes a member's data from a snapshot: etcdutl, in etcd 3.4 etcdctl."""

    path: str
    version: str

    @property
    def shown(self) -> str:
        """As a reader knows it."""
        return f"{Path(self.path).name} {self.version}"


class Restoration(Struct, frozen=True, kw_only=True):
    """A plan whose members are to begin with the data of the snapshot in `snapshot`."""

    snapshot: Path
    facts: SnapshotFacts
    planned: Planned
    tools: tuple[Tool, ...]

    @property
    def spec(self) -> ClusterSpec:
        """The new cluster."""
        return self.planned.spec

    @property
    def members(self) -> tuple[MemberSpec, ...]:
        """The new cluster's members; the tool of each stands at the same place in `tools`."""
        return tuple(each.member for each in self.spec.members)

    @property
    def cluster_id(self) -> str:
        """The new cluster's ID, in hex."""
        return cluster_id(member.id for member in self.members if member.id is not None)

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings."""
        newer = [
            each
            for version in dict.fromkeys(tool.version for tool in self.tools)
            if parse(each := series(version)) < parse(self.facts.series)
        ]
        return tuple(
            f"the snapshot is of etcd {self.facts.series} and etcd {each} is older: it does not know "
            "what the newer one may have added"
            for each in newer
        )

    def command(self, index: int, data_dir: str | None = None) -> list[str]:
        """The command that makes the data of the member at `index`, in `data_dir` instead of its own."""
        member = self.members[index]
        return [
            self.tools[index].path,
            "snapshot",
            "restore",
            str(self.snapshot),
            "--name",
            member.name,
            "--initial-cluster",
            ",".join(as_pairs(member.initial_cluster)),
            "--initial-cluster-token",
            member.token,
            "--initial-advertise-peer-urls",
            member.peer_url,
            "--data-dir",
            data_dir or member.data_dir,
        ]


def plan_restore(
    snapshot: Path, options: Options, paths: ClusterPaths, caller: Caller
) -> Restoration:
    """The plan of a new cluster at `paths` from the snapshot; nothing is touched.

    Without `-n` or a profile it has as many members as the snapshot's cluster had voters. Its token is a new
    one, and with it the IDs of its members and its own. Raises InputError for a file that is no
    whole snapshot, a cluster that runs or has data (unless `options.fresh`), and an etcd that
    would refuse the snapshot; SandboxError for want of the program that restores.
    """
    snapshot = caller.cwd / snapshot.expanduser()
    facts = snapshotfile.read(snapshot)
    _refuse_taken(paths, fresh=options.fresh)
    planned = plan_up(_asked(options, facts, paths.name, caller), paths, caller)
    try:
        members = [each.member for each in planned.spec.members]
        for member in members:
            _refuse_unfit(member, facts, snapshot)
        for process in planned.spec.members:
            _refuse_strange_places(process, paths)
        tools = tuple(_tool(member.etcd) for member in members if member.etcd is not None)
    except BaseException:
        for fd in planned.held:
            os.close(fd)
        raise
    planned = replace(planned, spec=with_past(planned.spec, PastKind.RESTORED))
    return Restoration(snapshot=snapshot, facts=facts, planned=planned, tools=tools)


def _asked(options: Options, facts: SnapshotFacts, cluster: str, caller: Caller) -> Options:
    """The options of `up` that plan the new cluster."""
    members = options.members
    if members is None and options.profile is None:
        members = min(max(len(facts.voters), 1), MOST_MEMBERS)
    return replace(
        options,
        members=members,
        etcd=options.etcd if options.profile is not None else _etcd(options, facts, caller),
        # A restored member knows the others: nobody has to introduce them.
        bootstrap=DEFAULT_BOOTSTRAP.value,
        token=f"{default_token(cluster)}-{secrets.token_hex(4)}",
    )


def _etcd(options: Options, facts: SnapshotFacts, caller: Caller) -> str | None:
    """The etcd that is named, else the best, unless that is older than the snapshot and a fitting one is here."""
    if options.etcd or caller.env.get(release.VARIABLE) or not facts.series:
        return options.etcd
    choose = caller.choose_etcd or release.choose
    try:
        if parse(series(choose("").version)) < parse(facts.series):
            choose(facts.series)
            return facts.series
    except InputError:
        return None
    return None


def _refuse_taken(paths: ClusterPaths, *, fresh: bool) -> None:
    if is_running(paths):
        raise InputError(
            f"cluster {paths.name!r} is running: a snapshot is restored into a new cluster",
            hint=f"-c NAME names another one; or etcd-sandbox -c {paths.name} down, then --fresh",
        )
    recorded = recorded_plan(paths)
    places = [process.member.data_dir for process in recorded.members] if recorded else []
    if fresh:
        if recorded is not None:
            refuse_foreign_data(recorded, "--fresh")
    elif any(map(has_data, places)) or (paths.data.is_dir() and any(paths.data.iterdir())):
        raise InputError(
            f"cluster {paths.name!r} has data already, and a snapshot is restored into a new cluster",
            str(paths.data),
            "-c NAME names another one; --fresh deletes that data",
        )


def _refuse_unfit(member: MemberSpec, facts: SnapshotFacts, snapshot: Path) -> None:
    version = member.etcd.version if member.etcd is not None else ""
    if reason := snapshotfile.unfit_for(facts, version):
        raise InputError(reason, str(snapshot), f"--etcd {facts.series} takes an etcd that can")


def _refuse_strange_places(process: MemberProcess, paths: ClusterPaths) -> None:
    """The data must be where we make it: an etcd that looks elsewhere would begin with nothing."""
    if "wal-dir" in process.flags:
        raise InputError("a member with a --wal-dir of its own cannot be restored")
    member = process.member
    if not Path(member.data_dir).is_relative_to(paths.data):
        raise InputError(
            "a member with a --data-dir of its own cannot be restored", member.data_dir
        )


def _tool(etcd: EtcdBinary) -> Tool:
    names = {"3.4": ("etcdctl",), "3.5": ("etcdutl", "etcdctl")}
    fitting = names.get(series(etcd.version), ("etcdutl",))
    for name in fitting:
        if found := release.tool_of_series(name, etcd):
            return Tool(path=found[0], version=found[1])
    wanted = f"{fitting[0]} {series(etcd.version)}"
    raise SandboxError(
        f"there is no {wanted} on this machine, and etcd {etcd.version} needs it to restore a snapshot",
        etcd.path,
        f"put {fitting[0]} of etcd's release archive beside that etcd or on PATH"
        + ("" if fitting[0] == "etcdutl" else ", or install your system's package (etcd-client)")
        + "; pip install 'etcd-sandbox[etcd]' brings etcd 3.5.1 with it",
    )


LAST_LINES = 5
"""Of what a tool that failed said."""

LOOK_EVERY_S = 0.01
"""How often it is looked whether a tool has ended: whichever fails first ends the others."""

_Running = tuple[MemberSpec, list[str], subprocess.Popen[bytes], IO[bytes]]
"""A member, the command that makes its data, that command's process, and what it says."""


@contextmanager
def restored_data(restoration: Restoration, paths: ClusterPaths) -> Iterator[Path]:
    """A directory with the data of all members, for `launch` to take over; gone afterwards if it did not.

    Where the cluster's own directory was made for that, it goes as well. Raises SandboxError with
    what a tool said when it failed, and when another restore works there.
    """
    _check_room(restoration, paths)
    new = not paths.root.exists()
    staging = paths.root / "restoring"
    data = staging / "data"
    lock = _locked(staging)
    whole = False
    try:
        for left in staging.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        data.mkdir()
        _run(restoration, data, paths)
        whole = True
        yield data
    except BaseException:
        taken_over = whole and not data.exists()
        if new and not taken_over and not is_running(paths):
            with contextlib.suppress(SandboxError):
                purge(paths)
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(lock)


def _check_room(restoration: Restoration, paths: ClusterPaths) -> None:
    place = existing_parent(paths.root)
    count = len(restoration.members)
    needed = count * (restoration.facts.size_bytes + WAL_SEGMENT_BYTES)
    what = f"to restore {count} members"
    if error := no_room(place, needed, what, "restore fewer members"):
        raise error


def _locked(staging: Path) -> int:
    """The directory, made and held for us alone, as a descriptor."""
    try:
        staging.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        staging.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(staging, os.O_RDONLY)
    except OSError as error:
        raise SandboxError(
            f"cannot write the state directory ({error.strerror})",
            str(error.filename or staging),
            "set ETCD_SANDBOX_HOME to a directory that you can write and that has room",
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise SandboxError(
            "another restore into this cluster is under way",
            str(staging.parent),
            "-c NAME names another cluster",
        ) from None
    if os.fstat(fd).st_nlink == 0:
        # Whoever held it has just removed it.
        os.close(fd)
        return _locked(staging)
    return fd


def _run(restoration: Restoration, data: Path, paths: ClusterPaths) -> None:
    """Make the data of all members at once. Raises SandboxError with the words of a tool that failed."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ETCD") or name.startswith("ETCD_SANDBOX_")
    }
    with contextlib.ExitStack() as stack:
        running: list[_Running] = []
        stack.callback(_all_ended, running)

        def start() -> None:
            for index, member in enumerate(restoration.members):
                place = data / Path(member.data_dir).relative_to(paths.data)
                said = stack.enter_context((data.parent / f"{index}.log").open("w+b"))
                command = restoration.command(index, str(place))
                # A group of its own: the terminal's Ctrl-C is for us, and we end it.
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    env=environment,
                    process_group=0,
                )
                running.append((member, command, child, said))

        # Signals interrupt the main thread only: here none comes between a child and its note.
        with ThreadPoolExecutor(1) as starter:
            starter.submit(start).result()
        while running:
            for each in list(running):
                member, command, child, output = each
                if (code := child.poll()) is None:
                    continue
                running.remove(each)
                if code:
                    raise _failed(member, command, code, output)
            time.sleep(LOOK_EVERY_S)


def _failed(member: MemberSpec, command: Sequence[str], code: int, said: IO[bytes]) -> SandboxError:
    said.seek(0)
    lines = said.read().decode(errors="replace").splitlines()[-LAST_LINES:]
    return SandboxError(
        f"the data of {member.name} could not be made: "
        f"{Path(command[0]).name} failed with exit status {code}",
        detail="\n".join([shlex.join(command), *lines]),
    )


def _all_ended(running: Sequence[_Running]) -> None:
    for _, _, child, _ in running:
        if child.poll() is None:
            # All of its group: it may be a script, whose own child would write on.
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()

"""Damaged data of stopped members: their files are opened, and some bytes changed. Nothing heals that."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Hashable, Sequence
from pathlib import Path

from etcd_sandbox.cluster.faults.fault import Applied, Fault
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.etcd import damage
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.order import Order
from etcd_sandbox.model.spec import MemberProcess, MemberSpec
from etcd_sandbox.model.state import ProcessState

EXPECTED = {
    "key": "etcd starts and serves it: only a comparison of the members finds it, as status --hash makes one from 3.6 on",
    "wal_tail": "etcd cuts the entry off (repaired WAL); as long as that leader leads who has counted the entry, "
    "the member ends then: tocommit is out of range",
    "db": "etcd ends with a panic of its database (bbolt)",
}
"""What etcd makes of each, by the option: run with 3.4.23, 3.5.1, 3.6.16 and 3.7.3, alike."""


class DataDamage(Fault):
    """What is damaged is so at once, and stays so until the member is replaced."""

    def check(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> None:
        """Raises InputError for what has no data of etcd."""
        for name in names:
            if not isinstance(self._supervisor.processes[name].spec, MemberProcess):
                raise InputError(
                    f"{name} is no member of the cluster: it has no data of etcd",
                    hint=f"members: {', '.join(map(self._roster.title, self._roster.names))}",
                )

    async def apply(self, order: Order, names: Sequence[str], versus: Sequence[str]) -> Applied:
        """Damage the data of these members, all of which must rest. Raises SandboxError."""
        self.check(order, names, versus)
        found = []
        for name in names:
            process = self._supervisor.processes[name]
            if process.state.alive or process.state is ProcessState.BACKOFF:
                own = process.spec.own_name
                raise SandboxError(
                    f"{own} runs: only the data of a stopped member can be damaged",
                    hint=f"etcd-sandbox stop {own}",
                )
            if isinstance(process.spec, MemberProcess):
                found.append(process.spec.member)
        notes = [await asyncio.to_thread(corrupt, member, order) for member in found]
        how = {name: value for name in EXPECTED if (value := order.given(name))}
        for name, member in zip(names, found, strict=True):
            fields = {"process": name, "fault": order.verb.name, **how}
            self._bus.publish(Kind.FAULT_PASSED, member.name, **fields)
        return Applied(names, changed=names, notes=notes)

    async def heal(self) -> Collection[str]:
        """Nothing heals it."""
        return ()

    async def end(self, handle: Hashable) -> None:
        """It has no time."""

    def told(self) -> list[dict[str, object]]:
        """Only who looks into the data knows of it."""
        return []


def corrupt(member: MemberSpec, order: Order) -> str:
    """Damage the member's data as the order says; what etcd is expected to make of it.

    Raises InputError for a key that is not there, SandboxError for data that is not there, or is no etcd's.
    """
    try:
        for path, changes in _changes(member, order):
            _write(path, changes)
    except damage.NotThere as error:
        key = order.given("key")
        raise InputError(
            f"the data of {member.name} cannot be damaged so: {error}",
            hint=""
            if key is None
            else "etcd-sandbox ctl get --keys-only --from-key '' lists the keys",
        ) from error
    except OSError as error:
        raise SandboxError(
            f"the data of {member.name} cannot be changed ({error.strerror})",
            str(error.filename or member.data_dir),
        ) from error
    except (ValueError, OverflowError, IndexError) as error:
        raise SandboxError(
            f"the data of {member.name} cannot be read: {error}",
            member.data_dir,
            f"etcd-sandbox replace {member.name} has a new member in its place",
        ) from error
    way = next(name for name in EXPECTED if order.given(name) not in (None, False))
    return f"{member.name}, when it starts: {EXPECTED[way]}"


def _changes(member: MemberSpec, order: Order) -> Sequence[tuple[Path, Sequence[damage.Change]]]:
    data = Path(member.data_dir) / "member"
    database = data / "snap" / "db"
    if order.given("wal_tail"):
        place = Path(member.wal_dir) if member.wal_dir else data / "wal"
        newest = max(place.glob("*.wal"), default=None)
        if newest is None:
            raise damage.NotThere("there is no write-ahead log")
        return [(newest, [damage.torn_tail(newest.read_bytes())])]
    content = memoryview(database.read_bytes())
    if order.given("db"):
        return [(database, [damage.broken_page(content)])]
    return [(database, damage.other_value(content, str(order.given("key")).encode()))]


def _write(path: Path, changes: Sequence[damage.Change]) -> None:
    with path.open("r+b") as file:
        for change in changes:
            file.seek(change.at)
            file.write(change.content)
        file.flush()
        os.fsync(file.fileno())

"""The verb that damages the data of a stopped member. Its live half is `cluster.faults.data`."""

from __future__ import annotations

from etcd_sandbox.verbs.links import listed
from etcd_sandbox.verbs.verb import Fault, Option, Outcome, Told, Type, Verb

KEY = Option(
    ("--key",),
    "key",
    Type.TEXT,
    "Another value of this key, of the same length.",
    metavar="K",
    optional=True,
    example="K",
)
WAL_TAIL = Option(
    ("--wal-tail",),
    "wal_tail",
    Type.SWITCH,
    "The last entry of the write-ahead log is torn: its end never reached the disk.",
    default=False,
)
DB = Option(
    ("--db",),
    "db",
    Type.SWITCH,
    "A page of the database that is in use is damaged.",
    default=False,
)


def _damage(names: str, how: Told) -> str:
    if how.get("key") is not None:
        return f"the data of {names}: another value of key {how['key']!r}"
    if how.get("wal_tail"):
        return f"the data of {names}: the last entry of the write-ahead log is torn"
    return f"the data of {names}: a page of the database"


def _says(verdict: Outcome, how: Told) -> str:
    return f"damaged {_damage(listed(verdict.targets), how)}"


CORRUPT = Verb(
    name="corrupt",
    summary="Damage the data of a stopped member.",
    help="""Damage the data of a stopped member, in one of three ways, and say what etcd makes of it.

    Nothing undoes it, heal neither: 'replace' has a new member in its place, with the others' data.
    """,
    options=(KEY, WAL_TAIL, DB),
    past="corrupted",
    says=_says,
    instant=True,
    undone_by="start",
    fault=Fault(
        state=lambda told: f"damaged {_damage(str(told.get('member')), told)}",
        marks=(("✖", "damaged"), ("♥", "healed")),
        passes=True,
    ),
    one_of=("key", "wal_tail", "db"),
)

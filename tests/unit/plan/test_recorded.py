"""Whether a plan can go on with the data of another."""

from __future__ import annotations

import pytest
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.spec import (
    ClusterSpec,
    MemberProcess,
    MemberSpec,
    ProcessSpec,
    Source,
    SourceKind,
)
from etcd_sandbox.plan.recorded import mismatch
from msgspec.structs import replace


def cluster(*members: tuple[str, int], token: str = "t") -> ClusterSpec:
    return ClusterSpec(
        name="default",
        source=Source(kind=SourceKind.MEMBERS),
        processes=tuple(
            MemberProcess(
                name=f"p-{name}",
                argv=("etcd",),
                shown="etcd",
                cwd="/",
                member=MemberSpec(
                    name=name,
                    id=None,
                    client_url=Address("http://127.0.0.1:1"),
                    peer_url=Address(f"http://127.0.0.1:{port}"),
                    data_dir="/d",
                    data_owned=True,
                    token=token,
                ),
            )
            for name, port in members
        ),
    )


def test_the_same_members_fit_whatever_their_flags_and_order() -> None:
    recorded = cluster(("a", 1), ("b", 2))
    wanted = cluster(("b", 2), ("a", 1))
    processes = tuple(replace(p, argv=("etcd", "--x"), cwd="/y") for p in wanted.processes)
    assert mismatch(recorded, replace(wanted, processes=processes)) is None


def test_other_processes_do_not_matter() -> None:
    recorded = cluster(("a", 1))
    app = ProcessSpec(name="app", argv=("x",), shown="x", cwd="/")
    assert mismatch(recorded, replace(recorded, processes=(*recorded.processes, app))) is None


@pytest.mark.parametrize(
    ("recorded", "wanted", "clause"),
    [
        (
            cluster(("a", 1), ("b", 2)),
            cluster(("a", 1)),
            "the data is of the members a, b, the input has the member a",
        ),
        (cluster(("a", 1)), cluster(), "the data is of the member a, the input has no member"),
        (
            cluster(("a", 1)),
            cluster(("a", 2)),
            "the data of a is bound to the peer URL http://127.0.0.1:1, the input has http://127.0.0.1:2",
        ),
        (
            cluster(("a", 1), token="t"),
            cluster(("a", 1), token="u"),
            "the data of a is bound to the token 't', the input has 'u'",
        ),
    ],
)
def test_what_the_data_is_bound_to_is_named(
    recorded: ClusterSpec, wanted: ClusterSpec, clause: str
) -> None:
    assert mismatch(recorded, wanted) == clause

"""What is known of a discovery token, with a service that answers by a script."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest
from etcd_sandbox.cluster.ways import discovery as way
from etcd_sandbox.cluster.ways.discovery import Discovery
from etcd_sandbox.etcd.discovery import TokenState
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.bootstrap import Bootstrap, DiscoveryProtocol, DiscoverySpec
from etcd_sandbox.model.spec import ClusterSpec, MemberProcess, MemberSpec, Source, SourceKind
from etcd_sandbox.model.state import Registration
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.supervise.supervisor import Supervisor


def member(number: int, root: Path) -> MemberProcess:
    return MemberProcess(
        name=f"etcd{number}",
        argv=("etcd",),
        shown="etcd",
        cwd="/",
        member=MemberSpec(
            name=f"infra{number}",
            id=None,
            client_url=Address(""),
            peer_url=Address(""),
            data_dir=str(root / f"infra{number}"),
            data_owned=True,
            token="t",
        ),
    )


def test_who_registers_last_and_boots_at_once_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = tuple(member(number, tmp_path) for number in (1, 2))
    service = DiscoverySpec(
        protocol=DiscoveryProtocol.V2, service=Address("http://s"), token="t", size=2, given=True
    )
    spec = ClusterSpec(
        name="c",
        source=Source(kind=SourceKind.MEMBERS, path="", options={}),
        processes=members,
        bootstrap=Bootstrap.DISCOVERY,
        discovery=service,
    )
    registered = [Registration(member="infra1", id="1", peer_urls="")]

    class Scripted:
        """The second one registers right after a look, and all have data when the look is told of."""

        async def state(self, _: DiscoverySpec) -> TokenState:
            state = TokenState(2, tuple(registered))
            if len(registered) == 1:
                registered.append(Registration(member="infra2", id="2", peer_urls=""))
            for each in members:
                (Path(each.member.data_dir) / "member" / "wal").mkdir(parents=True, exist_ok=True)
            return state

        async def aclose(self) -> None:
            pass

    monkeypatch.setattr(way, "_client", Scripted)

    async def watched() -> None:
        bus = Bus(tmp_path / "events.jsonl")
        watching = Discovery(spec, cast(Supervisor, None), bus)
        with bus.subscribe(None) as (_, events):
            await watching.prepare()
            async with asyncio.timeout(10):
                told = [await events.get() for _ in range(3)]
        assert [each.member for each in told if each is not None] == ["infra1", "infra2", None]
        assert len(watching.told().registered or ()) == 2
        watching.close()
        bus.close()

    asyncio.run(watched())

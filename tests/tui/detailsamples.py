"""Sample answers about one process, the same on every run."""

from __future__ import annotations

from collections.abc import Iterator
from math import sin

from etcd_sandbox.model.access import Address
from etcd_sandbox.model.spec import EtcdBinary, MemberSpec, PeerLink
from etcd_sandbox.model.state import Detail, Exit, Metrics, Peer, ProcessState, Totals
from msgspec.structs import replace

from tests.tui.samples import member

KILLED = Exit(code=None, signal="SIGKILL", ts="2026-03-14T09:00:20.000000Z")


def peer(number: int, **changes: object) -> Peer:
    """An entry of the member list."""
    status = member(number)
    sample = Peer(
        id=status.id or "",
        name=status.name,
        peer_urls=(status.peer_url,),
        client_urls=(status.client_url,),
        is_learner=False,
    )
    return replace(sample, **changes)


def spec(number: int, **changes: object) -> MemberSpec:
    """A member behind a link."""
    status, port = member(number), 12379 + 1000 * (number - 1)
    link = PeerLink(listen_url=Address(status.peer_url), target_url=Address.here(port + 3))
    metrics_url = Address.here(port + 2)
    sample = MemberSpec(
        name=status.name,
        id=status.id,
        client_url=Address(status.client_url),
        peer_url=Address(status.peer_url),
        metrics_url=metrics_url,
        listen_urls=(Address(status.client_url), link.target_url, metrics_url),
        data_dir=status.data_dir,
        data_owned=True,
        token="etcd-cluster-1",
        etcd=EtcdBinary(path="/usr/bin/etcd", version="3.5.1", origin="on PATH"),
        link=link,
    )
    return replace(sample, **changes)


def metrics(**changes: object) -> Metrics:
    """The figures of a member that has just started."""
    sample = Metrics(
        fsync=Totals(count=20, seconds=0.010),
        commit=Totals(count=4, seconds=0.004),
        peer_round_trips={peer(n).id: Totals(count=1, seconds=0.0003) for n in (2, 3)},
        proposals_committed=8,
        proposals_pending=0,
        proposals_failed=0,
        leader_changes=1,
        puts=0,
        put=None,
        put_apply=Totals(),
    )
    return replace(sample, **changes)


def detail(number: int = 1, **changes: object) -> Detail:
    """A member of three that is well."""
    own = spec(number)
    urls = ",".join(f"{member(n).name}={member(n).peer_url}" for n in (1, 2, 3))
    sample = Detail(
        process=own.name,
        state=ProcessState.RUNNING,
        argv=(
            "/usr/bin/etcd",
            f"--name={own.name}",
            f"--data-dir={own.data_dir}",
            f"--listen-client-urls={own.client_url}",
            f"--advertise-client-urls={own.client_url}",
            f"--initial-cluster={urls}",
            "--initial-cluster-state=new",
            "--logger=zap",
        ),
        cwd="/home/learner/etcd workshop",
        env={"GOMAXPROCS": "2", "NOTE": "two words"},
        env_drop=("ETCD_*", "http_proxy"),
        exit=None,
        member=own,
        peers=tuple(peer(n) for n in (1, 2, 3)),
        metrics=metrics(),
    )
    return replace(sample, **changes)


def busy(seconds: int, *, put: bool = True) -> Iterator[Detail]:
    """So many answers, one a second, of a member that is written to in waves, and once not at all."""
    now = metrics(put=Totals() if put else None)
    for second in range(seconds):
        yield detail(metrics=now)
        puts = 0 if 20 <= second < 24 else int(60 + 50 * sin(second / 4))
        noted = second % 10 == 5
        now = replace(
            now,
            fsync=_more(now.fsync, puts, 0.0006 + 0.0004 * sin(second / 3)),
            commit=_more(now.commit, puts // 20, 0.0021),
            put=_more(now.put, puts, 0.0012 + 0.0005 * sin(second / 3)) if now.put else None,
            put_apply=_more(now.put_apply or Totals(), puts, 0.00006),
            puts=(now.puts or 0) + puts,
            proposals_committed=(now.proposals_committed or 0) + puts,
            proposals_pending=puts // 30,
            leader_changes=2 if second > 30 else 1,
            peer_round_trips={
                id_: _more(totals, int(noted), 0.0004 + 0.0001 * (second % 3))
                for id_, totals in now.peer_round_trips.items()
            },
        )


def dead() -> Detail:
    """A member that was killed."""
    return detail(3, state=ProcessState.EXITED, exit=KILLED, peers=None, metrics=None)


def plain() -> Detail:
    """A process beside the members."""
    return Detail(
        process="app",
        state=ProcessState.RUNNING,
        argv=("/bin/sh", "-c", "exec python app.py --greeting 'it is [bold]me[/bold]' -v"),
        cwd="/home/learner",
        env={},
        env_drop=(),
        exit=None,
    )


def _more(totals: Totals, count: int, seconds: float) -> Totals:
    return Totals(count=totals.count + count, seconds=totals.seconds + count * seconds)

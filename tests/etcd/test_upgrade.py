"""`upgrade` on real etcd: one member at a time, nothing lost, the cluster version last, and what is refused."""

from __future__ import annotations

import signal
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from etcd_sandbox import Cluster, InputError, SandboxError
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.model.event import Event, Kind
from etcd_sandbox.model.state import Role
from etcd_sandbox.model.upgrade import UpgradeOutcome
from etcd_sandbox.paths import cluster_paths
from etcd_sandbox.pytest_plugin import EtcdClusterFactory

from tests import etcd_versions
from tests.conftest import SandboxCommand
from tests.etcd.conftest import QUICK
from tests.etcd.views import leader_and_followers, leader_of, views
from tests.etcd.writer import Writer, until_it_writes

STEPS = [("3.4", "3.5"), ("3.5", "3.6"), ("3.6", "3.7")]


def path_of(series: str) -> str:
    """The etcd of a series; the test is skipped without it, or fails where all are required."""
    return etcd_versions.need(series).path


def version_of(series: str) -> str:
    binary = etcd_versions.find(series)
    assert binary is not None
    return binary.version


ClusterOf = Callable[..., Cluster]


@pytest.fixture
def cluster_of(etcd_cluster_factory: EtcdClusterFactory, quick: Path) -> ClusterOf:
    """Makes clusters of one series, with short timers unless a profile is given."""

    def make(series: str, **wishes: object) -> Cluster:
        given: dict[str, object] = {"profile": quick, "etcd": path_of(series), **wishes}
        return etcd_cluster_factory(**given)  # type: ignore[arg-type]

    return make


def pids(cluster: Cluster) -> dict[str, int | None]:
    return {member.name: member.pid for member in cluster.status().members}


def versions(cluster: Cluster) -> dict[str, str | None]:
    return {name: view.version for name, view in views(cluster).items()}


def events_of(cluster: Cluster, kind: Kind) -> list[Event]:
    return [event for event in cluster.events() if event.kind is kind]


def moment(event: Event) -> datetime:
    return datetime.fromisoformat(event.ts)


@pytest.mark.parametrize(("old", "new"), STEPS)
def test_an_upgrade_under_a_writer_loses_nothing_and_costs_one_election(
    cluster_of: ClusterOf, patient: Path, old: str, new: str
) -> None:
    to = path_of(new)
    cluster = cluster_of(old, profile=patient)
    leader = leader_of(cluster)
    term = cluster.status().term
    assert term is not None
    with Writer(cluster.endpoints) as writer:
        until_it_writes(writer)
        assert_a_follower_goes_there_and_back(cluster, old, new)
        verdict = cluster.upgrade("all", to=to)

    outcome = verdict.upgrade
    assert outcome is not None
    assert outcome.left == ()
    assert [member.member for member in outcome.members][-1] == leader
    assert sorted(member.member for member in outcome.members) == ["infra1", "infra2", "infra3"]
    assert {member.before for member in outcome.members} == {version_of(old)}
    assert set(versions(cluster).values()) == {version_of(new)}

    # One election for all of it, and that is the leader's to hand over.
    elected = [int(str(event.fields["term"])) for event in events_of(cluster, Kind.LEADER_ELECTED)]
    assert [number for number in elected if number > term] == [term + 1]
    assert (verdict.term_before, verdict.term_after) == (term, term + 1)
    assert cluster.status().term == term + 1
    handed = [(member.member, member.handed_to) for member in outcome.members if member.handed_to]
    assert handed == [(leader, leader_of(cluster))]

    assert len(writer.acknowledged) > 20
    cluster.wait_healthy()
    nothing: list[str] = []
    assert {url: writer.lost(url) for url in cluster.endpoints} == dict.fromkeys(
        cluster.endpoints, nothing
    )

    risen = (outcome.cluster_version_before, outcome.cluster_version_after)
    assert risen == (f"{old}.0", f"{new}.0")
    last_start = max(moment(event) for event in events_of(cluster, Kind.PROCESS_STARTED))
    bumps = [
        line
        for line in cluster.logs()
        if "updated cluster version" in line.text and f'"to":"{new}"' in line.text
    ]
    assert {line.process for line in bumps} == {"etcd1", "etcd2", "etcd3"}
    assert all(line.arrived > last_start for line in bumps)

    before = pids(cluster)
    with pytest.raises(InputError, match=f'the cluster version is {new} already.*"invalid downg'):
        cluster.upgrade("all", to=path_of(old))
    assert pids(cluster) == before


def assert_a_follower_goes_there_and_back(cluster: Cluster, old: str, new: str) -> None:
    """As long as the versions are mixed, the way back is open; neither way costs an election."""
    _, (follower, *_) = leader_and_followers(cluster)
    there = cluster.upgrade(follower, to=path_of(new))
    assert there.upgrade is not None
    assert there.upgrade.cluster_version_after == f"{old}.0"
    assert versions(cluster)[follower] == version_of(new)
    back = cluster.upgrade(follower, to=path_of(old))
    assert back.term_after == there.term_before
    assert set(versions(cluster).values()) == {version_of(old)}


def test_the_leader_alone_hands_over_before_it_is_upgraded(
    cluster_of: ClusterOf, patient: Path
) -> None:
    to = path_of("3.5")
    cluster = cluster_of("3.4", profile=patient)
    leader = leader_of(cluster)
    verdict = cluster.upgrade("leader", to=to)
    assert verdict.upgrade is not None
    (changed,) = verdict.upgrade.members
    assert (changed.member, changed.handed_to) == (leader, verdict.leader_after)
    assert changed.leader_gap_s is not None
    assert changed.leader_gap_s < 1.0  # no election: members wait 1.5 s before they hold one
    assert len(verdict.equivalents) == 1
    assert " move-leader " in verdict.equivalents[0]


@pytest.fixture
def flagged(tmp_path: Path) -> Path:
    """A profile with a flag for infra2 that 3.6 has no more, and nothing like it."""
    path = tmp_path / "flagged.toml"
    path.write_text(
        f'[cluster]\nmembers = 3\n{QUICK}[[member]]\nname = "infra2"\nflags = {{ enable-v2 = true }}\n'
    )
    return path


def test_what_cannot_work_is_refused_before_anything_is_touched(
    cluster_of: ClusterOf, flagged: Path
) -> None:
    newer, skipping = path_of("3.6"), path_of("3.7")
    cluster = cluster_of("3.5", profile=flagged)
    before = pids(cluster)

    with pytest.raises(InputError, match=r"3\.6.* does not know the flag 'enable-v2' of infra2"):
        cluster.upgrade("all", to=newer)
    with pytest.raises(InputError, match="goes up one minor version at a time") as skip:
        cluster.upgrade("all", to=skipping)
    assert skip.value.hint == "etcd-sandbox upgrade all --to 3.6, then --to 3.7"
    with pytest.raises(InputError, match=r"there is no etcd 3\.99 on this machine"):
        cluster.upgrade("all", to="3.99")
    with pytest.raises(InputError, match="there is no etcd"):
        cluster.upgrade("all", to="/nowhere/etcd")
    with pytest.raises(InputError, match="is called 'nobody'"):
        cluster.upgrade("nobody", to=newer)

    assert pids(cluster) == before

    cluster.pause("infra3")
    with pytest.raises(SandboxError, match=r"infra1 stays as it is, since .*infra3 is paused"):
        cluster.upgrade("infra1", to=newer)
    cluster.resume("infra3")
    cluster.kill("infra3")
    before = pids(cluster)
    with pytest.raises(
        SandboxError, match=r"infra1 stays as it is, since .*infra3 is ex"
    ) as refused:
        cluster.upgrade("infra1", to=newer)
    assert refused.value.hint.startswith("etcd-sandbox start infra3, then run the same")
    assert pids(cluster) == before


def test_a_member_that_was_killed_comes_back_with_its_own_etcd_and_is_upgraded_first(
    cluster_of: ClusterOf,
) -> None:
    # Its log holds entries of 3.5 that 3.7 cannot read, and of which its database does not know.
    middle, to = path_of("3.6"), path_of("3.7")
    cluster = cluster_of("3.5")
    cluster.upgrade("all", to=middle)
    cluster.kill("infra2")

    verdict = cluster.upgrade("all", to=to, wait=False)

    assert verdict.upgrade is not None
    assert verdict.upgrade.members[0].member == "infra2"
    assert set(versions(cluster).values()) == {version_of("3.7")}


def test_flags_are_carried_over_to_the_names_of_the_new_version(
    cluster_of: ClusterOf, tmp_path: Path
) -> None:
    to = path_of("3.7")
    profile = tmp_path / "old.toml"
    profile.write_text(
        f"{QUICK}experimental-corrupt-check-time = '1h'\nexperimental-initial-corrupt-check = true\n"
    )
    cluster = cluster_of("3.6", profile=profile)
    cluster.upgrade("infra2", to=to, wait=False)
    argv = ControlClient(cluster_paths(cluster.name)).detail("infra2")["argv"]
    assert argv[0] == to
    assert {"--corrupt-check-time=1h", "--feature-gates=InitialCorruptCheck=true"} <= set(argv)
    assert not [word for word in argv if "experimental" in word]


BROKEN = """\
#!/bin/sh
if [ "$1" = --version ]; then echo "etcd Version: {version}"; exit 0; fi
echo '{{"level":"fatal","msg":"cannot work today","error":"no moon"}}' >&2
exit 3
"""


def test_a_member_that_does_not_come_up_gets_its_old_etcd_again(
    cluster_of: ClusterOf, tmp_path: Path
) -> None:
    broken = tmp_path / "etcd"
    broken.write_text(BROKEN.format(version="3.6.99"))
    broken.chmod(0o755)
    cluster = cluster_of("3.5")
    with pytest.raises(
        SandboxError, match=r"did not come up with etcd 3\.6\.99 .*exit stat"
    ) as why:
        cluster.upgrade("all", to=broken)
    assert f"it runs etcd {version_of('3.5')} again" in why.value.what
    assert why.value.hint == "cannot work today: no moon"
    status = cluster.wait_healthy()
    assert {member.version for member in status.members} == {version_of("3.5")}
    # Whoever it was, nobody came after it.
    assert sum(member.restarts > 0 for member in status.members) == 1


def test_a_step_past_the_log_of_the_old_api_is_refused(cluster_of: ClusterOf) -> None:
    middle, to = path_of("3.5"), path_of("3.6")
    cluster = cluster_of("3.4", members=1)
    with urllib.request.urlopen(f"{cluster.endpoints[0]}/health", timeout=5) as answer:
        assert answer.status == 200
    cluster.upgrade("all", to=middle)
    before = pids(cluster)
    with pytest.raises(InputError, match="would panic at the log of infra1"):
        cluster.upgrade("all", to=to)
    assert pids(cluster) == before


def test_ctrl_c_says_who_is_left_and_a_later_up_goes_on_with_what_each_had(
    sandbox_command: SandboxCommand, quick: Path
) -> None:
    old, new = path_of("3.4"), path_of("3.5")
    sandbox_command("up", "-d", "-p", str(quick), "--base-port", "auto", "--etcd", old)
    upgrading = sandbox_command.popen("upgrade", "all", "--to", new)
    assert upgrading.stdout is not None
    first = upgrading.stdout.readline().decode()
    assert f"{version_of('3.4')} → {version_of('3.5')} in " in first
    upgrading.send_signal(signal.SIGINT)
    rest, complaints = upgrading.communicate(timeout=30)
    assert upgrading.returncode == 130, complaints
    assert "still to be upgraded: " in rest.decode()
    assert f"next: etcd-sandbox upgrade all --to {new}" in rest.decode()

    mixed = sandbox_command("status").stdout
    assert version_of("3.4") in mixed
    assert version_of("3.5") in mixed
    assert "nothing to do" in sandbox_command("apply").stdout

    sandbox_command("down")
    sandbox_command("up", "-d")
    assert _versions_in(sandbox_command("status").stdout) == _versions_in(mixed)
    done = sandbox_command("upgrade", "all", "--to", new).stdout
    assert "cluster version 3.4 → 3.5" in done
    assert _versions_in(sandbox_command("status").stdout) == [version_of("3.5")] * 3


def _versions_in(status: str) -> list[str]:
    """The versions of infra1, infra2 and infra3, as `status` shows them."""
    found = [line.split() for line in status.splitlines() if line.startswith("infra")]
    wanted = (version_of("3.4"), version_of("3.5"))
    return [next(word for word in line if word in wanted) for line in found]


@pytest.mark.soak  # a member can be added when all have been connected for five seconds
def test_a_learner_is_upgraded_as_the_others(cluster_of: ClusterOf) -> None:
    to = path_of("3.5")
    cluster = cluster_of("3.4")
    cluster.add("infra4", learner=True)
    verdict = cluster.upgrade("all", to=to, wait=False)
    assert verdict.upgrade is not None
    assert len(verdict.upgrade.members) == 4
    learner = next(member for member in cluster.status().members if member.name == "infra4")
    assert (learner.role, learner.version) == (Role.LEARNER, version_of("3.5"))


def test_members_that_older_etcds_changed_do_not_get_3_6_unless_it_is_forced(
    cluster_of: ClusterOf,
) -> None:
    cluster = cluster_of("3.5", members=1, profile=None)
    cluster.add()  # beside one voter it comes as a learner, and is promoted
    before = pids(cluster)

    with pytest.raises(InputError, match=r"infra2 promoted under etcd 3\.5\.1") as refused:
        cluster.upgrade("all", to=path_of("3.6"))

    assert "first etcd-sandbox upgrade all --to 3.5.26" in refused.value.hint
    assert pids(cluster) == before

    forced = cluster.upgrade("infra2", to=path_of("3.6"), force=True, wait=False)

    assert versions(cluster) == {"infra1": version_of("3.5"), "infra2": version_of("3.6")}
    assert forced.upgrade is not None
    assert forced.upgrade.unlike == ()


def test_removed_members_that_an_upgrade_brought_back_are_named(
    cluster_of: ClusterOf, etcd_cluster_factory: EtcdClusterFactory, tmp_path: Path
) -> None:
    snapshot = tmp_path / "old.db"
    first = cluster_of("3.4", members=1, profile=None)
    first.snapshot(snapshot)
    gone = views(first)["infra1"].id
    first.close()
    cluster = etcd_cluster_factory(restore=snapshot, etcd=path_of("3.4"))
    cluster.upgrade("all", to=path_of("3.5"))
    with pytest.raises(InputError, match=r"the data restored with etcd 3\.4\.23"):
        cluster.upgrade("all", to=path_of("3.6"))

    forced = cluster.upgrade("all", to=path_of("3.6"), force=True, wait=False)

    assert forced.upgrade is not None
    (back,) = forced.upgrade.unlike
    assert back.what.startswith(f"infra1 ({gone}, http://")
    assert back.mend == (f"etcd-sandbox remove {gone} --force",)
    with pytest.raises(SandboxError, match=r"etcd 3\.6 panics in every member"):
        cluster.remove(str(gone))
    removed = cluster.remove(str(gone), force=True)
    assert "infra1 panicked at that" in removed.notes[-1]
    assert cluster.upgrade("all", to=path_of("3.6")).upgrade == UpgradeOutcome(
        version=version_of("3.6"),
        cluster_version_before="3.6.0",
        cluster_version_after="3.6.0",
    )
    assert str(gone) not in cluster.ctl("member", "list")

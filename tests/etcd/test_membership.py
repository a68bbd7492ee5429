"""`add`, `promote`, `remove`, `replace` on real etcd: done whole, under a writer, and what is refused."""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest
from etcd_sandbox import Cluster, InputError, SandboxError
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.model.state import ProcessState, Role
from etcd_sandbox.paths import cluster_paths

from tests import etcd_versions
from tests.conftest import SandboxCommand, until
from tests.etcd.client import answers, ask, get, put
from tests.etcd.conftest import QUICK, ClusterMaker
from tests.etcd.ports import free_block
from tests.etcd.views import leader_and_followers, leader_of, views
from tests.etcd.writer import Writer, until_it_writes

LOSES_WRITES = ((3, 5, 0), (3, 5, 3))
"""From the first of these to before the second, etcd may lose what it acknowledged when it is killed."""


PORT_STEP = 10
"""Between the ports of two members, where they were looked for."""

SERVED_AGAIN_S = 1.5
"""An election of patient members takes longer; what waits for a busy machine should not take so long."""


def roles(cluster: Cluster) -> dict[str, Role | None]:
    return {name: view.role for name, view in views(cluster).items()}


def a_follower(cluster: Cluster) -> str:
    return leader_and_followers(cluster)[1][0]


def listed(cluster: Cluster) -> dict[str, tuple[str, str, bool]]:
    """etcd's own list of members: by name, their IDs, peer URLs, and who is a learner."""
    answer = json.loads(cluster.ctl("member", "list", "-w", "json", "--hex=false"))
    return {
        member.get("name", ""): (
            format(member["ID"], "x"),
            member["peerURLs"][0],
            member.get("isLearner", False),
        )
        for member in answer["members"]
    }


def test_members_come_and_go_under_a_writer_and_nothing_acknowledged_is_lost(
    cluster_of: ClusterMaker, etcd_binary: EtcdBinary, patient: Path
) -> None:
    cluster = cluster_of(profile=patient)
    relay = _relay_of(cluster)
    term = cluster.status().term
    with Writer(cluster.endpoints) as writer:
        until_it_writes(writer)

        added = cluster.add()

        assert (added.targets, added.leader_gap_s) == (("infra4",), 0.0)
        assert added.quorum is not None
        assert (added.quorum.voters, added.quorum.ok) == (4, True)
        assert any("connected for 5 s" in note for note in added.notes)
        view = views(cluster)["infra4"]
        assert added.equivalents[0] == f"etcdctl member add infra4 --peer-urls={view.peer_url}"
        assert "--initial-cluster-state=existing" in added.equivalents[1]
        assert (view.role, view.process, view.healthy) == (Role.FOLLOWER, "etcd4", True)
        assert listed(cluster)["infra4"] == (view.id, view.peer_url, False)
        assert cluster.endpoints[3] == view.client_url
        put(view.client_url, "through the new one", "yes")
        # The links of the others were not disturbed for it, and it has one of its own.
        assert (_relay_of(cluster), cluster.status().term) == (relay, term)

        cluster.add(learner=True)

        assert roles(cluster)["infra5"] is Role.LEARNER
        learner = views(cluster)["infra5"]
        assert learner.client_url not in cluster.endpoints
        with pytest.raises(SandboxError, match="too many learner members in cluster") as refused:
            cluster.add(learner=True)
        assert "the members are as before" in refused.value.what
        assert "promote learners" in refused.value.hint
        assert set(listed(cluster)) == {f"infra{number}" for number in range(1, 6)}
        with pytest.raises(InputError, match="infra1 is no learner: it has a vote already"):
            cluster.promote("infra1")

        promoted = cluster.promote("learners")

        assert promoted.targets == ("infra5",)
        assert promoted.equivalents == (f"etcdctl member promote {learner.id}",)
        assert promoted.quorum is not None
        assert promoted.quorum.voters == 5
        assert roles(cluster)["infra5"] is Role.FOLLOWER
        assert learner.client_url in cluster.endpoints

        leader = views(cluster)[leader_of(cluster)]
        removed = cluster.remove("leader")

        assert removed.targets == (leader.name,)
        assert removed.leader_after not in (None, leader.name)
        assert removed.equivalents[1:] == (
            f"etcdctl member remove {leader.id}",
            f"rm -r {leader.data_dir}",
        )
        # It handed over first: nobody had to wait for an election.
        assert removed.leader_gap_s is not None
        assert removed.leader_gap_s < 1.0
        assert views(cluster)[leader.name].state is ProcessState.REMOVED
        assert not Path(leader.data_dir).exists()
        assert leader.name not in listed(cluster)
        with pytest.raises(SandboxError, match=f"{leader.name} was removed from the cluster"):
            cluster.start(leader.name)

        victim = views(cluster)[a_follower(cluster)]
        if not LOSES_WRITES[0] <= parse(etcd_binary.version) < LOSES_WRITES[1]:
            cluster.kill(victim.name)
        replaced = cluster.replace(victim.name)

        now = views(cluster)[victim.name]
        assert replaced.leader_gap_s == 0.0
        assert (now.role, now.healthy) == (Role.FOLLOWER, True)
        assert now.id != victim.id
        assert now.peer_url == victim.peer_url
        assert listed(cluster)[victim.name] == (now.id, victim.peer_url, False)
        # It got its vote last: the others were a quorum all the time.
        assert any("--learner" in command for command in replaced.equivalents)
        assert replaced.equivalents[-1] == f"etcdctl member promote {now.id}"
        assert replaced.read_gap_s is not None
        assert replaced.read_gap_s < SERVED_AGAIN_S
        until(lambda: get(now.client_url, writer.acknowledged[-1]) is not None)
    assert writer.acknowledged
    # A later upgrade asks what was done under this etcd.
    past = ControlClient(cluster_paths(cluster.name)).plan()["history"]
    assert {each["version"] for each in past} == {etcd_binary.version}
    assert {(each["kind"], each["member"]) for each in past} == {
        ("added", "infra4"),
        ("added", "infra5"),
        ("promoted", "infra5"),
        ("removed", leader.name),
        ("replaced", victim.name),
        ("added", victim.name),
        ("promoted", victim.name),
    }
    for view in views(cluster).values():
        if view.state is ProcessState.RUNNING:
            until(lambda url=view.client_url: writer.lost(url) == [], 20)  # type: ignore[misc]
    assert [event.member for event in cluster.events() if event.kind is Kind.MEMBER_ADDED] == [
        "infra4",
        "infra5",
        victim.name,
    ]


def _relay_of(cluster: Cluster) -> int:
    """The pid of the links' process."""
    recorded = json.loads((cluster.directory / "supervisor.json").read_text())
    return int(recorded["processes"]["peer links"]["pid"])


@pytest.mark.parametrize("etcd_binary", ["3.4"], indirect=True)
def test_an_added_member_can_be_cut_off_and_one_of_one_is_never_without_a_quorum(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    cluster = cluster_of(1, profile=quick)
    with Writer(cluster.endpoints, timeout_s=10) as writer:
        until_it_writes(writer)
        failed = writer.failed
        added = cluster.add()
        assert writer.failed == failed
    assert any("learner first" in note for note in added.notes)
    assert any("--learner" in command for command in added.equivalents)
    cluster.add("third")
    assert views(cluster)["third"].role is Role.FOLLOWER
    leader = leader_of(cluster)

    cut = cluster.partition("third")

    assert cut.versus == ("infra1", "infra2")
    assert cut.leader_after == leader
    url = views(cluster)["third"].client_url
    until(lambda: not answers(url, timeout_s=0.3), 20)
    with pytest.raises(SandboxError, match="links of third are cut"):
        cluster.replace("third")
    cluster.remove("third")
    assert cluster.status().faults == ()
    assert views(cluster)["third"].state is ProcessState.REMOVED

    cluster.replace("third")  # one that is gone, and the link in front of it with it

    assert views(cluster)["third"].role is Role.FOLLOWER
    with urlopen(f"{views(cluster)['third'].peer_url}/version", timeout=10) as dialled:
        assert dialled.status == 200


@pytest.mark.parametrize("etcd_binary", ["3.5"], indirect=True)
def test_what_would_break_the_quorum_and_what_cannot_be_meant_is_refused(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    cluster = cluster_of(profile=quick)
    before = listed(cluster)
    for name in ("infra1", "etcd2"):
        with pytest.raises(InputError, match=f"there is a member '{name}' already"):
            cluster.add(name)
    with pytest.raises(InputError, match="cannot name a member"):
        cluster.add("leader")
    with pytest.raises(InputError, match="no process, member or member ID is called 'nobody'"):
        cluster.replace("nobody")
    with pytest.raises(SandboxError, match="infra1, infra2, infra3 are all voters"):
        cluster.remove("all")
    cluster.pause("infra3")
    with pytest.raises(SandboxError, match="of the 1 voter left 0 run, 1 needed"):
        cluster.remove("infra1", "infra2")
    cluster.heal()
    dead = a_follower(cluster)
    cluster.kill(dead)
    live = a_follower(cluster)

    with pytest.raises(SandboxError) as refused:
        cluster.remove(live)

    assert refused.value.what == (
        f"removing {live} would break the quorum: of the 2 voters left 1 run, 2 needed"
    )
    assert dead in refused.value.hint
    with pytest.raises(SandboxError, match=f"replacing {live} would break the quorum"):
        cluster.replace(live)
    with pytest.raises(SandboxError, match="etcd refuses it: unhealthy cluster"):
        cluster.remove(live, force=True, timeout_s=20)
    with pytest.raises(SandboxError, match=rf"{dead} (is down|does not run)"):
        cluster.add()
    assert listed(cluster) == before
    cluster.remove(dead)
    assert set(listed(cluster)) == set(before) - {dead}


@pytest.fixture
def some_etcd() -> EtcdBinary:
    """One etcd: what is not about etcd is tested with one of them."""
    return etcd_versions.need("3.6", "3.5", "3.4")


@pytest.fixture
def at_home(sandbox_command: SandboxCommand, some_etcd: EtcdBinary) -> SandboxCommand:
    """The command, with a profile `mine.toml` of three members on free ports."""
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = some_etcd.path
    (sandbox_command.cwd / "mine.toml").write_text(
        f"[cluster]\nbase_port = {free_block(6)}\nport_step = 10\n{QUICK}"
    )
    return sandbox_command


def status(command: SandboxCommand) -> dict[str, dict[str, Any]]:
    return {member["name"]: member for member in command.status()["members"]}


def until_healthy(command: SandboxCommand, *names: str) -> dict[str, dict[str, Any]]:
    """The status in which these members are."""
    seen: dict[str, dict[str, Any]] = {}

    def all_are() -> bool:
        seen.clear()
        seen.update(status(command))
        return all(seen[name]["healthy"] for name in names)

    until(all_are, 20, lambda: seen)
    return seen


def test_a_cluster_goes_on_with_the_members_that_it_has_by_now(at_home: SandboxCommand) -> None:
    at_home("up", "-p", "mine.toml", "-d")
    said = at_home("add", "--learner").stdout
    assert "added infra4" in said
    assert "same as: etcdctl member add infra4 --learner --peer-urls=http://127.0.0.1:" in said
    assert "next: etcd-sandbox promote infra4" in said
    at_home("remove", "leader")
    ids = {name: member["id"] for name, member in status(at_home).items()}
    (gone,) = (name for name, member in status(at_home).items() if member["state"] == "removed")
    for asked in ((), ("-p", "mine.toml")):
        at_home("down")
        up = at_home("up", *asked, "-d")
        assert f"since then infra4 added, {gone} removed" in up.stderr
        now = until_healthy(at_home, *(name for name in ids if name != gone))
        assert {name: member["id"] for name, member in now.items()} == {
            name: id_ for name, id_ in ids.items() if name != gone
        }
        assert now["infra4"]["role"] == "learner"
    assert "nothing to do" in at_home("apply").stdout
    with (at_home.cwd / "mine.toml").open("a") as profile:
        profile.write("snapshot-count = 5000\n")
    assert "etcd4" in at_home("apply").stdout
    assert "--snapshot-count=5000" in (at_home.home / "default" / "cluster.json").read_text()
    at_home("down")
    other = at_home("up", "-n", "2", "-d", code=2)
    assert "--fresh" in other.stderr
    fresh = at_home("up", "-p", "mine.toml", "--fresh", "-d")
    assert "since then" not in fresh.stderr
    assert sorted(status(at_home)) == ["infra1", "infra2", "infra3"]


def test_a_taken_port_is_named_and_a_member_that_does_not_come_up_is_taken_out_again(
    at_home: SandboxCommand, some_etcd: EtcdBinary
) -> None:
    picky = at_home.cwd / "bin" / "etcd"
    picky.parent.mkdir()
    picky.write_text(
        f'#!/bin/sh\ncase "$*" in *--name=infra4*) echo "no, not me" >&2; exit 1;; esac\n'
        f'exec {some_etcd.path} "$@"\n'
    )
    picky.chmod(0o755)
    at_home.env["ETCD_SANDBOX_ETCD"] = str(picky)
    at_home("up", "-p", "mine.toml", "-d")
    before = at_home("ctl", "member", "list").stdout
    port = int(status(at_home)["infra3"]["client_url"].rpartition(":")[2]) + 10
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        taken = at_home("add", code=1)
    assert f"port {port} of infra4 is taken" in taken.stderr

    failed = at_home("add", code=1)

    assert "infra4 did not come up" in failed.stderr or "ended at its start" in failed.stderr
    assert "it was taken out again, and the members are as before" in failed.stderr
    assert "no, not me" in failed.stderr
    assert at_home("ctl", "member", "list").stdout == before
    assert sorted(status(at_home)) == ["infra1", "infra2", "infra3"]
    assert not (at_home.home / "default" / "data" / "infra4").exists()
    # Who was put on the list by somebody else stays there, whatever becomes of the process.
    peer_url = f"http://127.0.0.1:{port + 1}"
    # etcd makes IDs of peer URL and second, and one that was removed never returns.
    until_the_next_second()
    at_home("ctl", "member", "add", "mine", "--learner", f"--peer-urls={peer_url}")
    theirs = at_home("ctl", "member", "list").stdout

    failed = at_home("add", "infra4", code=1)

    assert "it stays on etcd's list of members, where it was before" in failed.stderr
    assert at_home("ctl", "member", "list").stdout == theirs
    # It comes up as soon as it can.
    picky.write_text(f'#!/bin/sh\nexec {some_etcd.path} "$@"\n')
    at_home("start", "infra4")
    assert until_healthy(at_home, "infra4")["infra4"]["id"] in theirs
    at_home("promote", "infra4")


def until_the_next_second() -> None:
    """Return when the clock shows another second than now."""
    now = int(time.time())
    until(lambda: int(time.time()) > now)


@pytest.mark.parametrize("etcd_binary", ["3.6"], indirect=True)
def test_a_peer_url_whose_id_was_removed_this_second_is_added_in_the_next(
    cluster_of: ClusterMaker,
) -> None:
    cluster = cluster_of(members=1)
    endpoint, peer_url = cluster.endpoints[0], peer_url_after(cluster)
    wanted = {"peerURLs": [peer_url], "isLearner": True}
    used_up: list[int] = []

    def is_refused() -> bool:
        """Whether the ID that was added and removed is refused: so it is while its second lasts."""
        until_the_next_second()
        gone = ask(endpoint, "cluster/member/add", **wanted)["member"]["ID"]
        ask(endpoint, "cluster/member/remove", ID=gone)
        used_up.append(int(gone))
        try:
            added = ask(endpoint, "cluster/member/add", **wanted)["member"]["ID"]
        except HTTPError as error:
            return "member not found" in error.read().decode()
        ask(endpoint, "cluster/member/remove", ID=added)
        return False

    until(is_refused)

    added = cluster.add(learner=True)

    assert added.targets == ("infra2",)
    id_, url, is_learner = listed(cluster)["infra2"]
    assert (url, is_learner) == (peer_url, True)
    assert int(id_, 16) not in used_up


def peer_url_after(cluster: Cluster) -> str:
    """Where the next member of a cluster of one will be dialled."""
    client = int(views(cluster)["infra1"].client_url.rpartition(":")[2])
    return f"http://127.0.0.1:{client + PORT_STEP + 1}"


@pytest.mark.parametrize("etcd_binary", ["3.5"], indirect=True)
def test_an_entry_that_nobody_starts_is_taken_off_by_its_id_and_a_learners_is_taken_for_the_new_member(
    cluster_of: ClusterMaker,
) -> None:
    cluster = cluster_of(members=1)
    cluster.ctl("member", "add", "mine", "--learner", "--peer-urls=http://127.0.0.1:1")
    id_, *_ = listed(cluster)[""]
    for refused in (cluster.kill, cluster.replace, cluster.promote):
        with pytest.raises(InputError, match=rf"{id_}, .* is no process of ours") as error:
            refused(id_)
        assert f"etcd-sandbox remove {id_} takes it off" in error.value.hint

    removed = cluster.remove(f"0{id_.upper()}")

    assert removed.targets == (id_,)
    assert removed.equivalents == (f"etcdctl member remove {id_}",)
    assert set(listed(cluster)) == {"infra1"}

    peer_url = peer_url_after(cluster)
    cluster.ctl("member", "add", "mine", "--learner", f"--peer-urls={peer_url}")
    id_, *_ = listed(cluster)[""]
    added = cluster.add()

    assert added.targets == ("infra2",)
    assert f"infra2 was on etcd's list of members already ({id_})" in added.notes[0]
    assert not any("member add" in command for command in added.equivalents)
    assert listed(cluster)["infra2"] == (id_, peer_url, False)


@pytest.mark.soak
@pytest.mark.parametrize("etcd_binary", ["3.5"], indirect=True)
def test_a_second_voter_that_etcdctl_added_is_started_though_nobody_leads_any_more(
    cluster_of: ClusterMaker, quick: Path
) -> None:
    cluster = cluster_of(members=1, profile=quick)
    cluster.ctl("member", "add", "mine", f"--peer-urls={peer_url_after(cluster)}")
    with pytest.raises(InputError, match="with a vote: it cannot come as a learner"):
        cluster.add(learner=True)
    until(lambda: cluster.status().leader is None, 20)
    (entry,) = cluster.status().elsewhere
    with pytest.raises(SandboxError, match="the quorum is lost") as lost:
        cluster.remove(entry.id)
    assert "etcd-sandbox add, which starts the member with the peer URL" in lost.value.hint

    cluster.add()

    assert set(listed(cluster)) == {"infra1", "infra2"}
    assert all(view.healthy for view in views(cluster).values())


def test_who_orders_a_change_may_go_and_what_a_dead_supervisor_left_is_explained(
    at_home: SandboxCommand, some_etcd: EtcdBinary
) -> None:
    hold, waits = at_home.cwd / "hold", at_home.cwd / "bin" / "etcd"
    waits.parent.mkdir()
    waits.write_text(
        f'#!/bin/sh\ncase "$*" in *--name=infra4*) while [ -e {hold} ]; do sleep 0.05; done;; esac\n'
        f'exec {some_etcd.path} "$@"\n'
    )
    waits.chmod(0o755)
    at_home.env["ETCD_SANDBOX_ETCD"] = str(waits)

    def told(kind: str) -> bool:
        # A command may take longer than what it is to tell of.
        return f'"{kind}"' in (at_home.home / "default" / "events.jsonl").read_text()

    at_home("up", "-p", "mine.toml", "-d")
    ordering = at_home.popen("add")
    until(lambda: told("member.waiting"))
    ordering.send_signal(signal.SIGINT)
    _, stderr = ordering.communicate(timeout=20)
    assert ordering.returncode == 130
    assert b"goes on" in stderr
    until(lambda: status(at_home).get("infra4", {}).get("healthy"), 20)

    # So it is under way when the supervisor is killed, however fast the machine is.
    hold.touch()
    ordering = at_home.popen("replace", "infra4")
    until(lambda: told("member.removed"))
    supervisor = psutil.Process(
        json.loads((at_home.home / "default" / "supervisor.json").read_text())["pid"]
    )
    supervisor.kill()
    ordering.communicate(timeout=20)
    at_home.assert_nothing_left()
    hold.unlink()

    up = at_home("up", "-d")

    assert "'replace' of infra4 was interrupted" in up.stderr
    assert "etcd-sandbox replace infra4" in up.stderr
    assert not status(at_home)["infra4"]["healthy"]
    until_healthy(at_home, "infra1", "infra2", "infra3")
    at_home("replace", "infra4")
    until_healthy(at_home, "infra4")
    at_home("down")
    assert "interrupted" not in at_home("up", "-d").stderr
    until_healthy(at_home, "infra4")


@pytest.mark.parametrize("verb", ["replace", "remove"])
def test_a_change_that_was_interrupted_before_etcd_knew_of_it_leaves_the_member_as_it_was(
    at_home: SandboxCommand, verb: str
) -> None:
    at_home("up", "-p", "mine.toml", "-n", "2", "-d")
    at_home("down")
    plan = at_home.home / "default" / "cluster.json"
    recorded = json.loads(plan.read_text())
    # As it is written before anything is done.
    recorded["unfinished"] = [{"verb": verb, "process": "etcd2"}]
    recorded["founders"] = ["etcd1", "etcd2"]
    plan.write_text(json.dumps(recorded))

    up = at_home("up", "-d")

    assert f"'{verb}' of infra2 was interrupted: it is started as it was" in up.stderr
    until_healthy(at_home, "infra1", "infra2")
    at_home("down")
    assert "interrupted" not in at_home("up", "-d").stderr


def test_members_can_be_changed_beside_a_procfile_and_its_data_is_left_alone(
    at_home: SandboxCommand, some_etcd: EtcdBinary
) -> None:
    base = free_block(4)
    urls = {f"infra{n}": f"http://127.0.0.1:{base + 10 * (n - 1)}" for n in (1, 2, 3)}
    peers = {f"infra{n}": f"http://127.0.0.1:{base + 10 * (n - 1) + 1}" for n in (1, 2, 3)}
    at_home.cwd.joinpath("Procfile").write_text(
        "".join(
            f"etcd{name[-1]}: {some_etcd.path} --name {name} --listen-client-urls {url} "
            f"--advertise-client-urls {url} --listen-peer-urls {peers[name]} "
            f"--initial-advertise-peer-urls {peers[name]} --heartbeat-interval 50 "
            f"--initial-cluster {','.join(f'{n}={u}' for n, u in peers.items())}\n"
            for name, url in urls.items()
        )
    )
    at_home("up", "-d")
    at_home("add")
    assert status(at_home)["infra4"]["client_url"] == f"http://127.0.0.1:{base + 30}"
    detail = (at_home.home / "default" / "cluster.json").read_text()
    assert detail.count("--heartbeat-interval=50") >= 1
    refused = at_home("replace", "infra3", code=2)
    assert "which is not ours to delete" in refused.stderr
    removed = at_home("remove", "infra3").stdout
    assert "not ours to delete" in removed
    assert (at_home.cwd / "infra3.etcd").is_dir()
    at_home("down")
    up = at_home("up", "-d")
    assert "since then infra4 added, infra3 removed" in up.stderr
    assert sorted(status(at_home)) == ["infra1", "infra2", "infra4"]
    assert (at_home.home / "default" / "data" / "infra4").is_dir()


def test_the_profile_with_a_learner_adds_it_once_and_starts_it_from_then_on(
    at_home: SandboxCommand,
) -> None:
    at_home("up", "-p", "learner", "--base-port", "auto", "-d")
    now = until_healthy(at_home, "infra1", "infra2", "infra3", "infra4")
    assert [member["role"] for member in now.values()].count("learner") == 1
    assert now["infra4"]["role"] == "learner"
    assert at_home.status()["quorum"]["voters"] == 3
    assert now["infra4"]["client_url"] not in at_home("env").stdout
    at_home("promote", "infra4")
    assert at_home.status()["quorum"]["voters"] == 4

"""The Python API over small programs: everything but etcd is real."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from pathlib import Path

import pytest
from etcd_sandbox import AsyncCluster, Cluster, InputError, NotRunning, SandboxError
from etcd_sandbox.model.event import Kind

from tests.conftest import SandboxCommand, until

SLEEPERS = "web: echo hello; exec sleep 3600\ndb: exec sleep 3600\n"


@pytest.fixture
def procfile(
    sandbox_command: SandboxCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A Procfile without etcd, in a state home of this test's own."""
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(sandbox_command.home))
    path = tmp_path / "Procfile"
    path.write_text(SLEEPERS)
    return path


def test_a_procfiles_processes_are_up_within_the_block(
    procfile: Path, sandbox_command: SandboxCommand
) -> None:
    with Cluster(procfile=procfile) as cluster:
        assert [process.state for process in cluster.status().processes] == ["running"] * 2
        assert (cluster.members, cluster.endpoints, cluster.leader()) == ((), [], None)
        # Its shell may be executed and have got no processor yet.
        until(lambda: list(cluster.logs("web")))
        verdict = cluster.kill("web")
        assert verdict.targets == ("web",)
        assert verdict.leader_gap_s is None
        assert [line.text for line in cluster.logs("web")] == ["hello"]
        ended = [event for event in cluster.events() if event.kind is Kind.PROCESS_EXITED]
        assert [event.fields["process"] for event in ended] == ["web"]
        with pytest.raises(InputError, match="is up already"):
            cluster.up()
        with pytest.raises(SandboxError, match="no etcd member to talk to"):
            cluster.ctl("version")
    sandbox_command.assert_nothing_left()
    assert list(sandbox_command.home.iterdir()) == []


def test_a_cluster_may_be_brought_up_again(procfile: Path) -> None:
    cluster = Cluster(procfile=procfile)
    first = cluster.up().name
    cluster.down()
    assert not cluster.is_up
    assert cluster.up().name != first
    cluster.close()
    cluster.close()


def test_a_name_is_kept_from_being_used_twice_and_the_first_is_not_harmed(procfile: Path) -> None:
    with Cluster(procfile=procfile, name="mine") as cluster:
        with pytest.raises(SandboxError, match="running already"):
            Cluster(procfile=procfile, name="mine").up()
        assert cluster.status().cluster == "mine"
        assert cluster.directory.exists()


def test_taking_down_a_cluster_that_is_not_ours_is_a_plain_down(
    procfile: Path, sandbox_command: SandboxCommand
) -> None:
    sandbox_command("up", "-d", "-f", str(procfile))
    with Cluster.attach() as cluster:
        assert cluster.kill("db").targets == ("db",)
    attached = Cluster.attach()
    attached.down()
    with pytest.raises(NotRunning):
        Cluster.attach()
    assert (sandbox_command.home / "default" / "logs").exists()


def _outlive(ready: int, going: int) -> None:
    os.write(ready, b".")
    os.read(going, 1)


def test_a_fork_that_lives_on_does_not_keep_the_cluster_alive(
    procfile: Path, sandbox_command: SandboxCommand
) -> None:
    ready, ready_write = os.pipe()
    going, going_write = os.pipe()
    forking = multiprocessing.get_context("fork")

    def own() -> None:
        Cluster(procfile=procfile).up()
        outliving = forking.Process(target=_outlive, args=(ready_write, going))
        outliving.start()
        os.kill(os.getpid(), 9)

    owner = forking.Process(target=own)
    owner.start()
    owner.join()
    assert os.read(ready, 1) == b"."
    try:
        # The fork itself does not count: it has the environment that this process began with.
        sandbox_command.assert_nothing_left()
    finally:
        os.write(going_write, b".")
        for fd in (ready, ready_write, going, going_write):
            os.close(fd)


def test_the_asynchronous_cluster_stops_when_its_block_fails(
    procfile: Path, sandbox_command: SandboxCommand
) -> None:
    async def story() -> None:
        async with AsyncCluster(procfile=procfile) as cluster:
            with pytest.raises(InputError, match="'nobody'"):
                await cluster.pause("nobody")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(story())
    sandbox_command.assert_nothing_left()
    assert list(sandbox_command.home.iterdir()) == []

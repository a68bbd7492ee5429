"""An engine whose containers are processes of another machine: nothing goes to a pid, all goes to the engine."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import pytest
from etcd_sandbox.cluster.runtimes import containerchild as container
from etcd_sandbox.cluster.runtimes.containerchild import ContainerChild
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.spec import ContainerSpec, ProcessSpec, Runtime

ENGINE = """#!/bin/sh
cd "$(dirname "$0")"
echo "$@" >> asked
case "$1" in
run)
    echo running
    [ "$2" = fails ] && { echo 'Error: no space left'; exit 125; }
    : > runs
    while [ ! -e ended ]; do sleep 0.02; done
    exit "$(cat ended)" ;;
inspect) [ -e runs ] && echo 1 ;;
container) [ -e runs ] && echo "/c of-nobody" ;;
rm) rm -f runs ;;
kill) echo 137 > draft; mv draft ended ;;
esac
"""
"""Says of its container that its pid is 1, which is another process here."""

DEADLINE_S = 20


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An engine in a directory of its own, where it keeps what it was asked."""
    program = tmp_path / "docker"
    program.write_text(ENGINE)
    program.chmod(0o755)
    monkeypatch.setattr(container, "HIDDEN_AFTER_S", 0.0)
    yield program
    # What a test that failed has left running ends.
    (tmp_path / "ended").write_text("0")


def run(
    engine: Path, word: str, work: Callable[[ContainerChild], Coroutine[None, None, None]]
) -> None:
    spec = ContainerSpec(
        runtime=Runtime.DOCKER,
        engine=str(engine),
        name="c",
        image="i",
        program="/usr/local/bin/etcd",
        data_dir=str(engine.parent / "data"),
    )
    process = ProcessSpec(
        name="p", argv=(str(engine), "run", word), shown="", cwd=str(engine.parent), container=spec
    )

    async def whole() -> None:
        async with asyncio.timeout(DEADLINE_S):
            child = await container.execute(process, spec, dict(os.environ), lambda _: None)
            await work(child)

    asyncio.run(whole())


def asked(engine: Path) -> list[str]:
    return (engine.parent / "asked").read_text().splitlines()


def test_a_signal_goes_by_way_of_the_engine_and_its_effect_is_the_exit(engine: Path) -> None:
    async def work(child: ContainerChild) -> None:
        assert child.pids == {"": child.pid}
        assert child.pid != 1
        assert child.signal(signal.SIGKILL)
        assert await child.main_ended() == -signal.SIGKILL
        assert not child.signal(signal.SIGTERM)
        await child.group_gone()

    run(engine, "works", work)
    assert "kill --signal=SIGKILL c" in asked(engine)
    assert (engine.parent / "data").is_dir()


def test_an_engine_that_is_slow_to_come_to_etcd_is_waited_for(
    engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands where etcd's process is to be is looked at for as long, whenever it came there."""
    monkeypatch.setattr(container, "HIDDEN_AFTER_S", 1.0)
    sleeper = subprocess.Popen(
        [
            "bash",
            "-c",
            "until [ -e told ]; do sleep 0.02; done; sleep 0.3; exec -a /usr/local/bin/etcd sleep 60",
        ],
        cwd=engine.parent,
    )
    engine.write_text(
        ENGINE.replace(
            "[ -e runs ] && echo 1",
            f"[ -e late ] || {{ sleep 1.2; : > late; exit 1; }}; : > told; echo {sleeper.pid}",
        )
    )
    try:

        async def work(child: ContainerChild) -> None:
            assert child.pid == sleeper.pid
            (engine.parent / "ended").write_text("0")
            sleeper.kill()
            sleeper.wait()
            await child.group_gone()

        run(engine, "works", work)
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_container_whose_client_was_killed_is_removed(engine: Path) -> None:
    async def work(child: ContainerChild) -> None:
        os.kill(child.pid, signal.SIGKILL)
        assert await child.main_ended() == -signal.SIGKILL
        await child.group_gone()

    run(engine, "works", work)
    assert "rm --force --volumes c" in asked(engine)
    assert not (engine.parent / "runs").exists()


def test_what_the_engine_could_not_run_tells_why(engine: Path) -> None:
    async def work(child: ContainerChild) -> None:
        raise AssertionError("it runs")

    with pytest.raises(SandboxError, match="docker says: no space left"):
        run(engine, "fails", work)


def test_an_engine_that_does_not_come_to_a_start_is_given_up(
    engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "START_TIMEOUT_S", 0.5)
    engine.write_text(ENGINE.replace("echo 1", "exit 1"))

    async def work(child: ContainerChild) -> None:
        raise AssertionError("it runs")

    with pytest.raises(SandboxError, match="did not start the container within"):
        run(engine, "hangs", work)
    assert "rm --force --volumes c" in asked(engine)
    assert not (engine.parent / "runs").exists()

"""What a process uses is what its whole group uses: a shell in front of it uses next to nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from etcd_sandbox.cluster.meters import Meters, is_alone
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.spec import MemberProcess, MemberSpec, ProcessSpec

from tests.conftest import until

KEPT_BYTES = 80 * 2**20
EATER = f"import threading; kept = b'x' * {KEPT_BYTES}; print(flush=True)\nwhile True: pass"


@contextmanager
def group(script: str, writers: int) -> Iterator[int]:
    """The pid of a shell in a group of its own, once so many eaters in it have eaten."""
    shell = subprocess.Popen(
        ["/bin/sh", "-c", script, sys.executable, EATER],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert shell.stdout is not None
    try:
        for _ in range(writers):
            shell.stdout.readline()
        yield shell.pid
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
        shell.stdout.close()


def test_a_shells_children_count_as_the_process_that_it_was_started_for() -> None:
    with group('"$0" -c "$1" & "$0" -c "$1" | cat; true', 2) as pid:
        found = Meters()

        def busy() -> bool:
            cpu_percent, rss_bytes = found.measure(pid, alone=False)
            return bool(cpu_percent) and rss_bytes is not None and rss_bytes > 2 * KEPT_BYTES

        until(busy)
        assert (found.measure(pid, alone=True)[1] or 0) < KEPT_BYTES


def test_children_whose_parent_has_ended_count_while_the_group_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with group('("$0" -c "$1" &); sleep 300 & wait', 1) as pid:
        (orphan,) = [
            process
            for process in psutil.process_iter()
            if process.pid != pid and EATER in _words(process) and os.getpgid(process.pid) == pid
        ]
        monkeypatch.setattr(os, "getppid", lambda: orphan.ppid())
        _, rss_bytes = Meters().measure(pid, alone=False)
        assert rss_bytes is not None
        assert rss_bytes > KEPT_BYTES


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_process_that_is_gone_has_no_figures() -> None:
    done = subprocess.Popen(["true"])
    done.wait()
    assert Meters().measure(done.pid, alone=False) == (None, None)


MEMBER = MemberSpec(name="m", id=None, client_url=Address(""), peer_url=Address(""), data_dir="/", data_owned=True, token="")  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "member", "alone"),
    [
        (("/opt/etcd", "--name=m"), MEMBER, True),
        (("/bin/sh", "-c", "exec etcd --name m"), MEMBER, True),
        (("/bin/sh", "-c", "A=1 etcd --name m 2>&1 | tee log"), MEMBER, False),
        (("/bin/sh", "-c", "exec python app.py"), None, False),
    ],
)
def test_only_a_member_without_a_shell_before_it_is_looked_at_alone(
    argv: tuple[str, ...], member: MemberSpec | None, alone: bool
) -> None:
    process = ProcessSpec(name="p", argv=argv, shown="", cwd="/")
    if member is not None:
        process = MemberProcess(name="p", argv=argv, shown="", cwd="/", member=member)
    assert is_alone(process) is alone

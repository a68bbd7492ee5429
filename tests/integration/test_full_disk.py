"""A disk that is full while a cluster runs: nobody stands still, what is lost is counted and told, and it mends itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SandboxCommand, until

TALKER = 'talker: i=0; while :; do i=$((i+1)); echo "line $i %s"; sleep 0.01; done\n' % ("y" * 2000)


@pytest.fixture
def small_disk(sandbox_command: SandboxCommand) -> Iterator[Path]:
    """The state home is a disk of 2 MiB, all but a few of which a file takes up: that file."""
    home = sandbox_command.home
    if os.geteuid() != 0:
        pytest.skip("only root mounts a disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", str(home)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode()}")
    filler = home / "filler"
    filler.write_bytes(bytes(1_800_000))
    yield filler
    for cluster in sorted(path.name for path in home.iterdir() if path.is_dir()):
        sandbox_command("-c", cluster, "down", "--kill", code=None)
    subprocess.run(["umount", "-l", str(home)], check=True)


def test_lines_that_the_disk_refuses_are_shown_counted_told_of_and_kept_again(
    sandbox_command: SandboxCommand, small_disk: Path
) -> None:
    (sandbox_command.cwd / "Procfile").write_text(TALKER)
    out = sandbox_command.cwd / "out"
    with out.open("wb") as shown:
        up = sandbox_command.popen("up", "--plain", stdout=shown)

    def text() -> str:
        return out.read_text(errors="replace")

    until(lambda: "log lines are not kept any more: the disk was full" in text())
    before = text().count(" | line ")
    until(lambda: text().count(" | line ") > before + 20)

    status = json.loads(sandbox_command("status", "--json").stdout)
    assert status["log_loss"]["losing"] is True
    assert status["log_loss"]["lines"] > 0
    assert "log lines were not kept so far (the disk was full)" in sandbox_command("status").stdout
    said = sandbox_command("logs")
    assert "not kept so far" in said.stderr
    assert "| line " in said.stdout

    small_disk.unlink()
    until(lambda: "log lines are kept again" in text())
    status = json.loads(sandbox_command("status", "--json").stdout)
    assert status["log_loss"]["losing"] is False
    lost = status["log_loss"]["lines"]
    log = (sandbox_command.home / "default" / "logs" / "talker.log").read_text()
    assert "lines lost: the disk was full" in log

    up.send_signal(signal.SIGINT)
    _, err = up.communicate(timeout=30)
    assert up.returncode == 130, err
    assert f"cluster stopped; {lost} lines were not kept in the logs" in text()
    numbers = [int(line.split()[4]) for line in text().splitlines() if " | line " in line]
    assert numbers == list(range(1, len(numbers) + 1)), "a viewer got every line, in order"


def test_a_full_standard_output_counts_what_it_did_not_take(
    sandbox_command: SandboxCommand, small_disk: Path
) -> None:
    sandbox_command.env["ETCD_SANDBOX_HOME"] = str(sandbox_command.cwd / "elsewhere")
    (sandbox_command.cwd / "Procfile").write_text(TALKER)
    out = small_disk.with_name("out")
    with out.open("wb") as shown:
        up = sandbox_command.popen("up", "--plain", stdout=shown)
    assert up.stderr is not None
    assert any(b"standard output is full" in line for line in up.stderr)
    small_disk.unlink()
    until(lambda: "not shown: there was no room …" in out.read_text(errors="replace"))
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=30)
    assert up.returncode == 130
    assert "cluster stopped" in out.read_text(errors="replace")

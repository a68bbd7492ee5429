"""`restore` without any etcd: what is refused touches nothing, what is broken off leaves nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import snapshots
from tests.conftest import SandboxCommand, until

ETCD = """\
#!/bin/sh
echo "etcd Version: {version}"
"""

TOOL = """\
#!/bin/sh
if [ "$1" = version ]; then echo "etcdutl version: {version}"; exit; fi
while [ "$1" != --data-dir ]; do
  if [ "$1" = --name ]; then name=$2; fi
  shift
done
mkdir -p "$2/member"
{then}
"""

HANG = "exec sleep 600"
FAIL = 'echo "no space left" >&2; exit 3'
SECOND_FAILS = f"""\
[ $name = infra2 ] || exec sleep 600
until [ -d "$2/../infra1/member" ] && [ -d "$2/../infra3/member" ]; do sleep 0.01; done
{FAIL}"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A whole snapshot of three members of etcd 3.6."""
    path = tmp_path / "backup.db"
    path.write_bytes(snapshots.snapshot(snapshots.buckets(storage="3.6.0", cluster="3.6.0")))
    return path


def etcd_with_tool(directory: Path, then: str, version: str = "3.6.99") -> str:
    script(directory / "etcdutl", TOOL.format(version=version, then=then))
    return str(script(directory / "etcd", ETCD.format(version=version)))


def nothing_was_touched(command: SandboxCommand) -> bool:
    return list(command.home.iterdir()) == [] and not command.ours()


def _flipped(content: bytes) -> bytes:
    return content[:6000] + bytes([content[6000] ^ 1]) + content[6001:]


def _cut(content: bytes) -> bytes:
    return content[:-100]


def _text(content: bytes) -> bytes:
    return b"name: etcd --name infra1\n" * 50


@pytest.mark.parametrize("damaged", [_cut, _flipped, _text])
def test_a_damaged_snapshot_is_refused_before_anything_is_touched(
    sandbox_command: SandboxCommand,
    backup: Path,
    tmp_path: Path,
    damaged: Callable[[bytes], bytes],
) -> None:
    etcd = etcd_with_tool(tmp_path / "bin", HANG)
    backup.write_bytes(damaged(backup.read_bytes()))
    done = sandbox_command("restore", "backup.db", "-d", "--etcd", etcd, code=2)
    assert str(backup) in done.stderr
    assert nothing_was_touched(sandbox_command)


@pytest.mark.parametrize("name", ["missing.db", "."])
def test_a_place_without_a_file_is_refused_likewise(
    sandbox_command: SandboxCommand, tmp_path: Path, name: str
) -> None:
    done = sandbox_command("restore", name, "-d", code=2)
    assert str(tmp_path / name) in done.stderr
    assert nothing_was_touched(sandbox_command)


def test_a_snapshot_of_a_newer_etcd_is_refused_with_the_reason(
    sandbox_command: SandboxCommand, tmp_path: Path
) -> None:
    newer = snapshots.buckets(storage="3.9.0", cluster="3.9.0")
    (tmp_path / "newer.db").write_bytes(snapshots.snapshot(newer))
    etcd = etcd_with_tool(tmp_path / "bin", HANG)
    done = sandbox_command("restore", "newer.db", "-d", "--etcd", etcd, code=2)
    assert "etcd 3.6.99 refuses the data of a newer etcd" in done.stderr
    assert "3.9" in done.stderr
    assert nothing_was_touched(sandbox_command)


def test_without_the_tool_of_that_series_it_says_how_to_get_it(
    sandbox_command: SandboxCommand, backup: Path, tmp_path: Path
) -> None:
    etcd = str(script(tmp_path / "bin" / "etcd", ETCD.format(version="3.6.99")))
    done = sandbox_command(
        "restore", str(backup), "-d", "--etcd", etcd, code=1, PATH="/nowhere", HOME=str(tmp_path)
    )
    assert "there is no etcdutl 3.6 on this machine" in done.stderr
    assert "hint:" in done.stderr
    assert nothing_was_touched(sandbox_command)


@pytest.mark.parametrize(
    ("number", "how"),
    [(signal.SIGINT, "-d"), (signal.SIGINT, "--plain"), (signal.SIGTERM, "-d")],
)
def test_interrupted_in_the_middle_it_leaves_nothing(
    sandbox_command: SandboxCommand,
    backup: Path,
    tmp_path: Path,
    number: signal.Signals,
    how: str,
) -> None:
    etcd = etcd_with_tool(tmp_path / "bin", HANG)
    going = sandbox_command.popen("restore", str(backup), how, "--etcd", etcd)
    begun = sandbox_command.home / "restored" / "restoring" / "data"
    until(lambda: len(list(begun.glob("*/member"))) == 3)
    going.send_signal(number)
    going.communicate(timeout=20)
    assert going.returncode == 130
    sandbox_command.assert_nothing_left()
    assert nothing_was_touched(sandbox_command)


def test_a_tool_that_fails_is_quoted_and_leaves_nothing(
    sandbox_command: SandboxCommand, backup: Path, tmp_path: Path
) -> None:
    etcd = etcd_with_tool(tmp_path / "bin", SECOND_FAILS)
    done = sandbox_command("restore", str(backup), "-d", "--etcd", etcd, code=1)
    assert "the data of infra2 could not be made" in done.stderr
    assert "no space left" in done.stderr
    sandbox_command.assert_nothing_left()
    assert nothing_was_touched(sandbox_command)


def test_what_a_killed_restore_left_is_cleared_by_the_next(
    sandbox_command: SandboxCommand, backup: Path, tmp_path: Path
) -> None:
    etcd = etcd_with_tool(tmp_path / "bin", HANG)
    begun = sandbox_command.home / "restored" / "restoring" / "data"
    going = sandbox_command.popen("restore", str(backup), "-d", "-n", "2", "--etcd", etcd)
    until(lambda: len(list(begun.glob("*/member"))) == 2)
    going.kill()
    going.communicate(timeout=20)
    sandbox_command.clean()
    other = etcd_with_tool(tmp_path / "other", FAIL)
    sandbox_command("restore", str(backup), "-d", "-n", "1", "--etcd", other, code=1)
    assert not begun.parent.exists()


def test_two_restores_into_one_cluster_do_not_meet(
    sandbox_command: SandboxCommand, backup: Path, tmp_path: Path
) -> None:
    etcd = etcd_with_tool(tmp_path / "bin", HANG)
    begun = sandbox_command.home / "restored" / "restoring" / "data"
    going = sandbox_command.popen("restore", str(backup), "-d", "--etcd", etcd)
    until(lambda: len(list(begun.glob("*/member"))) == 3)
    done = sandbox_command("restore", str(backup), "-d", "--etcd", etcd, code=1)
    assert "another restore into this cluster is under way" in done.stderr
    assert len(list(begun.glob("*/member"))) == 3
    going.send_signal(signal.SIGINT)
    going.communicate(timeout=20)


def test_data_that_is_there_is_kept_unless_it_is_to_go(
    sandbox_command: SandboxCommand, backup: Path, tmp_path: Path
) -> None:
    etcd = etcd_with_tool(tmp_path / "bin", SECOND_FAILS)
    kept = sandbox_command.home / "mine" / "data" / "infra1" / "member" / "wal"
    kept.mkdir(parents=True)
    done = sandbox_command("-c", "mine", "restore", str(backup), "-d", "--etcd", etcd, code=2)
    assert "has data already" in done.stderr
    assert "--fresh" in done.stderr
    # A restore that fails does not cost the old data either.
    sandbox_command("-c", "mine", "restore", str(backup), "-d", "--fresh", "--etcd", etcd, code=1)
    assert kept.is_dir()
    assert not (sandbox_command.home / "mine" / "restoring").exists()


def test_a_dry_run_shows_the_commands_and_touches_nothing(
    sandbox_command: SandboxCommand, backup: Path, tmp_path: Path
) -> None:
    etcd = etcd_with_tool(tmp_path / "bin", HANG)
    done = sandbox_command("restore", str(backup), "--dry-run", "--etcd", etcd)
    tool = os.fspath(tmp_path / "bin" / "etcdutl")
    for name in ("infra1", "infra2", "infra3"):
        assert f"by hand: {tool} snapshot restore {backup} --name {name} " in done.stderr
    assert nothing_was_touched(sandbox_command)

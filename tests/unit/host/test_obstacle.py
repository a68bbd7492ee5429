from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest
from etcd_sandbox.host.obstacle import no_room, obstacle
from etcd_sandbox.paths import cluster_paths, known_clusters


@pytest.mark.parametrize(
    ("error", "what", "mend"),
    [
        (OSError(errno.ENOSPC, "", "/x"), "no space is left", "df -i"),
        (OSError(errno.EDQUOT, "", "/x"), "quota", "free some space"),
        (OSError(errno.EROFS, "", "/x"), "read-only", "ETCD_SANDBOX_HOME"),
        (OSError(errno.ENAMETOOLONG, "", "/x"), "too long", "shorter"),
        (OSError(errno.ENOTDIR, "", "/x"), "is a file", "ETCD_SANDBOX_HOME"),
        (OSError(errno.ENFILE, "", "/x"), "no more files", "end some"),
        (OSError(errno.EAGAIN, ""), "no more processes", "ulimit -u"),
        (RuntimeError("can't start new thread"), "no more processes", "ulimit -u"),
        (MemoryError(), "no memory", "end some"),
    ],
)
def test_what_the_machine_refuses_is_one_sentence_with_a_mend(
    error: BaseException, what: str, mend: str, home: Path
) -> None:
    told = obstacle(error)
    assert told is not None
    assert what in str(told)
    assert mend in told.hint
    assert getattr(error, "filename", None) is None or str(told).endswith(", /x")


@pytest.mark.parametrize(
    "error", [KeyError("a"), FileNotFoundError(errno.ENOENT, "", "/x"), RuntimeError("odd")]
)
def test_what_may_be_a_mistake_of_ours_is_not_called_the_machines(error: Exception) -> None:
    assert obstacle(error) is None


def test_a_limit_of_files_is_told_with_the_command_that_raises_it(home: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = obstacle(OSError(errno.EMFILE, ""))
    assert told is not None
    assert f"no more than {soft} files" in str(told)
    assert ("ulimit -n" in told.hint) == (soft < hard or hard == resource.RLIM_INFINITY)


def test_a_working_directory_that_was_deleted_is_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    told = obstacle(FileNotFoundError(errno.ENOENT, "No such file or directory"))
    os.chdir(tmp_path)
    assert told is not None
    assert "working directory is gone" in str(told)


def test_a_path_of_thousands_of_letters_does_not_hide_the_sentence(home: Path) -> None:
    told = obstacle(OSError(errno.ENAMETOOLONG, "", "/" + "d" * 5000))
    assert told is not None
    assert len(str(told)) < 400


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_file_of_somebody_else_is_named_with_its_owner_and_what_makes_it_ours(
    home: Path,
) -> None:
    paths = cluster_paths("default")
    paths.logs.mkdir(parents=True)
    file = paths.logs / "a.log"
    file.touch()
    os.chown(file, 65534, 65534)
    told = obstacle(PermissionError(errno.EACCES, "", str(file)))
    assert told is not None
    assert "belongs to nobody, and you (root) may not use it" in str(told)
    assert str(told).endswith(f", {file}")
    assert f"sudo chown -R root {paths.root} makes it yours" in told.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
@pytest.mark.parametrize("where", ["", "made/home", "other/profile.toml"])
def test_a_directory_that_etcd_sandbox_did_not_make_is_never_to_be_taken_with_sudo(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the state directory, above it, and beside it: /etc is somebody else's, and stays so."""
    foreign = tmp_path / "etc"
    foreign.mkdir()
    os.chown(foreign, 65534, 65534)
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(foreign / where.replace("other/profile.toml", "")))
    if where.startswith("other"):
        monkeypatch.setenv("ETCD_SANDBOX_HOME", str(tmp_path / "home"))
    told = obstacle(PermissionError(errno.EACCES, "", str(foreign / where)))
    assert told is not None
    assert "belongs to nobody" in str(told)
    assert "chown" not in told.hint
    assert told.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_user_without_a_name_is_a_number_for_chown(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = cluster_paths("default")
    paths.root.mkdir(parents=True)
    os.chown(home, 12345, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    told = obstacle(PermissionError(errno.EACCES, "", str(paths.root)))
    assert told is not None
    assert f"sudo chown -R 12345 {paths.root} makes" in told.hint


def test_a_file_of_ours_that_we_may_not_use_is_made_usable_again(home: Path) -> None:
    home.mkdir(exist_ok=True)
    told = obstacle(PermissionError(errno.EACCES, "", str(home)))
    assert told is not None
    assert f"chmod u+rwX {home}" in told.hint


def test_a_state_home_that_is_a_file_is_not_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(tmp_path / "file"))
    with pytest.raises(NotADirectoryError):
        known_clusters()


def test_a_disk_that_is_too_small_is_told_with_what_there_is_and_what_is_needed(
    tmp_path: Path,
) -> None:
    error = no_room(tmp_path, 10**18, "for 3 members", "start fewer members")
    assert error is not None
    assert error.what.startswith("not enough room for 3 members: ")
    assert error.what.endswith(" MB free, 1000000000000 MB needed")
    assert "start fewer members" in error.hint
    assert no_room(tmp_path, 0, "for 3 members", "start fewer members") is None

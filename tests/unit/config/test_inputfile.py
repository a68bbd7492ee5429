"""Reading an input file: each way to fail has its own words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from etcd_sandbox.config.inputfile import SIZE_LIMIT_BYTES, read_input
from etcd_sandbox.errors import InputError


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_input(path, "Procfile")
    return caught.value


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_bytes(b"a: x\r\n\xff")
    assert read_input(path, "Procfile") == b"a: x\r\n\xff"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    assert str(refusal(path)) == f"there is no Procfile here, {path}"


def test_a_file_below_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    path = tmp_path / "f" / "Procfile"
    assert str(refusal(path)) == f"the Procfile cannot be read (Not a directory), {path}"


def test_a_directory_is_named(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert str(error) == f"this is a directory, not a Procfile, {tmp_path}"
    assert error.hint == "name the Procfile inside it"


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "Procfile"
    path.touch()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    # Modes do not stop root, whom tests may run as.
    monkeypatch.setattr(Path, "open", refuse)
    error = refusal(path)
    assert str(error) == f"the Procfile cannot be read (permission denied), {path}"
    assert error.hint == f"chmod u+r {path}"


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    with path.open("wb") as file:
        file.truncate(SIZE_LIMIT_BYTES)
    assert len(read_input(path, "Procfile")) == SIZE_LIMIT_BYTES
    with path.open("wb") as file:
        file.truncate(SIZE_LIMIT_BYTES + 1)
    assert str(refusal(path)) == f"the Procfile is larger than 10 MiB, {path}"


def test_a_device_is_refused() -> None:
    path = Path(os.devnull)
    assert str(refusal(path)) == f"this is not a file that can be a Procfile, {path}"


def test_a_path_that_cannot_be_one_is_refused() -> None:
    assert "cannot be read" in str(refusal(Path("a\0b")))

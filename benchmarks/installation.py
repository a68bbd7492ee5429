"""The product as a user has it: a wheel built from the checkout, installed in a new environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


class BuildFailed(Exception):
    """The wheel could not be built or installed; the text ends with pip's own."""


def clean_environment() -> dict[str, str]:
    """The caller's environment without what would change how the product or etcd works."""
    dropped = ("ETCD_", "ETCDCTL_", "PYTHON", "VIRTUAL_ENV", "COLUMNS", "NO_COLOR", "HONCHO_")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def install(place: Path, checkout: Path = CHECKOUT) -> Path:
    """Build the wheel and install it with real etcd and honcho below `place`; the new Python.

    pip compiles everything to byte code, as on a user's machine. Raises BuildFailed.
    """
    environment = place / "installed"
    wheels = place / "wheel"
    _run(sys.executable, "-m", "venv", str(environment))
    python = environment / "bin" / "python"
    pip = (str(python), "-m", "pip", "--quiet", "--disable-pip-version-check")
    _run(*pip, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(checkout))
    wheel = next(wheels.glob("*.whl"))
    _run(*pip, "install", f"{wheel}[etcd,bench]")
    return python


def _run(*command: str) -> None:
    process = subprocess.Popen(
        command,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate()
    except BaseException:
        # pip's own children would go on writing where everything is about to be deleted.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode != 0:
        raise BuildFailed(f"{' '.join(command[1:])} failed:\n{said.strip()}")

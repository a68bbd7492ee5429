"""The product as a user has it: a wheel built from the checkout, installed in a new environment."""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


class BuildFailed(Exception):
    """The wheel could not be built or installed; the text is pip's own."""


def clean_environment() -> dict[str, str]:
    """The caller's environment without what would change how the product or etcd works."""
    dropped = ("ETCD_", "ETCDCTL_", "PYTHON", "VIRTUAL_ENV", "COLUMNS", "NO_COLOR", "HONCHO_")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def install(place: Path) -> Path:
    """Build the wheel and install it with real etcd and honcho below `place`; the new Python.

    pip compiles everything to byte code, as on a user's machine. Raises BuildFailed.
    """
    environment = place / "installed"
    wheels = place / "wheel"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    _pip(python, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(CHECKOUT))
    wheel = next(wheels.glob("*.whl"))
    _pip(python, "install", f"{wheel}[etcd,bench]")
    return python


def _pip(python: Path, *args: str) -> None:
    done = subprocess.run(
        [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *args],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildFailed(f"pip {args[0]} failed:\n{done.stdout.strip()}")

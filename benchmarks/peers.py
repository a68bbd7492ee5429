"""The programs that the product is compared with, at fixed releases, got where they can be had.

goreman and process-compose are compiled from Go's modules: a small module of our own names the
release, since `go install` would ask for more than the module itself. mprocs comes from npm.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from installation import clean_environment


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A program in a Go module: its name, the module, the release, and the package in the module."""

    name: str
    module: str
    release: str
    package: str = ""


GOREMAN = GoProgram("goreman", "github.com/mattn/goreman", "v0.3.17")
PROCESS_COMPOSE = GoProgram(
    "process-compose", "github.com/f1bonacc1/process-compose", "v1.64.1", "/src"
)
MPROCS_RELEASE = "0.9.6"


def compiled(program: GoProgram, place: Path) -> str:
    """Its path: on PATH, or compiled below `place`; empty where it cannot be had."""
    if found := shutil.which(program.name):
        return found
    go = shutil.which("go")
    if not go:
        return ""
    directory = place / f"{program.name}-src"
    directory.mkdir(exist_ok=True)
    package = f"{program.module}{program.package}"
    (directory / "go.mod").write_text(
        f"module compared\n\ngo 1.23\n\nrequire {program.module} {program.release}\n"
    )
    built = place / program.name
    # Without -modcacherw the module cache is read-only and could not be cleaned up.
    flags = f"{os.environ.get('GOFLAGS', '')} -mod=mod -modcacherw".strip()
    env = {**clean_environment(), "GOPATH": str(place / "go"), "GOFLAGS": flags}
    subprocess.run(
        [go, "build", "-o", str(built), package],
        env=env,
        cwd=directory,
        capture_output=True,
        check=False,
    )
    return str(built) if built.is_file() else ""


def mprocs(place: Path) -> str:
    """Its path: on PATH, or installed below `place`; empty where it cannot be had."""
    if found := shutil.which("mprocs"):
        return found
    npm = shutil.which("npm")
    if not npm:
        return ""
    package = f"mprocs@{MPROCS_RELEASE}"
    subprocess.run(
        [npm, "install", "--prefix", str(place), package], capture_output=True, check=False
    )
    # Its command is a script of node's that starts the program: the program itself is measured.
    script = place / "node_modules" / "mprocs"
    done = subprocess.run(
        ["node", "-p", f"require({str(script)!r})"], capture_output=True, text=True, check=False
    )
    program = done.stdout.strip()
    return program if Path(program).is_file() else ""

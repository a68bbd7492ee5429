"""The installed command `etcd-sandbox`, with a state directory of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from installation import clean_environment


class CommandFailed(Exception):
    """A command of the product failed where the benchmark needs it to work."""


@dataclass(slots=True)
class Product:
    """Runs commands of the product; every cluster lives below `place`."""

    bin: Path
    place: Path
    _numbers: count[int] = field(default_factory=lambda: count(1))

    @property
    def command(self) -> str:
        return str(self.bin / "etcd-sandbox")

    @property
    def home(self) -> Path:
        return self.place / "state"

    @property
    def env(self) -> dict[str, str]:
        return {**clean_environment(), "ETCD_SANDBOX_HOME": str(self.home)}

    def new_name(self) -> str:
        """A cluster name that no earlier round used."""
        return f"bench{next(self._numbers)}"

    def run(self, *args: str) -> str:
        """One command to its end; its stdout. Raises CommandFailed."""
        done = subprocess.run(
            [self.command, *args],
            env=self.env,
            cwd=self.place,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CommandFailed(f"etcd-sandbox {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def timed(self, *args: str) -> float:
        """Seconds from before the command is executed until it has ended."""
        began = time.monotonic()
        self.run(*args)
        return time.monotonic() - began

    def spawn(self, *args: str, stdout: int | None = None) -> subprocess.Popen[bytes]:
        """Start one command and leave it running; a pipe from it is unbuffered."""
        return subprocess.Popen(
            [self.command, *args],
            env=self.env,
            cwd=self.place,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )

    def status(self, name: str) -> dict[str, Any]:
        """The cluster as `status --json` has it."""
        answer: dict[str, Any] = json.loads(self.run("status", "-c", name, "--json"))
        return answer

    def events(self, name: str) -> list[dict[str, Any]]:
        """What happened in the cluster so far."""
        return [json.loads(line) for line in self.run("events", "-c", name, "--json").splitlines()]

    def etcd_path(self, etcd: str) -> tuple[str, str]:
        """Which program `--etcd` means, and its version."""
        plan = json.loads(
            self.run("up", "-n", "1", "--etcd", etcd, "--base-port", "auto", "--dry-run", "--json")
        )
        binary = plan["processes"][0]["member"]["etcd"]
        return binary["path"], binary["version"]

    @contextmanager
    def cluster(self, *up_options: str) -> Iterator[str]:
        """A detached cluster; its name. Nothing of it is left afterwards."""
        name = self.new_name()
        try:
            self.run("up", "-d", "-c", name, *up_options)
            yield name
        finally:
            self.remove(name)

    def remove(self, name: str) -> None:
        """End the cluster at once, if it runs, and delete what it left."""
        subprocess.run(
            [self.command, "down", "--kill", "-q", "-c", name],
            env=self.env,
            cwd=self.place,
            capture_output=True,
            check=False,
        )
        shutil.rmtree(self.home / name, ignore_errors=True)

    def remove_all(self) -> None:
        """End whatever an interrupted benchmark left running."""
        if self.home.is_dir():
            for directory in self.home.iterdir():
                self.remove(directory.name)

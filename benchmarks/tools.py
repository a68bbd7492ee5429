"""The programs that run a Procfile: this one, goreman, honcho."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import processes
from peers import GOREMAN, compiled
from product import Product

NOT_HERE = "not available here"
PRODUCT = "etcd-sandbox"


@dataclass(frozen=True, slots=True)
class Tool:
    """One program with the arguments before and after the Procfile's path. Empty: not available."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...] = ()
    stop_signal: signal.Signals = signal.SIGINT

    @property
    def available(self) -> bool:
        return bool(self.before)

    @contextmanager
    def running(
        self, procfile: Path, product: Product, output: Path | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """The tool on a Procfile, its plain output in a file; its whole family is ended afterwards."""
        name = product.new_name()
        command = [*self.before, str(procfile), *self.after]
        if self.name == PRODUCT:
            command += ["-c", name]
        with (output or Path(os.devnull)).open("wb") as out:
            process = subprocess.Popen(
                command,
                env=product.env,
                cwd=procfile.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            processes.end(processes.family(process.pid))
            process.wait()
            if self.name == PRODUCT:
                product.remove(name)


def compared(product: Product, place: Path) -> list[Tool]:
    """This tool and the others; those that are not to be had are there without a command."""
    goreman = compiled(GOREMAN, place)
    honcho = shutil.which("honcho", path=str(product.bin))
    return [
        started_by(product),
        Tool("goreman", (goreman, "-f") if goreman else (), ("start",)),
        Tool("honcho", (honcho, "start", "-f") if honcho else (), (), signal.SIGTERM),
    ]


def started_by(product: Product) -> Tool:
    """The product as one that runs a Procfile in the foreground."""
    return Tool(PRODUCT, (product.command, "up", "--plain", "-f"))


def version(tool: Tool) -> str:
    """How the tool names its version, or that it is not there."""
    if not tool.available:
        return NOT_HERE
    words = {"goreman": ("version",), "honcho": ("version",)}.get(tool.name, ("--version",))
    done = subprocess.run(
        [tool.before[0], *words], capture_output=True, text=True, check=False, timeout=30
    )
    text = (done.stdout or done.stderr).strip()
    return text.splitlines()[0].split()[-1].strip("()") if text else "unknown version"

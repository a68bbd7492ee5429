"""The programs that show processes and their lines on a screen, each with its own keys."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import processes
import psutil
from peers import PROCESS_COMPOSE, compiled, mprocs
from product import Product
from terminal import Terminal

OURS = "etcd-sandbox dashboard"
TALKERS = ("talker1", "talker2", "talker3")


@dataclass(frozen=True, slots=True)
class Watcher:
    """`keys`: two keys that undo each other, with what is painted in answer. No program: not available."""

    name: str
    program: str
    keys: tuple[tuple[bytes, bytes], tuple[bytes, bytes]]

    @property
    def available(self) -> bool:
        return bool(self.program)

    @contextmanager
    def watching(
        self, commands: Mapping[str, str], place: Path, product: Product
    ) -> Iterator[tuple[Terminal, list[psutil.Process]]]:
        """It in a terminal, over these commands by name; and the processes that are its own.

        For etcd-sandbox these are the dashboard, attached, and the supervisor after it; the others
        are one process. Everything is ended afterwards.
        """
        place.mkdir(exist_ok=True)
        if self.name != OURS:
            terminal = Terminal(self._command(commands, place), product.env, place)
            try:
                yield terminal, [psutil.Process(terminal.process.pid)]
            finally:
                processes.end(processes.family(terminal.process.pid))
                terminal.process.wait()
            return
        procfile = place / "Procfile"
        procfile.write_text("".join(f"{name}: {line}\n" for name, line in commands.items()))
        with product.cluster("-f", str(procfile)) as name, attached(product, name) as terminal:
            supervisor = psutil.Process(product.status(name)["supervisor"]["pid"])
            yield terminal, [psutil.Process(terminal.process.pid), supervisor]

    def _command(self, commands: Mapping[str, str], place: Path) -> Sequence[str]:
        config = place / f"{self.name}.json"
        if self.name == "mprocs":
            procs = {name: {"shell": line} for name, line in commands.items()}
            config.write_text(json.dumps({"procs": procs}))
            return (self.program, "-c", str(config))
        entries = {name: {"command": line} for name, line in commands.items()}
        config.write_text(json.dumps({"version": "0.5", "processes": entries}))
        # A socket instead of its port, and no look for what it was not given.
        return (self.program, "-f", str(config), "--disable-dotenv", "-U")


@contextmanager
def attached(product: Product, name: str) -> Iterator[Terminal]:
    """The dashboard of a cluster that runs, in a terminal."""
    command = [product.command, "dashboard", "-c", name]
    terminal = Terminal(command, product.env, product.place)
    try:
        yield terminal
    finally:
        terminal.process.terminate()
        terminal.process.wait()


def compared(place: Path, product: Product) -> list[Watcher]:
    """This program and the others; those that are not to be had are there without a program."""
    return [
        Watcher(OURS, product.command, ((b"F", b"new below"), (b"F", b"following"))),
        Watcher(
            "process-compose",
            compiled(PROCESS_COMPOSE, place),
            ((b"\x1b[15~", b"\\Follow"), (b"\x1b[15~", b"\\Unfollow")),
        ),
        Watcher(
            "mprocs",
            mprocs(place),
            ((b"j", f"•{TALKERS[1]}".encode()), (b"k", f"•{TALKERS[0]}".encode())),
        ),
    ]

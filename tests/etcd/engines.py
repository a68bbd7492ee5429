"""Container engines for tests: real ones, asked by their own commands, and clean when the tests end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from etcd_sandbox.plan.runtimes.engine import BUILT_IMAGE

from tests.conftest import SandboxCommand, until
from tests.etcd_versions import lacking
from tests.programs import can_be_bound


class UsedEngine:
    """An engine as a user asks it."""

    def __init__(self, program: str, environment: dict[str, str] | None = None) -> None:
        self.program = program
        self.environment = environment or {}

    def __call__(self, *arguments: str, content: bytes = b"", check: bool = True) -> str:
        done = subprocess.run(
            [self.program, *arguments],
            env=os.environ | self.environment,
            input=content,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, (arguments, done.stderr)
        return done.stdout.decode()

    def containers(self, prefix: str) -> list[str]:
        """The names of containers that begin so, whatever their state."""
        names = self("ps", "--all", "--format={{.Names}}").split()
        return sorted(name for name in names if name.startswith(prefix))

    def images(self) -> set[str]:
        """Our own images."""
        return set(self("images", "--format={{.Repository}}:{{.Tag}}", BUILT_IMAGE).split())


class Contained:
    """A cluster in containers, and what it has left outside of its directory."""

    def __init__(self, command: SandboxCommand, engine: UsedEngine) -> None:
        self.command = command
        self.engine = engine
        self.name = f"ct{secrets.token_hex(3)}"
        command.env |= engine.environment
        self._ids: set[str] = set()
        self._pids: set[int] = set()
        self._ports: set[int] = set()

    @property
    def prefix(self) -> str:
        return f"etcd-sandbox-{self.name}-"

    @property
    def root(self) -> Path:
        return self.command.home / self.name

    def __call__(self, *arguments: str, code: int | None = 0) -> str:
        """What the command prints, both ways, for this cluster."""
        done = self.command("-c", self.name, *arguments, code=code)
        return done.stdout + done.stderr

    def up(self, *more: str, members: int = 3, code: int = 0) -> str:
        runtime = Path(self.engine.program).name
        common = ("-d", "--base-port", "auto", "--runtime", runtime)
        said = self("up", "-n", str(members), *common, *more, code=code)
        if code == 0:
            self.note()
        return said

    def note(self) -> None:
        """Remember what runs now, so as to see that it has gone."""
        self._ids |= set(self.engine("ps", "--quiet", "--no-trunc").split())
        for member in self.status()["members"]:
            self._pids.add(member["pid"])
            port = int(member["client_url"].rpartition(":")[2])
            self._ports |= {port, port + 1, port + 2}

    def status(self) -> dict[str, Any]:
        return self.command.status(self.name)

    def member(self, name: str) -> dict[str, Any]:
        return next(entry for entry in self.status()["members"] if entry["name"] == name)

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = (self.root / "events.jsonl").read_text().splitlines()
        return [event for line in lines if (event := json.loads(line))["kind"] == kind]

    def pid_of_supervisor(self) -> int:
        return int(json.loads((self.root / "supervisor.json").read_bytes())["pid"])

    def clients(self) -> list[psutil.Process]:
        """What the engine itself runs for these containers on this machine."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if any(self.prefix in word for word in process.cmdline()):
                    found.append(process)
        return [process for process in found if lives(process.pid)]

    def assert_nothing_left(self) -> None:
        """No container, mount, process, port or network, and no file of the engine."""
        assert self._pids
        assert self.engine.containers(self.prefix) == []
        until(lambda: not self.clients(), 20, self.clients)
        assert not [pid for pid in self._pids if lives(pid)]
        assert all(can_be_bound(port) for port in self._ports)
        mounts = Path("/proc/self/mountinfo").read_text()
        assert self.name not in mounts
        for id_ in self._own_ids():
            assert id_ not in mounts
        assert self.name not in self.engine("network", "ls")

    def _own_ids(self) -> set[str]:
        """The containers that were seen and are gone: others of this machine run on."""
        return self._ids - set(self.engine("ps", "--all", "--quiet", "--no-trunc").split())


def lives(pid: int) -> bool:
    """Whether that process runs; what only waits for its parent to notice does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def usable_podman() -> UsedEngine:
    """podman, where it is installed and can run containers; skips otherwise."""
    program = shutil.which("podman")
    if program is None:
        lacking("there is no podman on this machine: install the system's packages podman and runc")
    engine = UsedEngine(str(program))
    done = subprocess.run([engine.program, "ps"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lacking(f"podman does not work on this machine: {done.stderr.strip()}")
    return engine


@contextlib.contextmanager
def images_of_tests(engine: UsedEngine) -> Iterator[None]:
    """Whoever of the parallel runs ends last removes the images that were not there before."""
    path = Path(tempfile.gettempdir()) / f"etcd-sandbox-tests-{Path(engine.program).name}.images"
    with path.open("a+") as before:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(before, fcntl.LOCK_EX | fcntl.LOCK_NB)
            before.truncate(0)
            before.write(json.dumps(sorted(engine.images())))
            before.flush()
        fcntl.flock(before, fcntl.LOCK_SH)
        yield
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(before, fcntl.LOCK_EX | fcntl.LOCK_NB)
            before.seek(0)
            for image in engine.images() - set(json.loads(before.read())):
                # What a cluster outside of these tests uses by now stays.
                engine("image", "rm", image, check=False)

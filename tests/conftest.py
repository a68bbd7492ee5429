"""What every test can use: the installed command in a home of its own, and proof that nothing is left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil
import pytest
from etcd_sandbox.cli.settings import forget
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.access import USER_VARIABLE
from etcd_sandbox.paths import ClusterPaths

from tests import distribution
from tests.commandserver import CommandServer
from tests.plugin import by_hand

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

pytest_plugins = by_hand()

T = TypeVar("T")

COMMANDS = CommandServer()

COMMAND_TIMEOUT_S = 60
GONE_WITHIN_S = 60

# Users have compiled modules: without them each command first compiles the package, and each worker the tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    # Under nohup or in a shell's background they are ignored, and so they would be by every child.
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first."""
    items.sort(key=lambda item: distribution.rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """One queue for all workers."""
    return distribution.scheduler(config, log)


@pytest.fixture(scope="session", autouse=True)
def _command_server() -> Iterator[None]:
    yield
    COMMANDS.close()


@pytest.fixture(autouse=True)
def _command_lines_that_are_read_here_say_nothing_to_others() -> Iterator[None]:
    """Whoever has click read a line in this process leaves what `-q`, `-c` and `--user` said."""
    user = os.environ.get(USER_VARIABLE)
    yield
    forget()
    if user is None:
        os.environ.pop(USER_VARIABLE, None)
    else:
        os.environ[USER_VARIABLE] = user


def command() -> list[str]:
    """The installed command of the environment that runs the tests."""
    installed = Path(sys.executable).parent / "etcd-sandbox"
    return [str(installed)] if installed.exists() else [sys.executable, "-P", "-m", "etcd_sandbox"]


class SandboxCommand:
    """`etcd-sandbox`, run as a user would, with its state in a directory of this test."""

    def __init__(self, home: Path, cwd: Path, extra: dict[str, str]) -> None:
        self.home = home
        self.cwd = cwd
        self.series = ""  # of the etcd that it runs, where the test is about that
        dropped = ("ETCD", "GOREMAN", "NO_COLOR", "FORCE_COLOR")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        if path := os.environ.get("PYTHONPATH"):
            # It may be relative, and the command runs somewhere else.
            kept["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, path.split(os.pathsep)))
        self.env = {**kept, "ETCD_SANDBOX_HOME": str(home), "COLUMNS": "200", **extra}

    def __call__(
        self, *args: str, code: int | None = 0, timeout_s: float = COMMAND_TIMEOUT_S, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; the exit code must be `code` (None: any)."""
        environment = self.env | env
        if COMMANDS.can_run(environment):
            done = COMMANDS.run([*command(), *args], self.cwd, environment, timeout_s)
        else:
            done = subprocess.run(
                [*command(), *args],
                cwd=self.cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
            )
        if code is not None:
            assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
        return done

    def popen(self, *args: str, **options: object) -> subprocess.Popen[bytes]:
        """Start it and go on."""
        settings: dict[str, object] = {
            "cwd": self.cwd,
            "env": self.env,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **options,
        }
        return subprocess.Popen([*command(), *args], **settings)  # type: ignore[call-overload, no-any-return]

    def supervisor(self, cluster: str = "default") -> ControlClient:
        """The cluster's supervisor, for questions that are not about the command: no Python has to start for them."""
        return ControlClient(ClusterPaths(cluster, self.home / cluster))

    def status(self, cluster: str = "default") -> dict[str, Any]:
        """What `status --json` prints, asked of the supervisor itself."""
        return self.supervisor(cluster).status()

    def events(self, cluster: str = "default") -> list[dict[str, Any]]:
        """What `events --json` prints, asked of the supervisor itself."""
        return list(self.supervisor(cluster).events(follow=False))

    def leader(self, cluster: str = "default") -> str:
        """Who leads, as soon as anybody does."""
        return until(lambda: str(self.status(cluster)["leader"] or ""))

    def ours(self) -> list[psutil.Process]:
        """Every live process that was started, directly or not, with this home."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(
                psutil.Error
            ):  # some come and go, and a zombie has no environment
                if (
                    process.environ().get("ETCD_SANDBOX_HOME") == str(self.home)
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
        return found

    def ours_with(self, word: str) -> list[psutil.Process]:
        """Those of them that have the word in their command line."""
        found = []
        for process in self.ours():
            with contextlib.suppress(psutil.Error):  # some come and go
                if word in process.cmdline():
                    found.append(process)
        return found

    def assert_nothing_left(self, within_s: float = GONE_WITHIN_S) -> None:
        """No process of this home lives on after the time."""
        left: list[psutil.Process] = []

        def none_runs() -> bool:
            # Those that are known first: a look at every process of the machine takes milliseconds.
            left[:] = [
                each for each in left if each.is_running() and _runs(each.pid)
            ] or self.ours()
            return not left

        until(none_runs, within_s, lambda: list(map(_described, left)))

    def clean(self) -> None:
        """End whatever the test left running."""
        for process in self.ours():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue


def _described(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:150]}"
    except psutil.Error:
        return f"{process.pid} (gone)"


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(
    condition: Callable[[], T | None],
    deadline_s: float = COMMAND_TIMEOUT_S,
    evidence: Callable[[], object] = lambda: "",
) -> T:
    """What the condition gives, as soon as it holds; fail with the evidence when the time is over."""
    deadline = time.monotonic() + deadline_s
    while True:
        asked = time.monotonic()
        if held := condition():
            return held
        now = time.monotonic()
        assert now < deadline, f"not within {deadline_s} s: {evidence()}"
        # A question that is dear, such as a command, leaves the processors to others for longer.
        time.sleep(min(max(0.02, 4 * (now - asked)), 0.25))


def until_gone(pids: Iterable[int], deadline_s: float = 20) -> None:
    """Return when none of them runs: what lost its parent is a zombie until the first process looks."""

    known = list(pids)
    until(lambda: not any(map(_runs, known)), deadline_s, lambda: list(filter(_runs, known)))


@pytest.fixture
def home() -> Iterator[Path]:
    """A state home with a short path: a socket's path is limited."""
    directory = Path(tempfile.mkdtemp(prefix="sbx-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def sandbox_command(home: Path, tmp_path: Path) -> Iterator[SandboxCommand]:
    """The command; when the test is over, nothing of it may be left."""
    made = SandboxCommand(home, tmp_path, {})
    yield made
    try:
        for cluster in sorted(path.name for path in home.iterdir() if path.is_dir()):
            with contextlib.suppress(SandboxError):
                made.supervisor(cluster).shutdown(kill=True)
                continue
            made("-c", cluster, "down", "--kill", code=None)
        made.assert_nothing_left()
    finally:
        made.clean()


@pytest.fixture
def well_known_ports() -> Iterator[None]:
    """The ports 12379… for this test alone, whatever else runs in parallel."""
    with (Path(tempfile.gettempdir()) / "etcd-sandbox-tests-ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

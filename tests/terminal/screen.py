"""A command in a real terminal (tmux) of its own: keys go in, what is shown comes out."""

from __future__ import annotations

import shlex
import subprocess
import uuid

from tests.conftest import SandboxCommand, command, until

COLUMNS, ROWS = 120, 40


class Screen:
    """A tmux server of its own, with one command in its one window."""

    def __init__(self, sandbox: SandboxCommand, *args: str, columns: int = COLUMNS) -> None:
        self._tmux = ["tmux", "-L", f"etcd-sandbox-{uuid.uuid4().hex[:8]}", "-f", "/dev/null"]
        home = f"ETCD_SANDBOX_HOME={shlex.quote(str(sandbox.home))}"
        line = f"{home} {shlex.join([*command(), *args])}; echo ended=$?; exec sleep 600"
        size = ["-x", str(columns), "-y", str(ROWS)]
        # They would be believed, and not the terminal; pytest-xdist's workers have both.
        # The tmux server itself is none of the processes that belong to that home.
        dropped = ("COLUMNS", "LINES", "ETCD_SANDBOX_HOME")
        self._env = {name: value for name, value in sandbox.env.items() if name not in dropped}
        self._do("new-session", "-d", *size, line)

    def press(self, *keys: str) -> None:
        self._do("send-keys", *keys)

    @property
    def text(self) -> str:
        """All that is shown, and what has left the screen at its top."""
        return self._do("capture-pane", "-p", "-S", "-")

    def resize(self, columns: int, rows: int) -> None:
        self._do("resize-window", "-x", str(columns), "-y", str(rows))

    @property
    def rows(self) -> list[str]:
        """What is shown now, row by row."""
        return self._do("capture-pane", "-p").splitlines()

    @property
    def title(self) -> str:
        """What the terminal's window is called."""
        return self._do("display-message", "-p", "#{pane_title}").strip()

    def until_shown(self, *texts: str, deadline_s: float = 60) -> str:
        shown = ""

        def all_are() -> bool:
            nonlocal shown
            shown = self.text
            return all(text in shown for text in texts)

        until(all_are, deadline_s, lambda: shown)
        return shown

    def close(self) -> None:
        self._do("kill-server", check=False)

    def _do(self, *words: str, check: bool = True) -> str:
        return subprocess.run(
            [*self._tmux, *words], env=self._env, capture_output=True, text=True, check=check
        ).stdout

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
        self._tmux = [
            "env",
            "-u",
            "ETCD_SANDBOX_HOME",
            "tmux",
            "-L",
            f"etcd-sandbox-{uuid.uuid4().hex[:8]}",
            "-f",
            "/dev/null",
        ]
        # The tmux server itself is none of the processes that belong to that home.
        home = f"ETCD_SANDBOX_HOME={shlex.quote(str(sandbox.home))}"
        line = f"{home} {shlex.join([*command(), *args])}; echo ended=$?; exec sleep 600"
        size = ["-x", str(columns), "-y", str(ROWS)]
        # They would be believed, and not the terminal; pytest-xdist's workers have both.
        sizes = ("COLUMNS", "LINES")
        env = {name: value for name, value in sandbox.env.items() if name not in sizes}
        self._do("new-session", "-d", *size, line, env=env)

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
        until(lambda: all(text in self.text for text in texts), deadline_s, lambda: self.text)
        return self.text

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)

    def _do(self, *words: str, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            [*self._tmux, *words], env=env, capture_output=True, text=True, check=True
        )
        return done.stdout

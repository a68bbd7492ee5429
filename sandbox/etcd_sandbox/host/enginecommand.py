"""Runs one command of a container engine to its end; its complaint goes into the error."""

from __future__ import annotations

import subprocess
from pathlib import Path

from msgspec import Struct

from etcd_sandbox.errors import SandboxError, TimedOut

TIMEOUT_S = 30.0


class Answer(Struct, frozen=True):
    """What a command of the engine `name` printed; `complaint` is its stderr."""

    name: str
    code: int
    out: str
    complaint: str

    @property
    def reason(self) -> str:
        """What the engine complains of, in a clause."""
        return said(self.complaint) or f"exit status {self.code}"

    def require(self, what: str, hint: str = "") -> str:
        """What it printed; raises SandboxError that `what` failed when it did."""
        if self.code != 0:
            raise SandboxError(f"{self.name} cannot {what}: {self.reason}", hint=hint)
        return self.out


def ask_engine(
    program: str,
    *arguments: str,
    content: bytes = b"",
    timeout_s: float = TIMEOUT_S,
    shown: bool = False,
) -> Answer:
    """Run `program` with `arguments` and `content` on its stdin; `shown`: its stderr is seen, not kept.

    Raises SandboxError when it cannot be executed, TimedOut when it takes longer.
    """
    name = Path(program).name
    try:
        done = subprocess.run(
            [program, *arguments],
            input=content,
            stdout=subprocess.PIPE,
            stderr=None if shown else subprocess.PIPE,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimedOut(
            f"{name} {arguments[0]} took longer than {timeout_s:g} s",
            hint=f"see whether it answers at all: {name} ps",
        ) from error
    except OSError as error:
        raise SandboxError(f"{name} cannot be executed ({error.strerror})", program) from error
    return Answer(
        name,
        done.returncode,
        done.stdout.decode(errors="replace"),
        (done.stderr or b"").decode(errors="replace"),
    )


def said(complaint: str) -> str:
    """The line of an engine's complaint that says what is wrong, without its preamble."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    telling = [line for line in lines if line.lower().startswith(("error", "docker:"))]
    line = (telling or lines or [""])[-1]
    for preamble in ("docker: ", "Error: ", "Error response from daemon: "):
        line = line.removeprefix(preamble)
    return line.rstrip(".")

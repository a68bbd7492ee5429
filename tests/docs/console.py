"""Runs what a page shows: each `$` line of its console blocks, and compares what is printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests import etcd_versions
from tests.conftest import SandboxCommand, command, until

ERROR = "etcd-sandbox: error:"
"""What an error begins with, on stderr; what was noted before it is not shown."""

SHELL_SYNTAX = set("|&;<>()$`\\*?[#~{}!\n")
"""A line with one of these takes a shell: it may mean more than words."""

Steps = list[tuple[str, list[str]]]
"""Commands with the lines that they are shown to print."""


def console_blocks(text: str) -> list[Steps]:
    """The steps of each console block of a page."""
    blocks = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        steps: Steps = []
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
        blocks.append(steps)
    return blocks


def shell_environment(sandbox: SandboxCommand) -> dict[str, str]:
    """That of a shell which finds the command, and the newest etcd; skips where there is none."""
    places = [str(Path(command()[0]).parent), str(Path(etcd_versions.need().path).parent)]
    return sandbox.env | {"PATH": os.pathsep.join([*places, sandbox.env["PATH"]])}


def run_console(sandbox: SandboxCommand, steps: Steps) -> None:
    """Run the commands in their order; each must succeed and print what is shown, or fail as shown.

    Skipped on a machine without etcd; the newest is taken.
    """
    env = shell_environment(sandbox)
    for line, shown in steps:
        if " ctl put " in line or "get greeting" in line:
            # A reader takes longer to type than a machine does: the election must be over.
            until(lambda: "no leader" not in sandbox("status").stdout, 20)
        done = _run(sandbox, line, env)
        if any(text.startswith(ERROR) for text in shown):
            assert done.returncode != 0, (line, done.stdout)
            begins = done.stderr.find(ERROR)
            told, wanted = _shapes(done.stderr[begins:].splitlines()), _shapes(shown)
            assert told == wanted, (line, done.stderr)
            continue
        assert done.returncode == 0, (line, done.stderr)
        told, wanted = _shapes(done.stdout.splitlines()), _shapes(shown)
        if " events " in line:
            # How many candidates there are before one leads is chance, and whether they split the vote.
            told, wanted = _shapes(done.stdout.splitlines()[-1:]), _shapes(shown[-1:])
        if " restart members" in line:
            # Who leads when all of them come back is chance.
            told, wanted = _without_verdict(told), _without_verdict(wanted)
        if " random " in line and "it leads already" in done.stdout:
            # Whom chance drew led already: there is nothing that could be shown.
            continue
        assert told == wanted, (line, done.stdout)


def _run(
    sandbox: SandboxCommand, line: str, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """The line as a shell runs it; one that is nothing but our command needs no shell."""
    program, *words = [line] if set(line) & SHELL_SYNTAX else shlex.split(line)
    if program == "etcd-sandbox":
        return sandbox(*words, code=None, PATH=env["PATH"])
    return subprocess.run(
        ["sh", "-c", line],
        cwd=sandbox.cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _without_verdict(shapes: Sequence[str]) -> list[str]:
    return [shape for shape in shapes if " · " not in shape]


def _shapes(lines: Sequence[str]) -> list[str]:
    """Without order: which of the members led, and so is the one that it is about, is chance."""
    return sorted(_shape(line) for line in lines)


def _shape(line: str) -> str:
    """What has to be the same in every run: no number, no spacing, not who leads."""
    line = re.sub(r"\b[0-9a-f]{14,40}\b", "0", line)  # member IDs and tokens
    line = re.sub(r"cannot pull it: .*, ", "cannot pull it, ", line)  # the engine's own words
    line = re.sub(r"\b(took = [0-9.]+)[a-zµ]+", r"\1", line)
    line = re.sub(r"[0-9][0-9.:]*", "0", line)
    line = re.sub(r"\b(leader|follower)\b", "role", line)
    line = re.sub(r"; it was the role", "", line)
    line = re.sub(r"there is a role again, after 0 s: (infra0)", r"\1 leads", line)
    figures = r"0 s without a role|infra0 has no role|(?:reads|writes) [a-z0 ]*[a-z0]"
    line = re.sub(rf" · ({figures})", "", line)
    return " ".join(line.split())

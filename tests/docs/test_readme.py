"""The README's commands do what it shows: each `$` line of a console block is run, in order."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import etcd_versions
from tests.conftest import SandboxCommand, command, until

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def console_blocks(text: str) -> list[list[tuple[str, list[str]]]]:
    """Per block, the commands with the lines that they are shown to print."""
    blocks = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        steps: list[tuple[str, list[str]]] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
        blocks.append(steps)
    return blocks


def shape(line: str) -> str:
    """What has to be the same in every run: no number, no spacing, not who leads."""
    line = re.sub(r"[0-9][0-9.:]*", "0", line)
    line = re.sub(r"\b(leader|follower)\b", "role", line)
    return " ".join(line.split())


@pytest.mark.parametrize("steps", console_blocks(README))
def test_the_readme_shows_what_happens(
    sandbox_command: SandboxCommand, well_known_ports: None, steps: list[tuple[str, list[str]]]
) -> None:
    binary = next(iter(filter(None, map(etcd_versions.find, reversed(etcd_versions.SERIES)))), None)
    if binary is None:
        pytest.skip("there is no etcd on this machine")
    places = [str(Path(command()[0]).parent), str(Path(binary.path).parent)]
    sandbox_command.env["PATH"] = os.pathsep.join([*places, sandbox_command.env["PATH"]])
    for line, shown in steps:
        if "get greeting" in line:
            # A reader takes longer to type than a machine does: the election must be over.
            until(lambda: "no leader" not in sandbox_command("status").stdout, 20)
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=sandbox_command.cwd,
            env=sandbox_command.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
        told = [shape(got) for got in done.stdout.splitlines()]
        wanted = [shape(want) for want in shown]
        if " events " in line:
            # How many candidates there are before one leads is chance.
            told, wanted = told[-1:], wanted[-1:]
        if "start all" in line:
            # Which of them led, and so was killed and is started, is chance.
            told, wanted = sorted(told), sorted(wanted)
        assert told == wanted, line


def test_the_two_commands_are_those_that_the_project_has() -> None:
    bring_up, test = re.findall(r"^```sh\n(.*?)\n```", README, re.MULTILINE | re.DOTALL)
    assert bring_up == (
        "python3 -m venv .venv && .venv/bin/pip install '.[etcd]' && .venv/bin/etcd-sandbox up -n 3"
    )
    assert test == "python3 tests/run.py"
    assert (ROOT / "tests" / "run.py").exists()
    assert "tests/run.py" in (ROOT / ".ci" / "run").read_text()


def test_every_link_of_the_docs_leads_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_profile_of_the_inputs_page_is_a_good_one(sandbox_command: SandboxCommand) -> None:
    binary = etcd_versions.find("3.5")
    if binary is None:
        pytest.skip(etcd_versions.missing("3.5"))
    page = (ROOT / "docs" / "inputs.md").read_text()
    (shown,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (sandbox_command.cwd / "shown.toml").write_text(shown)
    checked = sandbox_command("check", "shown.toml", ETCD_SANDBOX_ETCD=binary.path).stdout
    assert "infra3" in checked
    assert "--snapshot-count=100" in checked
    assert "python app.py" in checked

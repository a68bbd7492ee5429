"""The README's commands do what it shows: each `$` line of a console block is run, in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import etcd_versions
from tests.conftest import SandboxCommand
from tests.docs.console import Steps, console_blocks, run_console

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("steps", console_blocks(README))
def test_the_readme_shows_what_happens(
    sandbox_command: SandboxCommand, well_known_ports: None, steps: Steps
) -> None:
    run_console(sandbox_command, steps)


def test_the_page_on_faults_shows_what_happens(
    sandbox_command: SandboxCommand, well_known_ports: None
) -> None:
    first: Steps = [("etcd-sandbox up -n 3 -d --client-links -q --json > /dev/null", [])]
    blocks = console_blocks((ROOT / "docs" / "faults.md").read_text())
    run_console(sandbox_command, [*first, *(step for block in blocks for step in block)])


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
    binary = etcd_versions.need("3.5")
    page = (ROOT / "docs" / "inputs.md").read_text()
    (shown,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (sandbox_command.cwd / "shown.toml").write_text(shown)
    checked = sandbox_command("check", "shown.toml", ETCD_SANDBOX_ETCD=binary.path).stdout
    assert "infra3" in checked
    assert "--snapshot-count=100" in checked
    assert "python app.py" in checked

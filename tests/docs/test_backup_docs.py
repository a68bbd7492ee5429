"""The page on backups shows what happens."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import SandboxCommand
from tests.docs.console import Steps, console_blocks, run_console

PAGE = Path(__file__).parents[2] / "docs" / "backup.md"


def test_the_page_on_backups_shows_what_happens(
    sandbox_command: SandboxCommand, well_known_ports: None
) -> None:
    first: Steps = [("etcd-sandbox up -n 3 -d -q --json > /dev/null", [])]
    blocks = console_blocks(
        PAGE.read_text().replace("FILE", str(sandbox_command.cwd / "backup.db"))
    )
    run_console(sandbox_command, [*first, *(step for block in blocks for step in block)])

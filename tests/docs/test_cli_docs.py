"""The page about the commands is what the commands say of themselves."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from etcd_sandbox.cli.root import COMMANDS, load, root

from tests.docs.commandspage import page

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_the_commands_is_up_to_date() -> None:
    assert (DOCS / "cli.md").read_text() == page(), (
        "run: python -m tests.docs.commandspage > docs/cli.md"
    )


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_every_command_and_every_option_has_help(name: str) -> None:
    command = load(name) if name else root
    assert command.help
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help, f"{name} {param.opts[0]} has no help"
            assert param.help.endswith((".", ".)")), f"{name} {param.opts[0]}: {param.help!r}"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_calls_each_by_its_name(name: str) -> None:
    command = load(name)
    assert command.name == name
    assert COMMANDS[name][1].endswith(".")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_lines_that_switch_completion_on_are_those_of_click(shell: str) -> None:
    assert (
        f"_ETCD_SANDBOX_COMPLETE={shell}_source etcd-sandbox"
        in (DOCS / "completion.md").read_text()
    )


def test_every_command_named_on_the_goreman_page_exists() -> None:
    text = (DOCS / "coming-from-goreman.md").read_text()
    named = {
        part.split()[0]
        for part in text.replace("`", "\n").split("etcd-sandbox ")[1:]
        if part.split() and part.split()[0].isalpha()
    }
    assert named - {"what", "Procfile"} <= set(COMMANDS)
    assert "up" in named

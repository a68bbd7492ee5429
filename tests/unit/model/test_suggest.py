"""A suggestion is what was meant, or it is not made."""

from __future__ import annotations

import pytest
from etcd_sandbox.cli.root import COMMANDS
from etcd_sandbox.errors import did_you_mean, nearest


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("statsu", "status"),
        ("kil", "kill"),
        ("dwon", "down"),
        ("lgos", "logs"),
        ("event", "events"),
        ("Status", "status"),
        ("move_leader", "move-leader"),
        ("moveleader", "move-leader"),
        ("part", "partition"),
        ("dash", "dashboard"),
        ("snap", "snapshot"),
        ("remvoe", "remove"),
    ],
)
def test_a_slip_of_the_fingers_or_a_beginning_is_understood(word: str, meant: str) -> None:
    assert nearest(word, COMMANDS) == meant


@pytest.mark.parametrize(
    "word",
    [
        "help",
        "top",
        "list",
        "ps",
        "init",
        "exec",
        "shell",
        "get",
        "put",
        "delete",
        "watch",
        "show",
        "info",
        "create",
        "new",
        "members",
        "halt",
        "",
        "--",
        "res",
        "st",
    ],
)
def test_nothing_is_suggested_for_what_is_no_slip_of_a_command(word: str) -> None:
    assert nearest(word, COMMANDS) is None


def test_another_number_is_no_slip() -> None:
    names = ["infra1", "infra2", "infra3"]
    assert nearest("infra7", names) is None
    assert did_you_mean("infra7", names, "there are") == "there are: infra1, infra2, infra3"
    assert nearest("infar3", names) == "infra3"
    assert nearest("nfra2", ["infra1"]) is None


def test_a_word_of_any_length_is_answered_at_once() -> None:
    assert nearest("k" * 1_000_000, COMMANDS) is None

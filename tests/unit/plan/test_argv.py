"""What is executed is, byte for byte, what commit 13c6036 executed for the same input.

A change on purpose is made in `tests/fixtures/argv.txt`, with its reason in SINCE.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.plan.argvcases import CASES, EMBEDDED, lines_of, made_up

_NO_TLS = (
    "profiles have no certificates: a flag of etcd's TLS would be heeded by none of the members"
)
SINCE = {
    EMBEDDED: "the package is called etcd_sandbox; it was called sandbox",
    "-p tls.toml": _NO_TLS,
    "-p tls.toml; add": _NO_TLS,
    "-p tls.toml; replace the second": _NO_TLS,
}
"""The cases whose command lines are not those of commit 13c6036, and why."""


def kept() -> dict[str, list[str]]:
    text = (Path(__file__).parents[2] / "fixtures" / "argv.txt").read_text()
    blocks = (block.splitlines() for block in text.strip().split("\n\n"))
    return {head.removeprefix("# "): lines for head, *lines in blocks}


KEPT = kept()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("work"))
        with made_up():
            yield


def test_each_case_is_kept_and_each_that_is_kept_is_a_case() -> None:
    assert list(KEPT) == list(CASES)
    assert SINCE.keys() <= CASES.keys()


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("title", CASES)
def test_the_command_lines_are_as_they_were(title: str) -> None:
    assert lines_of(CASES[title]) == KEPT[title]

"""docs/architecture.md names files and what stands in them: each is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sandbox" / "etcd_sandbox"
PAGE = (ROOT / "docs" / "architecture.md").read_text()

AT_RUN_TIME = {"cluster.json", "supervisor.json", "events.jsonl"}
"""Files of a cluster, not of the project."""


def place(named: str) -> list[Path]:
    """Where a file that the page names is: in the checkout, in the package, or somewhere in either by its name."""
    for base in (ROOT, PACKAGE):
        if (base / named).exists():
            return [base / named]
    if "/" in named:
        return []
    return [*PACKAGE.rglob(named), *(ROOT / "tests").rglob(named)]


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`([\w./-]+\.(?:py|md|sh|toml))`", PAGE)) - {"NN-words.md"}
    named |= set(re.findall(r"`((?:tests|docs|benchmarks|sandbox)/[\w./-]*)`", PAGE))
    assert len(named) > 50
    assert (
        sorted(name for name in named - AT_RUN_TIME if not place(name) and "X.py" not in name) == []
    )


def homes() -> list[tuple[str, str]]:
    """What the page says stands in which file."""
    return sorted(set(re.findall(r"`(\w+)`\s+in\s+`([\w/]+\.py)`", PAGE)))


@pytest.mark.parametrize(("name", "file"), homes())
def test_what_the_page_says_is_in_a_file_is_declared_there(name: str, file: str) -> None:
    declared = set[str]()
    for node in ast.parse(place(file)[0].read_text()).body:
        match node:
            case (
                ast.ClassDef(name=own) | ast.FunctionDef(name=own) | ast.AsyncFunctionDef(name=own)
            ):
                declared.add(own)
            case ast.Assign(targets=[ast.Name(id=own)]) | ast.AnnAssign(target=ast.Name(id=own)):
                declared.add(own)
            case ast.ImportFrom(names=names):
                declared |= {each.asname or each.name for each in names}
    assert name in declared


def test_the_recipes_name_the_place_of_each_step() -> None:
    recipes = PAGE.split("## How to add something")[1].split("\n## ")[0]
    kinds = re.findall(r"^\*\*(.+?)\.\*\*", recipes, re.MULTILINE)
    assert kinds == ["A fault", "A way to start", "A runtime", "An option of `up`", "A lesson"]
    for recipe in re.split(r"^\*\*", recipes, flags=re.MULTILINE)[1:]:
        assert re.search(r"`tests/unit/[\w/]+\.py`", recipe)

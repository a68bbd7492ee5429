"""The page on the ways to start a cluster: every command that it shows is run, section by section."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests import etcd_versions
from tests.conftest import SandboxCommand
from tests.docs.console import console_blocks, run_console

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bootstrap.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
NEEDS = {"DNS SRV records": ("dnsmasq", "dig"), "Containers": ("podman",)}
SERIES = {"A discovery service": ("3.5", "3.7")}


@pytest.mark.parametrize("section", [name for name, text in SECTIONS.items() if "console" in text])
def test_the_page_on_bootstrap_shows_what_happens(
    sandbox_command: SandboxCommand, well_known_ports: None, section: str
) -> None:
    lacks = [
        f"{name} is not installed" for name in NEEDS.get(section, ()) if not shutil.which(name)
    ]
    lacks += [
        etcd_versions.missing(series)
        for series in SERIES.get(section, ())
        if etcd_versions.find(series) is None
    ]
    if lacks:
        etcd_versions.lacking(", ".join(lacks))
    steps = [step for block in console_blocks(SECTIONS[section]) for step in block]
    run_console(sandbox_command, steps)


def test_every_way_has_a_section() -> None:
    linked = re.findall(r"^\| \[[^]]*\]\(#([^)]*)\)", PAGE, re.MULTILINE)
    titles = {title.lower().replace(" ", "-") for title in SECTIONS}
    assert linked
    assert set(linked) <= titles

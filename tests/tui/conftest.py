"""What the tests of the dashboard share: one time zone and palette, and pictures to compare with."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
REWRITE = "ETCD_SANDBOX_TESTS_REWRITE_GOLDEN"


@pytest.fixture(autouse=True)
def _one_terminal_for_all(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def golden(tmp_path: Path) -> Callable[[str, str], None]:
    """Compares an SVG with the one that is kept under a name."""

    def compare(name: str, svg: str) -> None:
        # A picture on a page loads no font from elsewhere: the reader's own does.
        svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
        kept = GOLDEN / f"{name}.svg"
        if os.environ.get(REWRITE):
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(svg, encoding="utf-8")
        seen = tmp_path / kept.name
        seen.write_text(svg, encoding="utf-8")
        assert kept.exists(), f"there is no {kept}; {REWRITE}=1 writes it, then look at it"
        same = kept.read_text(encoding="utf-8") == svg
        assert same, f"{seen} differs from {kept}; if it is right, {REWRITE}=1 replaces it"

    return compare

"""Which command lines have a guard and a supervisor executed before they are understood."""

from __future__ import annotations

import pytest
from etcd_sandbox.host.standby import will_start


@pytest.mark.parametrize("line", ["up", "up -n 3 -d", "-c two up -d", "run -- true", "restore x"])
def test_a_command_that_starts_a_cluster_has_them_executed_early(line: str) -> None:
    assert will_start(line.split())


@pytest.mark.parametrize(
    "line", ["", "-c", "status", "-c up status", "up --dry-run", "up --help", "run -h", "down up"]
)
def test_a_command_that_only_looks_does_not(line: str) -> None:
    assert not will_start(line.split())

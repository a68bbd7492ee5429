"""A member's options, read from the command that runs it."""

from __future__ import annotations

import pytest
from etcd_sandbox.plan.memberoptions import checks_strictly

from tests.unit.export.plans import from_procfile, from_profile


@pytest.mark.parametrize(
    ("flag", "strict"), [("", True), ("true", True), ("false", False), ("0", False), ("F", False)]
)
def test_a_member_asks_for_connected_voters_unless_it_is_told_not_to(
    flag: str, strict: bool
) -> None:
    given = f"[etcd]\nstrict-reconfig-check = '{flag}'\n" if flag else ""
    assert checks_strictly(from_profile(given).members[0]) is strict
    own = f"etcd1: etcd --name a --strict-reconfig-check={flag or 'true'}\n"
    assert checks_strictly(from_procfile(own).members[0]) is strict


def test_options_that_are_not_known_are_taken_for_the_default() -> None:
    (process,) = from_procfile("etcd1: etcd --name a $MORE\n").members
    assert checks_strictly(process) is True

"""Thousands of odd commands: reading them never fails.

Four commands are made of each of Hypothesis's examples, as for the parsers.
"""

from __future__ import annotations

import pytest
from etcd_sandbox.plan.shell import etcd_invocation, shell_argv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PIECES = (
    "etcd", "env", "exec", "-i", "-u", "-a", "A=1", "--name", "--name=x", "$PORT", "${PORT:-1}", "${", "$(",
    "`", "'", '"', "\\", " ", " ", " ", "|", "&&", ";", "\n", "2>&1", "> log", "<", "#", "(", ")", "é",
    "\x00", "--", "-", "=", "/", "{", "}", "$", "bin/etcd", "''", '"$X"', "grpc-proxy", "\u2028", "\x85",
)  # fmt: skip


@pytest.mark.parametrize("examples", [1_000, pytest.param(20_000, marks=pytest.mark.soak)])
def test_any_command_is_read(examples: int) -> None:
    many = settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))

    @many
    @given(st.binary(max_size=30))
    def check(data: bytes) -> None:
        pieces = [PIECES[byte % len(PIECES)] for byte in data]
        raw = data.decode("latin-1")
        for command in (raw, "etcd " + raw, "".join(pieces), " ".join(pieces)):
            assert shell_argv(command)[2].endswith(command.lstrip())
            read = etcd_invocation(command, {"PORT": "1 2", "X": ""})
            if read is not None:
                assert read.program.rpartition("/")[2] == "etcd"
                assert 0 <= read.start < read.end <= len(command)

    check()

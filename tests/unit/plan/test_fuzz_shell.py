"""Twenty thousand odd commands: reading them never fails.

Four commands are made of each of Hypothesis's examples, as for the parsers.
"""

from __future__ import annotations

from etcd_sandbox.plan.shell import etcd_invocation, shell_argv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PIECES = (
    "etcd", "env", "exec", "-i", "-u", "-a", "A=1", "--name", "--name=x", "$PORT", "${PORT:-1}", "${", "$(",
    "`", "'", '"', "\\", " ", " ", " ", "|", "&&", ";", "\n", "2>&1", "> log", "<", "#", "(", ")", "é",
    "\x00", "--", "-", "=", "/", "{", "}", "$", "bin/etcd", "''", '"$X"', "grpc-proxy", "\u2028", "\x85",
)  # fmt: skip


@settings(max_examples=5_000, database=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=30))
def test_any_command_is_read(data: bytes) -> None:
    pieces = [PIECES[byte % len(PIECES)] for byte in data]
    raw = data.decode("latin-1")
    for command in (raw, "etcd " + raw, "".join(pieces), " ".join(pieces)):
        assert shell_argv(command)[2].endswith(command.lstrip())
        found = etcd_invocation(command, {"PORT": "1 2", "X": ""})
        if found is not None:
            assert found.program.rpartition("/")[2] == "etcd"
            assert 0 <= found.start < found.end <= len(command)

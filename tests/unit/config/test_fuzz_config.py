"""Thousands of odd inputs for each parser: only our own errors come out.

Four inputs are made of each of Hypothesis's examples, whose own cost is many times a parser's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from etcd_sandbox.config.procfile import parse_procfile
from etcd_sandbox.config.profile import parse_profile
from etcd_sandbox.errors import InputError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Parsed = TypeVar("Parsed")

EXAMPLES = [1_000, pytest.param(20_000, marks=pytest.mark.soak)]


def fuzzed(examples: int, check: Callable[[bytes], None]) -> None:
    """Run `check` on so many examples of bytes."""
    many = settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
    many(given(st.binary(max_size=40))(check))()


PROCFILE_PIECES = (
    "web: python app.py", "etcd1: etcd --name infra1", "# comment: x", ":", "a", " ", "\n", "\n",
    "\r\n", "\t", "\ufeff", "leader: x", "sandbox:", "web:", "/", "\x00", "\x1b[31m", "\x85", "-a: b",
    "é: ü", "\u2028", "a: b: c", "'\"`$(", "..: x", "a" * 70,
)  # fmt: skip
PROFILE_PIECES = (
    "[cluster]", "[etcd]", "[[member]]", "[[process]]", "[supervise]", "[member.flags]",
    "members = 3", "base_port = 12379", "port_step = 1", 'name = "infra1"', 'name = "a"',
    'etcd = "3.5"', "flags = { snapshot-count = 100 }", 'command = "x"', 'after = "ready"',
    'restart = "always"', "stop_timeout_s = 1.5", "heartbeat-interval = 10", 'bootstrap = "dns"',
    'token = "a\\u0000"', "description = '''\n#'''", "member = [1]", "process = [{}]", "x.y.z = 1",
    "=", "{", "}", "[", "]", ",", '"', "'", '"""', "#", "\n", "\n", "\n", "nan", "1979-05-27", "0x" + "f" * 99,
    "9" * 4400, "\x00", "é", "cluster = 1", "etcd = 5", "[" * 450, "members = -1", "true", "\r", "\ufeff",
)  # fmt: skip


VALID_PROCFILE = b"""\
# comment
etcd1: etcd --name infra1

web: python app.py --port $PORT
db.2: a | b
"""
VALID_PROFILE = b"""\
description = "three"
[cluster]
members = 3
base_port = 12379
token = "t"
[etcd]
heartbeat-interval = 100
[[member]]
name = "infra3"
client_port = 40000
flags = { snapshot-count = 100, pre-vote = true }
[[process]]
name = "app"
command = "python app.py"
after = "ready"
[supervise]
restart = "never"
stop_timeout_s = 10
"""


def inputs(data: bytes, pieces: tuple[str, ...], valid: bytes) -> Iterator[bytes]:
    """The bytes as text, a choice of lines, and a valid document with a line or bytes replaced."""
    yield data.decode("latin-1").encode() if data[:1] < b"\x80" else data
    yield "\n".join(pieces[byte % len(pieces)] for byte in data[:6]).encode()
    lines = valid.split(b"\n")
    for byte, piece in zip(data[:2], data[2:4], strict=False):
        lines[byte % len(lines)] = pieces[piece % len(pieces)].encode()
    yield b"\n".join(lines)
    at = int.from_bytes(data[:2], "big") % len(valid)
    yield valid[:at] + data[2:5] + valid[at + len(data) % 4 :]


def outcome(parse: Callable[[bytes, str], Parsed], data: bytes) -> Parsed | InputError:
    """What a parser makes of `data`; any other error is the test's failure."""
    try:
        return parse(data, "FILE")
    except InputError as error:
        return error


@pytest.mark.parametrize("examples", EXAMPLES)
def test_a_procfile_is_read_or_refused(examples: int) -> None:
    def check(data: bytes) -> None:
        for text in inputs(data, PROCFILE_PIECES, VALID_PROCFILE):
            read = outcome(parse_procfile, text)
            if isinstance(read, InputError):
                assert read.where.startswith("FILE")
            else:
                assert all(entry.name and entry.command for entry in read.entries)

    fuzzed(examples, check)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_a_profile_is_read_or_refused(examples: int) -> None:
    def check(data: bytes) -> None:
        for text in inputs(data, PROFILE_PIECES, VALID_PROFILE):
            read = outcome(parse_profile, text)
            if isinstance(read, InputError):
                assert read.where.startswith("FILE")
            else:
                assert 1 <= len(read.member_names) <= 25

    fuzzed(examples, check)

"""The table of flags against real binaries: one start with `--version` per flag."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from etcd_sandbox.etcd.flags import unknown_flags
from etcd_sandbox.etcd.flagtable import flag_table, takes_value
from etcd_sandbox.etcd.version import parse
from etcd_sandbox.model.spec import EtcdBinary

from tests import etcd_versions

pytestmark = pytest.mark.also_on(*etcd_versions.SERIES)


def said_of_a_bad_value(binary: EtcdBinary, flags: Iterable[str]) -> dict[str, str]:
    def ask(flag: str) -> str:
        done = subprocess.run(
            [binary.path, f"--{flag}=~", "--version"], capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    names = list(flags)
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(names, pool.map(ask, names), strict=True))


def undefined_flags(binary: EtcdBinary, flags: Iterable[str]) -> list[str]:
    """etcd reads all flags before it prints its version, so asking has no side effect."""
    said = said_of_a_bad_value(binary, flags)
    return [
        flag
        for flag, text in said.items()
        if f"flag provided but not defined: -{flag}\n" in f"{text}\n"
    ]


def test_the_table_says_what_each_etcd_knows(etcd_binary: EtcdBinary) -> None:
    table = flag_table()
    version = parse(etcd_binary.version)
    expected = {flag for flag, facts in table.items() if not facts.in_version(version)}
    assert set(undefined_flags(etcd_binary, table)) == expected


def test_the_table_says_which_flags_are_booleans(etcd_binary: EtcdBinary) -> None:
    version = parse(etcd_binary.version)
    known = [flag for flag, facts in flag_table().items() if facts.in_version(version)]
    said = said_of_a_bad_value(etcd_binary, known)
    booleans = {flag for flag, text in said.items() if "invalid boolean value" in text}
    assert len(booleans) > 10
    assert all(not takes_value(flag) for flag in booleans)
    ignored = {flag for flag in known if not takes_value(flag)} - booleans - {"h", "help"}
    assert ignored <= {
        "cluster-active-size",
        "cluster-remove-delay",
        "cluster-sync-interval",
        "config",
        "force",
        "max-result-buffer",
        "max-retry-attempts",
        "peer-election-timeout",
        "peer-heartbeat-interval",
        "retry-interval",
        "snapshot",
        "v",
        "vv",
    }


def test_a_flag_that_the_etcd_lacks_is_found_by_asking_and_by_the_table(
    etcd_binary: EtcdBinary,
) -> None:
    flags = ["name", "no-such-flag", "pre-vote"]
    assert undefined_flags(etcd_binary, flags) == ["no-such-flag"]
    assert [problem.flag for problem in unknown_flags(flags, etcd_binary.version)] == [
        "no-such-flag"
    ]


WRITTEN = {"data-dir", "log-output", "log-outputs", "wal-dir"}
"""Places that etcd writes to: those that are ours are deleted with the cluster, the others named."""

READ = {
    *("cert-file", "client-cert-file", "client-crl-file", "client-key-file", "config-file"),
    *("discovery-cacert", "discovery-cert", "discovery-key", "key-file", "peer-cert-file"),
    *("peer-client-cert-file", "peer-client-key-file", "peer-crl-file", "peer-key-file"),
    *("peer-trusted-ca-file", "trusted-ca-file"),
}
"""Files that etcd only reads."""

NO_PLACES = {
    "enable-log-rotation",
    "log-package-levels",
    "unsafe-no-fsync",
    "max-snapshots",
    "max-wals",
    "peer-auto-tls",
}
NO_PLACES |= {"auto-tls", "watch-progress-notify-interval"}
"""Flags whose help speaks of files, and that name none."""

_FLAG = re.compile(r"^  --([a-z0-9-]+)(.*?)(?=^  --|\Z)", re.M | re.S)
_PLACE = re.compile(r"\b(path|files?|director(y|ies)|output targets)\b", re.I)


def test_every_flag_that_names_a_place_is_known_to_be_read_or_written(
    etcd_binary: EtcdBinary,
) -> None:
    done = subprocess.run([etcd_binary.path, "--help"], capture_output=True, text=True, check=False)
    flags = _FLAG.findall(done.stdout + done.stderr)
    speaking = {name for name, text in flags if _PLACE.search(text)}
    named = {
        name for name in flag_table() if name.endswith(("-file", "-dir", "-output", "-outputs"))
    }
    assert {"data-dir", "wal-dir"} <= speaking
    assert speaking | named <= WRITTEN | READ | NO_PLACES
    assert set(flag_table()) >= WRITTEN | READ | NO_PLACES

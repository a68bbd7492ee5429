"""What is said of machines that do not allow the DNS way."""

from __future__ import annotations

import pytest
from etcd_sandbox.dns.needs import Facts, lacks
from msgspec.structs import replace

ROOT = Facts(
    system="Linux",
    root=True,
    missing=(),
    mount=None,
    address="127.53.48.91",
    bind="",
    first_free_port=1024,
)
USER = replace(ROOT, root=False)


@pytest.mark.parametrize("facts", [ROOT, USER])
def test_nothing_is_said_of_a_machine_that_allows_it(facts: Facts) -> None:
    assert lacks(facts) == ()


@pytest.mark.parametrize(
    ("facts", "what", "mend"),
    [
        (replace(USER, system="Darwin"), "Darwin cannot give a process", "docker run"),
        (
            replace(ROOT, missing=("unshare", "mount")),
            "unshare and mount cannot be found",
            "util-linux",
        ),
        (replace(ROOT, resolver=False, mount="no"), "there is no /etc/resolv.conf", "touch"),
        (
            replace(ROOT, mount="Operation not permitted"),
            "root may not mount anything here, as in most containers (Operation not permitted)",
            "--privileged",
        ),
        (
            replace(USER, mount="unshare failed"),
            "user namespaces are not allowed, and you are not root (unshare failed)",
            "add --runtime docker",
        ),
        (
            replace(USER, bind="EACCES"),
            "may not listen on 127.53.48.91:53: only ports from 1024 on are for everybody",
            "sudo sysctl net.ipv4.ip_unprivileged_port_start=53",
        ),
        (
            replace(ROOT, bind="EADDRINUSE", holder="named", holder_pid=7),
            "port 53 of the DNS server is taken by named (pid 7) at 127.53.48.91",
            "kill 7; or take another address with --base-port auto",
        ),
        (
            replace(ROOT, bind="EADDRINUSE", holder="named", holder_pid=7, everywhere=True),
            "taken by named (pid 7), as at every address, at 127.53.48.91",
            "kill 7; or use a container",
        ),
        (replace(ROOT, bind="EADDRINUSE"), "is taken at 127.53.48.91", "--base-port auto"),
        (replace(ROOT, bind="EADDRNOTAVAIL"), "cannot listen on 127.53.48.91:53", "container"),
    ],
)
def test_what_is_missing_is_said_with_its_mend(facts: Facts, what: str, mend: str) -> None:
    (lack,) = lacks(facts)
    assert what in lack.what
    assert mend in lack.mend


def test_all_that_is_missing_is_said_at_once() -> None:
    assert len(lacks(replace(USER, mount="unshare failed", bind="EACCES"))) == 2


def test_engines_mount_the_file_themselves_and_still_need_the_port() -> None:
    facts = replace(USER, mount="unshare failed", missing=("unshare",))
    assert lacks(facts, resolver_given=True) == ()
    assert len(lacks(replace(facts, bind="EACCES"), resolver_given=True)) == 1
    assert "--runtime" not in lacks(replace(USER, mount="no", bind="EACCES"))[0].mend

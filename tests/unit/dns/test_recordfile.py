"""DNS records in dnsmasq's words."""

from __future__ import annotations

import pytest
from etcd_sandbox.dns.recordfile import answers, parse
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.bootstrap import HostRecord, SrvRecord


def test_every_kind_of_record_is_read_with_its_line() -> None:
    file = parse(
        "# a comment\r\n"
        "no-resolv\n"
        "\n"
        "srv-host = _etcd-server._tcp.Example.test. , infra1.example.test, 2380 # the first\n"
        "srv-host=_x._tcp.example.test,infra2.example.test,2381,5,7\n"
        "address=/a.test/b.test/10.0.0.1\n"
        "host-record=c.test,d.test,10.0.0.2,3600\n",
        "records.conf",
    )
    assert [line.record for line in file.srv] == [
        SrvRecord(name="_etcd-server._tcp.example.test", target="infra1.example.test", port=2380),
        SrvRecord(
            name="_x._tcp.example.test",
            target="infra2.example.test",
            port=2381,
            priority=5,
            weight=7,
        ),
    ]
    assert [line.record for line in file.hosts] == [
        HostRecord(name="a.test", address="10.0.0.1"),
        HostRecord(name="b.test", address="10.0.0.1"),
        HostRecord(name="c.test", address="10.0.0.2", exact=True),
        HostRecord(name="d.test", address="10.0.0.2", exact=True),
    ]
    assert [line.line for line in file.srv] == [4, 5]
    assert [line.line for line in file.hosts] == [6, 6, 7, 7]
    assert file.place(4) == "records.conf:4"


def test_what_says_how_dnsmasq_runs_is_no_mistake() -> None:
    file = parse("listen-address=127.53.0.9\nport=5353\nlog-queries\nlocal=/a.test/\nuser=x", "f")
    assert (file.listen, file.port, file.log_queries) == ("127.53.0.9", 5353, True)
    assert (file.srv, file.hosts) == ((), ())


@pytest.mark.parametrize(
    ("name", "exact", "found"),
    [
        ("a.test", True, True),
        ("A.Test.", True, True),
        ("b.a.test", True, False),
        ("b.a.test", False, True),
        ("ba.test", False, False),
        ("test", False, False),
    ],
)
def test_a_record_answers_for_its_name_and_maybe_for_what_is_beneath(
    name: str, exact: bool, found: bool
) -> None:
    assert answers(HostRecord(name="a.test", address="10.0.0.1", exact=exact), name) is found


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        (
            "srv-hots=a,b,1",
            "'srv-hots' is no option that holds a record",
            "did you mean 'srv-host'?",
        ),
        ("quux=1", "'quux' is no option", "srv-host"),
        ("srv-host=a,b", "this srv-host cannot be read", "NAME,TARGET,PORT[,PRIORITY[,WEIGHT]]"),
        ("srv-host=a,,1", "this srv-host cannot be read", "NAME,TARGET,PORT"),
        ("srv-host=a,b,1,2,3,4", "this srv-host cannot be read", "NAME,TARGET,PORT"),
        ("srv-host=a,b,http", "'http' cannot be a port", "1 to 65535"),
        ("srv-host=a,b,0", "'0' cannot be a port", "1 to 65535"),
        ("srv-host=a,b,70000", "'70000' cannot be a port", "1 to 65535"),
        ("srv-host=a,b,1,x", "'x' cannot be a priority", "0 to 65535"),
        ("srv-host=a,b,1,0,-1", "'-1' cannot be a weight", "0 to 65535"),
        ("address=a.test", "this address cannot be read", "address=/NAME/IPv4-ADDRESS"),
        ("address=x/a.test/1.2.3.4", "this address cannot be read", "address=/NAME/"),
        ("address=/a.test/infra1", "'infra1' is no IPv4 address", "127.0.0.1"),
        ("address=/a.test/::1", "'::1' is no IPv4 address", "127.0.0.1"),
        ("host-record=a.test", "this host-record cannot be read", "NAME,IPv4-ADDRESS"),
        ("host-record=1.2.3.4", "this host-record cannot be read", "NAME,IPv4-ADDRESS"),
        ("port=x", "'x' cannot be a port", "1 to 65535"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(line: str, what: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(f"no-hosts\n{line}\n", "records.conf")
    assert what in caught.value.what
    assert caught.value.where == "records.conf:2"
    assert hint in caught.value.hint

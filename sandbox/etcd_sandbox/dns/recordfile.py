"""Reads DNS records in dnsmasq's words: where each stands, and what is wrong with a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address

from msgspec import Struct

from etcd_sandbox.errors import InputError, nearest
from etcd_sandbox.model.bootstrap import HostRecord, SrvRecord

_OF_DNSMASQ = """all-servers bind-dynamic bind-interfaces bogus-priv cache-size conf-dir domain domain-needed
    except-interface expand-hosts filterwin2k group interface keep-in-foreground listen-address
    local local-ttl localise-queries log-async log-facility log-queries max-ttl min-cache-ttl
    neg-ttl no-daemon no-hosts no-negcache no-poll no-resolv pid-file port rebind-domain-ok
    resolv-file server stop-dns-rebind strict-order user"""
_TOLERATED = frozenset(_OF_DNSMASQ.split())
"""What says how dnsmasq runs, and nothing of records: it is ours to say here."""

_COMMENT = re.compile(r"(^|\s)#.*")
_RECORDS = ("address", "host-record", "srv-host")
_LARGEST = 65535


class SrvLine(Struct, frozen=True):
    """An SRV record and the number of its line."""

    record: SrvRecord
    line: int


class HostLine(Struct, frozen=True):
    """An A record and the number of its line."""

    record: HostRecord
    line: int


class RecordFile(Struct, frozen=True, kw_only=True):
    """The records of a file, in its order; `listen` and `port`: where it wants them served.

    `log_queries`: it wants to be told of each question.
    """

    where: str
    srv: tuple[SrvLine, ...]
    hosts: tuple[HostLine, ...]
    listen: str = ""
    port: int = 53
    log_queries: bool = False

    def place(self, line: int) -> str:
        """`records.conf:3`."""
        return f"{self.where}:{line}"

    def services(self, name: str) -> tuple[SrvLine, ...]:
        """The SRV records that answer for `name`."""
        return tuple(line for line in self.srv if line.record.name == canonical(name))

    def addresses(self, name: str) -> tuple[HostLine, ...]:
        """The A records that answer for `name`."""
        return tuple(line for line in self.hosts if answers(line.record, name))


def answers(record: HostRecord, name: str) -> bool:
    """Whether `name` is the record's own, or lies beneath it where the record is for those, too."""
    name = canonical(name)
    return name == record.name or (not record.exact and name.endswith(f".{record.name}"))


def canonical(name: str) -> str:
    """A DNS name as it is compared: in lower case, without the dot of the root."""
    return name.lower().rstrip(".")


def parse(text: str, where: str) -> RecordFile:
    """The records of `text`. Raises InputError, placed at `where` and the line, for what is none."""
    srv: list[SrvLine] = []
    hosts: list[HostLine] = []
    listen, port, log_queries = "", 53, False
    for number, option, value in _options(text):
        place = f"{where}:{number}"
        match option:
            case "srv-host":
                srv.append(SrvLine(_srv(value, place), number))
            case "address":
                hosts.extend(HostLine(host, number) for host in _address(value, place))
            case "host-record":
                hosts.extend(HostLine(host, number) for host in _host_record(value, place))
            case "listen-address":
                listen = value
            case "port":
                port = _number(value, "port", place)
            case "log-queries":
                log_queries = True
            case _ if option not in _TOLERATED:
                raise InputError(
                    f"{option!r} is no option that holds a record",
                    place,
                    _mend(option),
                )
    return RecordFile(
        where=where,
        srv=tuple(srv),
        hosts=tuple(hosts),
        listen=listen,
        port=port,
        log_queries=log_queries,
    )


def _options(text: str) -> Iterator[tuple[int, str, str]]:
    """Number, option and value of each line that is more than a comment."""
    for number, raw in enumerate(text.splitlines(), 1):
        if line := _COMMENT.sub("", raw).strip():
            option, _, value = line.partition("=")
            yield number, option.strip().removeprefix("--"), value.strip()


def _srv(value: str, place: str) -> SrvRecord:
    words = [word.strip() for word in value.split(",")]
    if not 3 <= len(words) <= 5 or not all(words):
        raise _malformed("srv-host", "NAME,TARGET,PORT[,PRIORITY[,WEIGHT]]", place)
    numbers = [
        _number(word, what, place)
        for word, what in zip(words[2:], ("port", "priority", "weight"), strict=False)
    ]
    priority, weight = (*numbers[1:], 0, 0)[:2]
    return SrvRecord(
        name=canonical(words[0]),
        target=canonical(words[1]),
        port=numbers[0],
        priority=priority,
        weight=weight,
    )


def _address(value: str, place: str) -> Iterator[HostRecord]:
    parts = value.split("/")
    if len(parts) < 3 or parts[0] or not all(parts[1:-1]):
        raise _malformed("address", "/NAME/IPv4-ADDRESS", place)
    address = _ipv4(parts[-1], place)
    for name in parts[1:-1]:
        yield HostRecord(name=canonical(name), address=address)


def _host_record(value: str, place: str) -> Iterator[HostRecord]:
    words = [word.strip() for word in value.split(",")]
    at = next((index for index, word in enumerate(words) if _is_address(word)), 0)
    if not at or not all(words[:at]):
        raise _malformed("host-record", "NAME,IPv4-ADDRESS", place)
    for name in words[:at]:
        yield HostRecord(name=canonical(name), address=words[at], exact=True)


def _is_address(word: str) -> bool:
    try:
        IPv4Address(word)
    except AddressValueError:
        return False
    return True


def _ipv4(word: str, place: str) -> str:
    if not _is_address(word):
        raise InputError(
            f"{word!r} is no IPv4 address", place, "members listen on 127.0.0.1: write that"
        )
    return word


def _number(word: str, what: str, place: str) -> int:
    least = 1 if what == "port" else 0
    if not word.isascii() or not word.isdigit() or not least <= int(word) <= _LARGEST:
        raise InputError(
            f"{word!r} cannot be a {what}",
            place,
            f"a {what} is a number from {least} to {_LARGEST}",
        )
    return int(word)


def _malformed(option: str, form: str, place: str) -> InputError:
    return InputError(f"this {option} cannot be read", place, f"write {option}={form}")


def _mend(option: str) -> str:
    near = nearest(option, (*_RECORDS, *_TOLERATED))
    return f"did you mean {near!r}?" if near else f"records are written as {', '.join(_RECORDS)}"

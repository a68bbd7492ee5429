"""Asks a DNS server, and nobody else, for a record. Blocks: for a thread."""

from __future__ import annotations

import socket

from dnslib import QTYPE, DNSError, DNSRecord

from etcd_sandbox.dns.recordfile import canonical

PORT = 53
_LARGEST_DATAGRAM = 65535


def services(server: str, name: str, timeout_s: float) -> set[tuple[str, int]]:
    """Targets and ports of the SRV records `name`. Raises OSError when nobody answers."""
    return {
        (canonical(str(record.rdata.target)), int(record.rdata.port))
        for record in _ask(server, name, "SRV", timeout_s).rr
        if record.rtype == QTYPE.SRV
    }


def addresses(server: str, name: str, timeout_s: float) -> set[str]:
    """The addresses of the A records `name`. Raises OSError when nobody answers."""
    return {
        str(record.rdata)
        for record in _ask(server, name, "A", timeout_s).rr
        if record.rtype == QTYPE.A
    }


def _ask(server: str, name: str, kind: str, timeout_s: float) -> DNSRecord:
    question = DNSRecord.question(name, kind)
    try:
        answer = DNSRecord.parse(_datagram(server, question.pack(), timeout_s))
        if answer.header.tc:
            answer = DNSRecord.parse(question.send(server, PORT, tcp=True, timeout=timeout_s))
    except DNSError as error:
        raise OSError(f"an answer that cannot be read: {error}") from error
    return answer


def _datagram(server: str, question: bytes, timeout_s: float) -> bytes:
    # Connected, a socket is told at once that nobody listens yet; dnslib's own waits for the time-out.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout_s)
        client.connect((server, PORT))
        client.send(question)
        return client.recv(_LARGEST_DATAGRAM)

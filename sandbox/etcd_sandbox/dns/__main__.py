"""A DNS server for the records of one file, and no others: `python -P -m etcd_sandbox.dns FILE`, without dnsmasq."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from dnslib import QTYPE, RCODE, RR, SRV, A, DNSRecord
from dnslib.server import DNSHandler, DNSLogger, DNSServer

from etcd_sandbox.dns.recordfile import RecordFile, canonical, parse
from etcd_sandbox.errors import EXIT_FAILED, EXIT_USAGE, SandboxError

_PLAIN_UDP_BYTES = 512
"""What every resolver takes in one datagram; the rest of a longer answer is asked for by TCP."""


class Zone:
    """A resolver of dnslib for the records of one file."""

    def __init__(self, records: RecordFile) -> None:
        self._records = records

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        """The answer to one question; shortened where a datagram would not hold it."""
        reply = self.answer(request)
        if handler.protocol == "udp" and len(reply.pack()) > _PLAIN_UDP_BYTES:
            # Go takes only what repeats its question for an answer: dnslib's own `truncate` does not.
            reply.rr = []
            reply.header.tc = 1
        return reply

    def answer(self, request: DNSRecord) -> DNSRecord:
        """The answer to one question, whole. A name without any record is one that does not exist."""
        reply = request.reply()
        name = canonical(str(request.q.qname))
        kind = QTYPE[request.q.qtype]
        services = [line.record for line in self._records.services(name)]
        hosts = [line.record for line in self._records.addresses(name)]
        if not services and not hosts:
            reply.header.rcode = RCODE.NXDOMAIN
        if kind in ("SRV", "ANY"):
            for each in services:
                data = SRV(each.priority, each.weight, each.port, each.target)
                reply.add_answer(RR(request.q.qname, QTYPE.SRV, rdata=data))
        if kind in ("A", "ANY"):
            for host in hosts:
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(host.address)))
        return reply


_ADDRESS = "127.0.0.1"


def main(argv: Sequence[str]) -> int:
    """Answer until it is killed; the exit code when that cannot be."""
    if len(argv) != 1:
        _say("usage: python -m etcd_sandbox.dns FILE")
        return EXIT_USAGE
    (path,) = argv
    try:
        records = parse(Path(path).read_text(), path)
    except (OSError, UnicodeError, SandboxError) as error:
        _say(str(error))
        return EXIT_USAGE
    zone = Zone(records)
    told = "request,reply,truncated,error" if records.log_queries else "error"
    logger = DNSLogger(told, prefix=False, logf=_say)
    address = records.listen or _ADDRESS
    try:
        # TCP first: unlike UDP's, its port cannot be shared with another server by mistake.
        for tcp in (True, False):
            server = DNSServer(zone, address, records.port, tcp=tcp, logger=logger)
            if tcp:
                server.start_thread()
    except OSError as error:
        _say(f"cannot listen on {address} port {records.port}: {error.strerror}")
        return EXIT_FAILED
    _say(f"serving {len(records.srv)} SRV records of {path} on {address} port {records.port}")
    server.start()
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"dns: {text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

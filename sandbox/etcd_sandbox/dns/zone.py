"""What a DNS server answers: the records of a file, and that there are no others."""

from __future__ import annotations

from dnslib import QTYPE, RCODE, RR, SRV, A, DNSRecord
from dnslib.server import DNSHandler

from etcd_sandbox.dns.recordfile import RecordFile, canonical

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

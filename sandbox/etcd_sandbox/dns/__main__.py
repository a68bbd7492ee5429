"""A DNS server for the records of one file: `python -P -m etcd_sandbox.dns FILE`, where there is no dnsmasq."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from dnslib.server import DNSLogger, DNSServer

from etcd_sandbox.dns.recordfile import parse
from etcd_sandbox.dns.zone import Zone
from etcd_sandbox.errors import EXIT_FAILED, EXIT_USAGE, SandboxError

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

"""What is in the way of a member's clients: no answer, or a certificate that they refuse. Pure.

We do not check the members' certificates ourselves: all of them are on this machine. Their clients do.
"""

from __future__ import annotations

import re
import socket
import ssl
from datetime import UTC, datetime

LATE = "does not answer in time"
NOT_LISTENING = "does not listen at its client URL"
CUT_SHORT = "ends the connection without an answer"
USUAL_AT_START = frozenset({LATE, NOT_LISTENING, CUT_SHORT})
"""The troubles with a member that starts, until it has seen a quorum."""

NOT_ETCD = "something else than etcd answers at its client URL"


def trouble_words(error: BaseException) -> str:
    """An exchange's error, as the end of a sentence about the member."""
    import h11  # the exchange has it already; others read only the logs

    match error:
        case TimeoutError():
            return LATE
        case ssl.SSLError():
            reason = (error.reason or str(error)).lower().replace("_", " ")
            return f"cannot be asked over TLS ({reason})"
        case ConnectionRefusedError():
            return NOT_LISTENING
        case socket.gaierror():
            return "advertises a client URL whose host does not resolve here"
        case h11.ProtocolError():
            return NOT_ETCD
        case _:
            return CUT_SHORT


_TIME = re.compile(rb"\x17\x0d(\d{12}Z)|\x18\x0f(\d{14}Z)")
"""A time in DER: UTCTime with two digits for the year, or GeneralizedTime with four (RFC 5280, 4.1.2.5)."""


def validity(certificate: bytes) -> tuple[datetime, datetime] | None:
    """From when to when a certificate in DER may be used; None where it does not say.

    The two times of `Validity` are the first in a certificate.
    """
    found = _TIME.findall(certificate)[:2]
    if len(found) < 2:
        return None
    try:
        begin, end = (_time(short or long) for short, long in found)
    except ValueError:
        return None
    return begin, end


def certificate_trouble(certificate: bytes, now: datetime) -> str | None:
    """Why clients refuse a certificate in DER, as the end of a sentence about its member; None if they do not."""
    times = validity(certificate)
    if times is None:
        return None
    begin, end = times
    if now > end:
        return (
            f"has a certificate whose time was over at {end:%Y-%m-%d %H:%M} UTC: clients refuse it"
        )
    if now < begin:
        return (
            f"has a certificate whose time comes at {begin:%Y-%m-%d %H:%M} UTC: clients refuse it"
        )
    return None


def _time(text: bytes) -> datetime:
    digits = text.decode()
    if len(digits) == 13:
        # RFC 5280: a year of two digits is 1950 to 2049.
        digits = ("20" if digits[:2] < "50" else "19") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)

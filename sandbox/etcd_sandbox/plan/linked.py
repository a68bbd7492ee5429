"""Puts a link in front of a Procfile's member: its command gets another peer listen address."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

from etcd_sandbox.etcd.memberflags import MemberFlags
from etcd_sandbox.model.access import Address
from etcd_sandbox.model.spec import PeerLink

LISTENER_OFFSET = 2
"""The member's own listener is that far above its peer port, as in generated clusters."""

NOT_ASKED = "a Procfile's members reach each other directly"
DIRECT = "the cluster was started with --direct"

PROXY = "it is a proxy: no peer dials it"

APART = "the containers have a network of their own, on which members reach each other directly"

MENDS = {
    NOT_ASKED: "etcd-sandbox down, then etcd-sandbox up --links puts links between the members",
    DIRECT: "etcd-sandbox down, then etcd-sandbox up without --direct",
    PROXY: "the links of the members show what the proxy sees",
    APART: "containers on the host's network, or members that are processes, can have links",
}
"""How to get links, by the reason for having none; any other reason lies in the member's command."""

OTHER_MEND = "a command that is etcd with its flags, one peer URL among them, can have a link"

_PORT_LIMIT = 65535
_CONFIG_FILE = re.compile(r"--?config-file(=|\Z)")


def link_of(
    flags: MemberFlags, argv: Sequence[str], env: Mapping[str, str], *, simple: bool
) -> PeerLink | str:
    """The link in front of a member with these flags, or why there cannot be one.

    `argv` and `env` are what etcd gets; `simple` says that its command takes one more flag at
    its end, where the last of several wins.
    """
    if not simple:
        return "its command has shell syntax, so its peer listen address cannot be replaced"
    if "ETCD_CONFIG_FILE" in env or any(_CONFIG_FILE.match(word) for word in argv):
        return "it reads a config file, and then etcd ignores flags"
    if "ETCD_LISTEN_PEER_URLS" in env:
        return "ETCD_LISTEN_PEER_URLS is set, and etcd refuses the flag beside the variable"
    if len(flags.listen_peer_urls) != 1 or len(flags.initial_advertise_peer_urls) != 1:
        return "it has several peer URLs"
    listen, advertised = flags.listen_peer_urls[0], flags.initial_advertise_peer_urls[0]
    port = listen.port
    if port is None or port != advertised.port or not _is_address(listen.host):
        return f"it listens for peers on {listen} and advertises {advertised}"
    if port + LISTENER_OFFSET > _PORT_LIMIT:
        return f"there is no free port above its peer port {port}"
    return PeerLink(
        listen_url=listen, target_url=Address.here(port + LISTENER_OFFSET, listen.scheme)
    )


def _is_address(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

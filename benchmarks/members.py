"""Free ports, and a Procfile of three etcd members that every compared tool runs."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass
from pathlib import Path

STEP = 10_000
PORTS_OF_A_MEMBER = 4


def free_base_port(members: int) -> int:
    """A client port such that the product's whole block of `members` members can be bound now."""
    for _ in range(500):
        base = random.randrange(11_000, 19_000)
        if all(
            _is_free(base + STEP * member + offset)
            for member in range(members)
            for offset in range(PORTS_OF_A_MEMBER)
        ):
            return base
    raise RuntimeError("no free block of ports")


def client_urls(base_port: int, members: int) -> list[str]:
    """Where the members of a block answer."""
    return [f"http://127.0.0.1:{base_port + STEP * member}" for member in range(members)]


@dataclass(frozen=True, slots=True)
class EtcdProcfile:
    """A Procfile with three new members in a directory of their own."""

    directory: Path
    client_urls: list[str]

    @property
    def path(self) -> Path:
        return self.directory / "Procfile"


def three_members(directory: Path, etcd: str) -> EtcdProcfile:
    """Write it: as etcd's own Procfile, and with data directories below `directory`."""
    directory.mkdir(parents=True)
    base = free_base_port(3)
    urls = client_urls(base, 3)
    peers = [f"http://127.0.0.1:{base + STEP * member + 1}" for member in range(3)]
    cluster = ",".join(f"infra{i + 1}={peer}" for i, peer in enumerate(peers))
    lines = [
        f"etcd{i + 1}: {etcd} --name infra{i + 1} --data-dir {directory}/infra{i + 1}"
        f" --listen-client-urls {url} --advertise-client-urls {url}"
        f" --listen-peer-urls {peer} --initial-advertise-peer-urls {peer}"
        f" --initial-cluster-token bench --initial-cluster {cluster}"
        " --initial-cluster-state new --logger=zap --log-outputs=stderr"
        for i, (url, peer) in enumerate(zip(urls, peers, strict=True))
    ]
    procfile = EtcdProcfile(directory, urls)
    procfile.path.write_text("\n".join(lines) + "\n")
    return procfile


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

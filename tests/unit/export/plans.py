"""Clusters to export, planned as `up` plans them, with etcds that nobody runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from etcd_sandbox.config.procfile import parse_procfile
from etcd_sandbox.config.profile import parse_profile
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import (
    ClusterSpec,
    ContainerNetwork,
    EtcdBinary,
    Runtime,
    Source,
    SourceKind,
)
from etcd_sandbox.plan.from_procfile import plan_procfile
from etcd_sandbox.plan.generated import plan_members
from etcd_sandbox.plan.runtimes.engine import Engine
from etcd_sandbox.plan.ways import BootstrapInputs

ON_PATH = "/usr/bin/etcd"
ETCDS = {
    version: EtcdBinary(path=path, version=version, origin="on PATH")
    for version, path in (
        ("3.4.23", "/opt/old one/etcd"),
        ("3.5.1", ON_PATH),
        ("3.6.16", "/opt/3.6/etcd"),
    )
}
DISCOVERY = BootstrapInputs(bootstrap=Bootstrap.DISCOVERY, token="c0ffee")
DNS = BootstrapInputs(bootstrap=Bootstrap.DNS, dnsmasq="/usr/sbin/dnsmasq")


def choose(wish: str) -> EtcdBinary:
    for version, binary in ETCDS.items():
        if wish in (version, version.rpartition(".")[0], binary.path):
            return binary
    if wish == "":
        return ETCDS["3.5.1"]
    raise InputError(f"there is no etcd {wish}")


def from_profile(text: str = "", **options: Any) -> ClusterSpec:
    profile = parse_profile(text.encode(), "p.toml")
    return plan_members(
        options.pop("name", "default"),
        Source(kind=SourceKind.MEMBERS),
        profile,
        choose_etcd=options.pop("choose_etcd", choose),
        data_root=Path("/state/data"),
        cwd="/project",
        caller_env={},
        **options,
    )


def from_procfile(text: str, **options: Any) -> ClusterSpec:
    found = options.pop("on_path", ON_PATH)
    return plan_procfile(
        "default",
        Source(kind=SourceKind.PROCFILE, path="/project/Procfile"),
        parse_procfile(text.encode(), "Procfile"),
        choose_etcd=choose,
        cwd="/project",
        caller_env={},
        which=lambda program: found if program == "etcd" else None,
        read_file=options.pop("read_file", _no_file),
        **options,
    )


def _no_file(path: str) -> str:
    raise FileNotFoundError(path)


NAMES = "abcXYZ019._-+@%#~äß"
"""Letters of members' names; etcd itself cannot have = and , in them."""


def contained(
    image: str, network: ContainerNetwork = ContainerNetwork.HOST, **options: Any
) -> ClusterSpec:
    """A cluster of containers of that image."""
    within = EtcdBinary(path="/usr/local/bin/etcd", version="3.6.16", origin="x", image=image)
    return from_profile(
        runtime=Engine(runtime=Runtime.PODMAN, program="/usr/bin/podman", network=network),
        choose_etcd=lambda _: within,
        **options,
    )

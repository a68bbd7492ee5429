"""Looks whether this machine can do what a step asks of it: for real, since a guess would break a lesson."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

from etcd_sandbox.dns.needs import Lack
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.learn.needs import Ability


def lack(abilities: Iterable[Ability], etcd: str) -> Lack | None:
    """The first of them that this machine does not have, with the mend; `etcd` is the program to run.

    For `podman` the image is built, and stays with it.
    """
    for ability in abilities:
        if found := _LOOKS[ability](etcd):
            return found
    return None


def _dns(_: str) -> Lack | None:
    from etcd_sandbox.dns.machine import look
    from etcd_sandbox.dns.needs import lacks
    from etcd_sandbox.plan.ways.dns import private_mount

    # No cluster has its server there: it would begin at port 1.
    found = lacks(look("127.53.0.1", private_mount(root=os.geteuid() == 0)))
    return found[0] if found else None


def _podman(etcd: str) -> Lack | None:
    from etcd_sandbox.containers import find_engine, image_chooser
    from etcd_sandbox.etcd.release import choose
    from etcd_sandbox.model.spec import Runtime

    try:
        image_chooser(find_engine(Runtime.PODMAN), "", True, choose)(etcd)
    except SandboxError as error:
        return Lack(str(error), error.hint)
    return None


def _dig(_: str) -> Lack | None:
    if shutil.which("dig"):
        return None
    mend = "install your system's package with it: bind9-dnsutils, bind-utils or bind"
    return Lack("dig is not installed, which asks DNS servers", mend)


_LOOKS = {Ability.DNS: _dns, Ability.PODMAN: _podman, Ability.DIG: _dig}

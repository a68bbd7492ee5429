"""From the options of `up` to what a way of bootstrap needs: tokens, services, records, engines."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from etcd_sandbox.config.profile import Profile
from etcd_sandbox.config.profileshape import ClusterTable
from etcd_sandbox.etcd.datadir import has_data
from etcd_sandbox.inputs.options import DECLARED, Option, Options, check_way
from etcd_sandbox.model.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, DiscoverySpec
from etcd_sandbox.model.spec import ClusterSpec, ContainerNetwork, EtcdBinary, Runtime
from etcd_sandbox.plan.runtimes import Process, runtime_of
from etcd_sandbox.plan.ways.dns import private_mount
from etcd_sandbox.plan.ways.request import BootstrapInputs, Registrants

if TYPE_CHECKING:
    from etcd_sandbox.dns.needs import Lack
    from etcd_sandbox.inputs.caller import ChooseEtcd


class AskedWay(Struct, frozen=True, kw_only=True):
    """What options and profile say of it together; an option wins over the profile."""

    bootstrap: Bootstrap
    discovery: str
    discovery_token: str
    discovery_size: int | None
    dns_records: str
    runtime: Runtime
    image: str
    image_from_binary: bool
    container_network: ContainerNetwork | None
    fresh: bool

    @classmethod
    def of(cls, options: Options, profile: Profile) -> AskedWay:
        """Raises InputError for options that contradict each other."""
        bootstrap = _bootstrap(options, profile)
        runtime = Runtime(options.runtime) if options.runtime else profile.cluster.runtime
        check_way(options, bootstrap, runtime)
        given = options.given()
        rivals = {DECLARED[name].rival for name, value in given.items() if value is not False}

        def meant(option: Option) -> Any:
            # What a profile says for another way than the one that the options choose is passed over.
            same = profile.cluster.bootstrap is bootstrap
            heeded = runtime is not Runtime.PROCESS if option.contained else same
            heeded = heeded and option.name not in rivals
            table = profile.cluster if heeded else ClusterTable()
            return given.get(option.name, getattr(table, option.name))

        asked = {
            name: meant(option)
            for name, option in DECLARED.items()
            if option.bootstrap is not None or option.contained
        }
        if network := asked["container_network"]:
            asked["container_network"] = ContainerNetwork(network)
        return cls(bootstrap=bootstrap, runtime=runtime, fresh=options.fresh, **asked)


def _bootstrap(options: Options, profile: Profile) -> Bootstrap:
    """The way; an option that only one way has asks for it."""
    if options.bootstrap is not None:
        return Bootstrap(options.bootstrap)
    if not profile.cluster.bootstrap.is_list:
        return profile.cluster.bootstrap
    ways = (DECLARED[name].bootstrap for name in options.given())
    return next((way for way in ways if way is not None), DEFAULT_BOOTSTRAP)


def bootstrap_inputs(
    way: AskedWay, recorded: ClusterSpec | None, records: Callable[[str], tuple[str, str]]
) -> BootstrapInputs:
    """What the plan cannot know. `records` gives the text of a file of DNS records, and its path as a reader knows it.

    A `recorded` cluster that has its token keeps it: its data is bound to that.
    """
    match way.bootstrap:
        case Bootstrap.DISCOVERY:
            return _discovery_inputs(way, None if way.fresh else _kept(recorded))
        case Bootstrap.DNS:
            return BootstrapInputs(
                bootstrap=Bootstrap.DNS,
                dnsmasq=shutil.which("dnsmasq"),
                mount=private_mount(root=os.geteuid() == 0),
                records=records(way.dns_records) if way.dns_records else None,
            )
        case Bootstrap.STATIC:
            return BootstrapInputs()


def dns_lacks() -> tuple[Lack, ...]:
    """What this machine lacks for members that find each other by DNS."""
    from etcd_sandbox.dns.machine import look
    from etcd_sandbox.dns.needs import lacks

    # No cluster has its server there: it would begin at port 1.
    return lacks(look("127.53.0.1", private_mount(root=os.geteuid() == 0)))


def _kept(recorded: ClusterSpec | None) -> DiscoverySpec | None:
    """The token that introduced a cluster whose data is there; without data it may be used up."""
    if recorded is None or recorded.discovery is None:
        return None
    members = [process.member for process in recorded.members]
    return recorded.discovery if any(has_data(member.data_dir) for member in members) else None


def _discovery_inputs(way: AskedWay, known: DiscoverySpec | None) -> BootstrapInputs:
    ask_service = partial(_ask, way, known) if way.discovery else None
    token = way.discovery_token or (known.token if known and known.process else uuid.uuid4().hex)
    return BootstrapInputs(
        bootstrap=Bootstrap.DISCOVERY,
        token=token,
        size=way.discovery_size,
        ask_service=ask_service,
    )


def _ask(way: AskedWay, known: DiscoverySpec | None, registrants: Registrants) -> DiscoverySpec:
    """The token at an existing service: that of the recorded plan where it is the same service."""
    # What asks is not imported where nothing is asked.
    from etcd_sandbox.inputs.discoverytoken import existing_token, is_of

    if known is not None and is_of(known, way.discovery, way.discovery_token):
        return known
    return existing_token(way.discovery, way.discovery_token, way.discovery_size, registrants)


def runtime_found(runtime: Runtime, network: ContainerNetwork | None) -> Process:
    """What runs the members, ready on this machine. Raises InputError for an engine that is not."""
    if runtime is Runtime.PROCESS:
        return Process()
    from etcd_sandbox.containers import find_engine

    return find_engine(runtime, network)


def etcd_chooser(runtime: Process, image: str, from_binary: bool, choose: ChooseEtcd) -> ChooseEtcd:
    """What finds an etcd: on this machine, or in an image where an engine runs the members."""
    if runtime.runtime is Runtime.PROCESS:
        return choose
    from etcd_sandbox.containers import image_chooser
    from etcd_sandbox.plan.runtimes.engine import Engine

    assert isinstance(runtime, Engine)
    return image_chooser(runtime, image, from_binary, choose)


def other_etcd(spec: ClusterSpec, to: str) -> EtcdBinary:
    """The etcd that `to` names for the members of `spec`: a program, or an image where they are containers."""
    from etcd_sandbox.etcd.release import choose

    recorded = runtime_of(spec)
    runtime = runtime_found(spec.runtime, recorded.network)
    image, wish = (to, "") if ":" in to and spec.runtime.containers else ("", to)
    # What was built from a program of this machine is built from one again.
    built = not image and "image_from_binary" in recorded.in_profile(spec)
    return etcd_chooser(runtime, image, built, choose)(wish)

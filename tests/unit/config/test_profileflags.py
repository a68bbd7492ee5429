"""Every flag of etcd in a profile: it reaches the member as it is written, or is refused with place and mend."""

from __future__ import annotations

from pathlib import Path

import pytest
from etcd_sandbox.config.profile import parse_profile
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.flagtable import flag_table, takes_value
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import EtcdBinary, Runtime, Source, SourceKind
from etcd_sandbox.plan.generated import plan_members
from etcd_sandbox.plan.runtimes.engine import Engine
from etcd_sandbox.plan.ways import BootstrapInputs

SET_BY_US = """
    advertise-client-urls config-file data-dir discovery discovery-endpoints
    discovery-insecure-transport discovery-srv discovery-srv-name discovery-token
    initial-advertise-peer-urls initial-cluster initial-cluster-state initial-cluster-token
    listen-client-urls listen-metrics-urls listen-peer-urls name
    """
WITHOUT_EFFECT_OR_HARMFUL = """
    auto-tls cert-file cipher-suites client-cert-allowed-hostname client-cert-auth client-cert-file
    client-crl-file client-key-file cluster-active-size cluster-remove-delay cluster-sync-interval
    config discovery-cacert discovery-cert discovery-dial-timeout discovery-fallback
    discovery-insecure-skip-tls-verify discovery-keepalive-time discovery-keepalive-timeout
    discovery-key discovery-password discovery-proxy discovery-request-timeout discovery-user
    experimental-peer-skip-client-san-verification force force-new-cluster h help host-whitelist
    key-file listen-client-http-urls log-format log-level log-output log-outputs log-package-levels
    max-result-buffer max-retry-attempts peer-auto-tls peer-cert-allowed-cn
    peer-cert-allowed-hostname peer-cert-file peer-client-cert-auth peer-client-cert-file
    peer-client-key-file peer-crl-file peer-election-timeout peer-heartbeat-interval peer-key-file
    peer-skip-client-san-verification peer-trusted-ca-file proxy proxy-dial-timeout
    proxy-failure-wait proxy-read-timeout proxy-refresh-interval proxy-write-timeout retry-interval
    self-signed-cert-validity snapshot tls-max-version tls-min-version trusted-ca-file v version vv
    """
"""Refused with the values below; some of them are taken with others, see the tests that follow."""

BREAKING = {
    "discovery-fallback": "exit",
    "log-format": "console",
    "log-level": "warn",
    "proxy": "on",
}
NUMBERS = {"election-timeout": "2000", "heartbeat-interval": "150"}


def sample(flag: str) -> str:
    value = BREAKING.get(flag) or NUMBERS.get(flag) or ("7" if takes_value(flag) else "true")
    return value if value in ("true", "7") or value.isdigit() else f'"{value}"'


def version_with(flag: str) -> str:
    known = flag_table()[flag]
    return next(
        v
        for v in ("3.6.16", "3.5.99", "3.4.99", "3.7.0")
        if known.in_version((*map(int, v.split(".")),))
    )


def argv_of(text: str, version: str = "3.6.16", **options: object) -> tuple[str, ...]:
    binary = EtcdBinary(
        path="/etcd", version=version, origin="as given", image=str(options.pop("image", ""))
    )
    spec = plan_members(
        "default",
        Source(kind=SourceKind.PROFILE),
        parse_profile(text.encode(), "p.toml"),
        choose_etcd=lambda _: binary,
        data_root=Path("/data"),
        cwd="/",
        caller_env={},
        **options,  # type: ignore[arg-type]
    )
    return spec.members[0].argv


def refusal(text: str, version: str = "3.6.16", **options: object) -> InputError:
    with pytest.raises(InputError) as caught:
        argv_of(text, version, **options)
    return caught.value


@pytest.mark.parametrize("flag", sorted(flag_table()))
def test_no_flag_of_a_profile_is_without_effect_unsaid(flag: str) -> None:
    value, version = sample(flag), version_with(flag)
    never = flag in {*SET_BY_US.split(), *WITHOUT_EFFECT_OR_HARMFUL.split()}
    for text, line, taken in (
        (f"[etcd]\n{flag} = {value}\n", 2, not never and flag != "wal-dir"),
        (f"[[member]]\nname = 'm'\nflags.{flag} = {value}\n", 3, not never),
    ):
        if taken:
            given = [word for word in argv_of(text, version) if word.startswith(f"--{flag}=")]
            assert given == [f"--{flag}=" + value.strip('"')]
        else:
            refused = refusal(text, version)
            assert refused.where == f"p.toml:{line}"
            assert refused.hint


def test_a_plain_cluster_for_which_tls_was_asked_says_why_it_cannot_be_had() -> None:
    refused = refusal('[etcd]\ncert-file = "server.pem"\n')
    assert str(refused) == (
        "the etcd flag 'cert-file' would have no effect: the members of a profile serve plain HTTP, "
        "since etcd-sandbox has no certificates to give them yet, p.toml:2"
    )
    assert (
        refused.hint
        == "leave it out; members of a Procfile can have https:// URLs and certificates"
    )


@pytest.mark.parametrize(
    "line",
    [
        "client-cert-auth = false",
        'auto-tls = "false"',
        'cert-file = ""',
        "force-new-cluster = false",
        'log-level = "debug"',
        'log-outputs = "stdout"',
        'log-outputs = "/tmp/etcd.log,stderr"',
        'log-format = "json"',
        "enable-grpc-gateway = true",
        'host-whitelist = "a.test,127.0.0.1"',
        'host-whitelist = "*"',
    ],
)
def test_what_changes_nothing_for_the_worse_is_handed_on(line: str) -> None:
    flag, _, value = line.partition(" = ")
    assert f"--{flag}=" + value.strip('"') in argv_of(f"[etcd]\n{line}\n")


def test_a_proxy_that_is_off_is_none() -> None:
    assert "--proxy=off" in argv_of('[etcd]\nproxy = "off"\n', "3.5.1")


def test_members_can_always_be_asked() -> None:
    assert "cannot be asked" in str(refusal("[etcd]\nenable-grpc-gateway = false\n"))


def test_flags_of_a_discovery_service_are_heeded_where_there_is_one() -> None:
    inputs = BootstrapInputs(bootstrap=Bootstrap.DISCOVERY, token="t")
    assert "--discovery-user=me" in argv_of('[etcd]\ndiscovery-user = "me"\n', inputs=inputs)
    v2 = argv_of('[etcd]\ndiscovery-fallback = "exit"\n', "3.5.1", inputs=inputs)
    assert "--discovery-fallback=exit" in v2
    over_tls = refusal('[etcd]\ndiscovery-cacert = "ca.pem"\n', inputs=inputs)
    assert 'discovery = "https://…"' in over_tls.hint


def test_a_log_outside_the_data_directory_is_not_lost_in_a_container() -> None:
    text = '[[member]]\nname = "m"\nflags.wal-dir = "/w"\n'
    engine = Engine(runtime=Runtime.PODMAN, program="/podman")
    assert "would be lost with its container" in str(refusal(text, runtime=engine, image="i:1"))

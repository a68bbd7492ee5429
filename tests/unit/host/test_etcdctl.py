"""How etcdctl is run for a plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.etcd import release
from etcd_sandbox.host.etcdctl import (
    by_hand,
    command_line,
    etcdctl_variables,
    inherited,
    members_of,
    misleading,
    misleading_words,
    overlooks_records,
    path_with_etcdctl,
    program_variables,
)
from etcd_sandbox.paths import cluster_paths

MEMBERS = [{"client_url": "http://127.0.0.1:12379", "process": "etcd1"}]
DNS = {"dns": {"mount": ["in"], "resolv_conf": "/resolv.conf"}}


@pytest.fixture(autouse=True)
def _etcdctl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "etcdctl_for", lambda path: "/etcdctl")


@pytest.mark.parametrize(
    "args", [("--discovery-srv", "a.test", "member", "list"), ("get", "x", "-d", "a.test")]
)
def test_a_look_up_by_dns_sees_the_server_of_the_members_and_no_endpoints(
    args: Sequence[str],
) -> None:
    argv, variables = command_line(DNS, MEMBERS, args)
    assert argv == ["in", "/resolv.conf", "/etcdctl", *args]
    assert variables == {"GODEBUG": "netdns=go"}


@pytest.mark.parametrize("plan", [{}, {"dns": None}])
def test_a_cluster_without_names_leaves_the_resolver_alone(plan: dict[str, Any]) -> None:
    argv, variables = command_line(plan, MEMBERS, ("--discovery-srv=a.test", "member", "list"))
    assert (argv[0], variables) == ("/etcdctl", {})


def test_without_a_look_up_a_cluster_with_names_is_like_any_other() -> None:
    argv, variables = command_line(DNS, MEMBERS, ("member", "list"))
    assert argv == ["/etcdctl", "member", "list"]
    assert variables == {"ETCDCTL_ENDPOINTS": "http://127.0.0.1:12379"}


@pytest.mark.parametrize(
    ("args", "overlooks"),
    [
        (("--discovery-srv=a.test", "endpoint", "health"), True),
        (("--discovery-srv=a.test", "endpoint", "health", "--cluster"), False),
        (("--discovery-srv=a.test", "member", "list"), False),
        (("endpoint", "health"), False),
    ],
)
def test_endpoint_commands_that_overlook_the_records_keep_the_endpoints(
    args: Sequence[str], overlooks: bool
) -> None:
    assert overlooks_records(args) is overlooks
    kept = "ETCDCTL_ENDPOINTS" in command_line(DNS, MEMBERS, args)[1]
    assert kept is (overlooks or "--discovery-srv=a.test" not in args)


PLAN = {"processes": [{"name": "etcd1", "member": {"client_url": "http://127.0.0.1:12379"}}]}


def test_a_program_is_told_where_the_cluster_and_its_supervisor_answer(home: Path) -> None:
    assert program_variables(PLAN, cluster_paths("mine")) == {
        "ETCDCTL_ENDPOINTS": "http://127.0.0.1:12379",
        "ETCD_SANDBOX_CLUSTER": "mine",
        "ETCD_SANDBOX_SOCKET": str(cluster_paths("mine").socket),
    }


def test_a_program_is_told_of_the_dns_server_that_the_members_have(home: Path) -> None:
    plan = {**PLAN, "dns": {"address": "127.53.48.91", "domain": "a.test"}}
    variables = program_variables(plan, cluster_paths("mine"))
    assert variables["ETCD_SANDBOX_DNS"] == "127.53.48.91"
    assert variables["ETCD_SANDBOX_DNS_DOMAIN"] == "a.test"


def test_the_directory_of_etcdctl_is_last_on_path_and_there_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(release, "etcdctl_for", lambda path: "/opt/etcd/etcdctl")
    assert path_with_etcdctl(PLAN, "/bin:/usr/bin") == "/bin:/usr/bin:/opt/etcd"
    assert path_with_etcdctl(PLAN, "/opt/etcd:/bin") == "/opt/etcd:/bin"


def test_path_is_as_it_was_where_there_is_no_etcdctl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "etcdctl_for", lambda path: None)
    assert path_with_etcdctl(PLAN, "/bin") == "/bin"


def member(process: str, url: str, **more: object) -> dict[str, Any]:
    return {"name": process, "member": {"client_url": url, **more}}


def test_a_proxy_is_no_endpoint() -> None:
    plan = {"processes": [member("p", "http://b:1", proxy=True), member("e", "http://a:1")]}
    assert etcdctl_variables(members_of(plan)) == {"ETCDCTL_ENDPOINTS": "http://a:1"}


def test_where_grpc_and_http_are_apart_etcdctl_is_given_the_address_of_grpc() -> None:
    plan = {"processes": [member("e", "http://a:2", endpoint="https://a:1")]}
    assert etcdctl_variables(members_of(plan)) == {
        "ETCDCTL_ENDPOINTS": "https://a:1",
        "ETCDCTL_INSECURE_SKIP_TLS_VERIFY": "true",
    }


def test_a_member_that_became_a_proxy_since_is_no_endpoint(tmp_path: Path) -> None:
    (tmp_path / "b" / "proxy").mkdir(parents=True)
    members = [
        member(name, f"http://{name}:1", data_dir=str(tmp_path / name)) for name in ("a", "b")
    ]
    assert etcdctl_variables(members_of({"processes": members})) == {
        "ETCDCTL_ENDPOINTS": "http://a:1"
    }


def test_what_is_done_by_hand_has_what_tls_and_users_need() -> None:
    secure = {"client_url": "https://a:1", "client_cert": "/c d", "client_key": "/k"}
    assert by_hand({"client_url": "http://a:1"}, "", ["snapshot", "save", "a b"]) == (
        "etcdctl --endpoints=http://a:1 snapshot save 'a b'"
    )
    assert by_hand(secure, "root:secret", ["snapshot", "save", "b"]) == (
        "etcdctl --endpoints=https://a:1 --insecure-skip-tls-verify=true '--cert=/c d' --key=/k "
        "--user=root snapshot save b"
    )


def test_a_socket_is_an_endpoint_by_its_path_and_by_a_short_one_where_that_is_too_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    deep = f"{tmp_path}/{'d' * 100}/s"
    plan = {"processes": [member("a", "unixs:///a/s"), member("b", f"unix://{deep}")]}
    assert etcdctl_variables(members_of(plan)) == {
        "ETCDCTL_ENDPOINTS": f"unixs:///a/s,unix://{'d' * 100}/s",
        "ETCDCTL_INSECURE_SKIP_TLS_VERIFY": "true",
    }


TLS = [{"client_url": "https://127.0.0.1:12379", "process": "etcd1"}]
OTHER = {"ETCDCTL_CACERT": "/etc/other/ca.crt", "ETCDCTL_CERT": "/c", "ETCDCTL_USER": "root"}


def test_variables_of_another_cluster_are_left_out_with_the_reason() -> None:
    left_out = misleading({**OTHER, "ETCDCTL_DISCOVERY_SRV": "a.test", "HOME": "/h"}, MEMBERS)
    assert list(left_out) == ["ETCDCTL_CACERT", "ETCDCTL_CERT", "ETCDCTL_DISCOVERY_SRV"]
    assert misleading_words(left_out) == [
        "ETCDCTL_CACERT, ETCDCTL_CERT of your environment is left out: "
        "the members of this cluster serve without TLS",
        "ETCDCTL_DISCOVERY_SRV of your environment is left out: "
        "the endpoints of this cluster are known",
    ]
    assert inherited({**OTHER, "ETCDCTL_API": "2"}, left_out) == {"ETCDCTL_USER": "root"}
    assert misleading({"ETCDCTL_CACERT": ""}, MEMBERS) == {}


def test_certificates_stay_for_members_that_want_tls_if_they_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "ca").touch()
    left_out = misleading({"ETCDCTL_CACERT": str(tmp_path / "ca"), "ETCDCTL_CERT": "/none"}, TLS)
    assert left_out == {"ETCDCTL_CERT": "/none cannot be read"}


def test_a_look_up_by_dns_keeps_the_name_of_its_records() -> None:
    caller = {"ETCDCTL_DISCOVERY_SRV_NAME": "x"}
    assert misleading(caller, MEMBERS, ("--discovery-srv=a.test", "get", "k")) == {}
    assert misleading(caller, MEMBERS, ("get", "k")) != {}


def test_a_flag_wins_over_the_callers_variable() -> None:
    caller = {"ETCDCTL_ENDPOINTS": "x", "ETCDCTL_WRITE_OUT": "json", "HOME": "/h"}
    assert inherited(caller, (), ("--endpoints=y", "-w", "table", "get")) == {"HOME": "/h"}

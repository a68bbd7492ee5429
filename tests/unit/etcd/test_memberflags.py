from __future__ import annotations

from collections.abc import Mapping

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.flagtable import flag_table
from etcd_sandbox.etcd.memberflags import (
    DiscoveryKind,
    MemberFlags,
    log_files,
    read_flags,
    read_uint,
)
from hypothesis import given
from hypothesis import strategies as st


def no_file(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


def read(line: str, env: Mapping[str, str] | None = None, config: str | None = None) -> MemberFlags:
    return read_flags(line.split(), env or {}, no_file if config is None else lambda _: config)


PROCFILE_LINE = (
    "--name infra1 --listen-client-urls http://127.0.0.1:12379"
    " --advertise-client-urls http://127.0.0.1:12379 --listen-peer-urls http://127.0.0.1:12380"
    " --initial-advertise-peer-urls http://127.0.0.1:12380"
    " --initial-cluster-token etcd-cluster-1 --initial-cluster"
    " infra1=http://127.0.0.1:12380,infra2=http://127.0.0.1:22380"
    " --initial-cluster-state new --enable-pprof --logger=zap --log-outputs=stderr"
)


def test_the_procfile_of_etcd_is_read_in_full() -> None:
    flags = read(PROCFILE_LINE)
    assert flags.name == "infra1"
    assert flags.data_dir == "infra1.etcd"
    assert flags.advertise_client_urls == ("http://127.0.0.1:12379",)
    assert flags.listen_peer_urls == ("http://127.0.0.1:12380",)
    assert flags.token == "etcd-cluster-1"
    assert flags.initial_cluster == {
        "infra1": ("http://127.0.0.1:12380",),
        "infra2": ("http://127.0.0.1:22380",),
    }
    assert flags.raw["enable-pprof"] == "true"
    assert flags.raw["logger"] == "zap"
    assert flags.problems == ()


@pytest.mark.parametrize("spelled", ["--name x", "--name=x", "-name x", "-name=x"])
def test_a_flag_is_read_however_it_is_spelled(spelled: str) -> None:
    assert read(spelled).name == "x"


def test_a_boolean_takes_no_word_after_it() -> None:
    flags = read("--pre-vote --name x --client-cert-auth=false --auto-tls")
    assert (flags.raw["pre-vote"], flags.name) == ("true", "x")
    assert (flags.raw["client-cert-auth"], flags.raw["auto-tls"]) == ("false", "true")
    refused = read("--pre-vote true --name x")
    assert refused.name == "default"
    assert refused.problems == ("'true' is not a flag: etcd refuses it",)


def test_without_any_flag_etcds_own_defaults_hold() -> None:
    flags = read("")
    assert flags.name == "default"
    assert flags.data_dir == "default.etcd"
    assert flags.token == "etcd-cluster"
    assert flags.listen_client_urls == flags.advertise_client_urls == ("http://localhost:2379",)
    assert flags.initial_cluster == {"default": ("http://localhost:2380",)}
    assert flags.listen_metrics_urls == ()
    assert (flags.heartbeat_interval_ms, flags.election_timeout_ms) == (100, 1000)
    assert flags.discovery is None


def test_the_default_cluster_is_the_member_itself_under_its_name() -> None:
    flags = read("--name a --initial-advertise-peer-urls http://h:1,http://h:2")
    assert flags.initial_cluster == {"a": ("http://h:1", "http://h:2")}


def test_the_last_of_a_repeated_flag_counts() -> None:
    assert read("--name a --name=b").name == "b"


def test_variables_are_read_where_no_flag_is_given() -> None:
    flags = read("--name a", {"ETCD_DATA_DIR": "/d", "ETCD_INITIAL_CLUSTER_TOKEN": "", "HOME": "/"})
    assert (flags.data_dir, flags.token) == ("/d", "etcd-cluster")
    assert flags.problems == ()


def test_the_same_option_as_flag_and_variable_is_a_problem() -> None:
    assert read("--name a", {"ETCD_NAME": ""}).problems == (
        "--name is also set by the variable ETCD_NAME: etcd refuses to start with both",
    )


@pytest.mark.parametrize("variable", [True, False])
def test_with_a_config_file_flags_and_variables_are_ignored(variable: bool) -> None:
    config = """
        name: infra2
        initial-cluster-token: 12:30
        listen-client-urls: http://127.0.0.1:1,http://127.0.0.1:2
        advertise-client-urls: http://127.0.0.1:1
        log-outputs: [stderr, etcd.log]
        heartbeat-interval: 50
        client-transport-security: {cert-file: c.pem, client-cert-auth: yes}
        peer-transport-security: {cert-file: p.pem}
    """
    if variable:
        flags = read("--name a", {"ETCD_CONFIG_FILE": "e.yml", "ETCD_NAME": "b"}, config)
    else:
        flags = read("--name a --config-file e.yml", {"ETCD_DATA_DIR": "/d"}, config)
    assert (flags.name, flags.data_dir, flags.token) == ("infra2", "infra2.etcd", "12:30")
    assert flags.listen_client_urls == ("http://127.0.0.1:1", "http://127.0.0.1:2")
    assert flags.heartbeat_interval_ms == 50
    assert (flags.raw["cert-file"], flags.raw["client-cert-auth"]) == ("c.pem", "yes")
    assert flags.raw["peer-cert-file"] == "p.pem"
    assert flags.raw["log-outputs"] == "stderr,etcd.log"
    assert flags.problems == ()


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (None, "the config file cannot be read, e.yml: No such file or directory"),
        ("- a\n- b\n", "the config file holds no options, e.yml"),
        ("a: [", "the config file is not YAML, e.yml: while parsing a flow node"),
    ],
)
def test_a_bad_config_file_is_a_problem(config: str | None, problem: str) -> None:
    assert read("--config-file=e.yml", config=config).problems == (problem,)


@pytest.mark.parametrize(
    "config",
    [
        "client-transport-security: &a\n  client-transport-security: *a\n",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nlog-outputs: [*c, *c]\n",
        "<<: 1\n",
        "? [a]\n: b\n",
        "\0",
    ],
)
def test_yaml_that_is_a_trap_is_none(config: str) -> None:
    assert read("--config-file=e.yml", config=config).name == "default"


def test_the_ways_of_discovery_are_told_apart() -> None:
    url = "http://127.0.0.1:1/v2/keys/discovery/t"
    v2 = read(f"--name a --discovery {url}")
    assert (v2.discovery, v2.raw["discovery"], v2.initial_cluster) == (DiscoveryKind.V2, url, {})
    v3 = read("--discovery-endpoints h:1,h:2 --discovery-token t")
    assert (v3.discovery, v3.raw["discovery-token"]) == (DiscoveryKind.V3, "t")
    srv = read("--discovery-srv example.test --discovery-srv-name n")
    assert srv.discovery is DiscoveryKind.SRV
    yaml = "discovery-config: {endpoints: [h:1], token: t}"
    in_file = read("--config-file=e.yml", config=yaml)
    assert in_file.discovery is DiscoveryKind.V3
    assert in_file.raw == {"discovery-endpoints": "h:1", "discovery-token": "t"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("--name", "--name needs a value"),
        ("serve --name x", "'serve' is not a flag: etcd refuses it"),
        ("---name x", "'---name' is not how a flag is written"),
        ("--=x", "'--=x' is not how a flag is written"),
        ("-- x", "'x' is not a flag: etcd refuses it"),
        ("--auto-tls=maybe", "--auto-tls is 'maybe', which is neither true nor false"),
        (
            "--heartbeat-interval=1s",
            "--heartbeat-interval is '1s', which is not a number of milliseconds",
        ),
        ("--initial-cluster a", "--initial-cluster holds 'a', which is not NAME=URL"),
        (
            "--listen-client-urls http://127.0.0.1:1",
            "--advertise-client-urls is required when --listen-client-urls is given",
        ),
    ],
)
def test_what_etcd_would_refuse_is_a_problem_and_no_error(line: str, problem: str) -> None:
    assert read(line).problems == (problem,)


@pytest.mark.parametrize("proxy", ["on", "readonly"])
def test_a_proxy_need_not_advertise_where_it_listens(proxy: str) -> None:
    assert read(f"--proxy={proxy} --listen-client-urls http://127.0.0.1:1").problems == ()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100", 100),
        ("0x10", 16),
        ("010", 8),
        ("1_000", 1000),
        ("-1", None),
        ("", None),
        ("٣", None),
    ],
)
def test_numbers_are_read_as_go_reads_them(text: str, number: int | None) -> None:
    assert read_uint(text) == number


WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(sorted(flag_table())).flatmap(
        lambda name: st.sampled_from([f"--{name}", f"-{name}", f"--{name}=1", f"--{name}=a=b,c"])
    ),
    st.sampled_from(["--config-file=x", "--", "-", "--=", "=", "true"]),
)
VARIABLES = st.dictionaries(
    st.sampled_from([f"ETCD_{name.upper().replace('-', '_')}" for name in flag_table()]),
    st.text(max_size=20),
    max_size=4,
)


@given(st.lists(WORDS, max_size=8), VARIABLES, st.text())
def test_no_input_raises_anything_but_our_own_error(
    argv: list[str], env: dict[str, str], config: str
) -> None:
    try:
        flags = read_flags(argv, env, lambda _: config)
    except InputError:
        return
    assert flags.data_dir
    assert all(problem for problem in flags.problems)


YAML = st.recursive(
    st.sampled_from(["a", "name", "yes", "1", "2001-13-45", "0o9", "!!int x", "!!binary x", "*a"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.tuples(inner, inner).map(lambda pair: f"{{{pair[0]}: {pair[1]}}}"),
        inner.map(lambda item: f"&a {item}"),
    ),
    max_leaves=8,
)


@given(st.sampled_from(["name", "client-transport-security", "discovery-config", "<<"]), YAML)
def test_no_config_file_raises_anything(key: str, value: str) -> None:
    flags = read_flags(["--config-file=x"], {}, lambda _: f"{key}: {value}\n")
    assert isinstance(flags.name, str)


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ({}, ()),
        ({"log-outputs": "default"}, ()),
        ({"log-outputs": "stderr, stdout,systemd/journal"}, ()),
        ({"log-outputs": "stderr,a.log, /b.log ,a.log"}, ("a.log", "/b.log")),
        ({"log-outputs": "file:///b.log"}, ("/b.log",)),
        ({"log-output": "a.log"}, ("a.log",)),
    ],
)
def test_the_files_that_an_etcd_logs_to(options: dict[str, str], files: tuple[str, ...]) -> None:
    assert log_files(options) == files

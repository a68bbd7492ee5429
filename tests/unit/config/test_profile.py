"""The profile reader: what it gives, and each refusal with its line and hint."""

from __future__ import annotations

import pytest
from etcd_sandbox.config.profile import builtin_profiles, find_profile, parse_profile
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.spec import After, Restart, Stdin

SPEC_EXAMPLE = """\
description = "Three voting members, etcd's own defaults"
[cluster]
members = 3
etcd = ""
bootstrap = "static"
runtime = "process"
base_port = 12379
port_step = 10000
token = "etcd-cluster-1"
[etcd]
heartbeat-interval = 100
election-timeout = 1000
[[member]]
name = "infra3"
etcd = "3.4"
flags = { snapshot-count = 100 }
[[process]]
name = "app"
command = "python app.py"
after = "ready"
restart = "on-failure"
[supervise]
restart = "never"
stop_timeout_s = 10
"""


def test_a_whole_profile_is_read() -> None:
    profile = parse_profile(SPEC_EXAMPLE.encode(), "p.toml")
    assert profile.description == "Three voting members, etcd's own defaults"
    assert profile.cluster.members == 3
    assert (profile.cluster.base_port, profile.cluster.port_step) == (12379, 10000)
    assert profile.cluster.token == "etcd-cluster-1"
    assert profile.etcd == {"heartbeat-interval": 100, "election-timeout": 1000}
    assert [(m.name, m.etcd, m.flags) for m in profile.members] == [
        ("infra3", "3.4", {"snapshot-count": 100})
    ]
    app = profile.processes[0]
    assert (app.name, app.command) == ("app", "python app.py")
    assert (app.after, app.restart) == (After.READY, Restart.ON_FAILURE)
    assert app.stdin is Stdin.NULL
    assert profile.supervise.restart is Restart.NEVER
    assert profile.supervise.stop_timeout_s == 10.0
    assert profile.member_names == ("infra1", "infra2", "infra3")
    assert profile.place("member", 0, "flags", "snapshot-count") == "p.toml:16"


def test_an_empty_profile_is_three_members() -> None:
    assert parse_profile(b"", "p").member_names == ("infra1", "infra2", "infra3")


def test_members_without_a_number_are_the_membership() -> None:
    profile = parse_profile(b"[[member]]\nname='a'\n[[member]]\nname='b'", "p")
    assert profile.lists_members
    assert profile.member_names == ("a", "b")


def test_a_byte_order_mark_and_carriage_returns_are_harmless() -> None:
    assert parse_profile(b"\xef\xbb\xbf[cluster]\r\nmembers = 1\r\n", "p").cluster.members == 1


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        # TOML itself
        ("x = \n", "this is not TOML: Invalid value (column 5), p:1", ""),
        (
            "[cluster]\nmembers 3",
            "this is not TOML: Expected '=' after a key in a key/value pair (column 9), p:2",
            "",
        ),
        ("a = " + "[" * 500 + "]" * 500, "the profile is nested too deeply, p", ""),
        ("description = " + '"a"\n[etcd]\nx = ' + "9" * 5000, None, ""),
        # keys
        ("[clustr]\n", "unknown key 'clustr', p:1", "did you mean 'cluster'?"),
        (
            "\n[cluster]\nmembrs = 3",
            "unknown key 'membrs' in [cluster], p:3",
            "did you mean 'members'?",
        ),
        (
            "[[member]]\nname = 'infra1'\n[[member]]\nname = 'infra2'\nclent_port = 1",
            "unknown key 'clent_port' in [member], p:5",
            "did you mean 'client_port'?",
        ),
        (
            "[supervise]\nzzz = 1",
            "unknown key 'zzz' in [supervise], p:2",
            "known here: restart, stop_timeout_s",
        ),
        ("cluster.membrs = 3", "unknown key 'membrs' in [cluster], p:1", "did you mean 'members'?"),
        (
            "cluster = { membrs = 3 }",
            "unknown key 'membrs' in [cluster], p:1",
            "did you mean 'members'?",
        ),
        ('[cluster]\n"a` - at `$.b" = 3', "unknown key 'a` - at `$.b' in [cluster], p:2", None),
        ("[[member]]\nflags = {}", "this [[member]] has no 'name', p:1", "add name = …"),
        ("[[process]]\nname = 'a'", "this [[process]] has no 'command', p:1", "add command = …"),
        # types
        (
            '[cluster]\nmembers = "3"',
            "'members' must be a whole number, not a string, p:2",
            "",
        ),
        (
            "[cluster]\nmembers = 3.0",
            "'members' must be a whole number, not a decimal number, p:2",
            "",
        ),
        (
            "[cluster]\nmembers = true",
            "'members' must be a whole number, not true or false, p:2",
            "",
        ),
        ("[cluster]\netcd = 3.5", "'etcd' must be a string, not a decimal number, p:2", ""),
        ("[cluster]\ntoken = 1979-05-27", "'token' must be a string, not a date, p:2", ""),
        ("cluster = 3", "'cluster' must be a table, not a whole number, p:1", ""),
        ("[member]\nname = 'a'", "'member' must be an array, not a table, p:1", ""),
        ("[[member]]\nname = 3", "'name' must be a string, not a whole number, p:2", ""),
        ("member = [3]", "'member[0]' must be a table, not a whole number, p:1", ""),
        (
            "[supervise]\nstop_timeout_s = 'x'",
            "'stop_timeout_s' must be a number, not a string, p:2",
            "",
        ),
        (
            "[etcd]\n\nlog-outputs = ['stderr']",
            "the etcd flag 'log-outputs' must be a string, a number, true or false, p:3",
            "",
        ),
        (
            "[[member]]\nname = 'a'\nflags = { x = {} }",
            "the etcd flag 'x' must be a string, a number, true or false, p:3",
            "",
        ),
        (
            "[[process]]\nname='a'\ncommand='b'\nafter='redy'",
            "'after' cannot be 'redy', p:4",
            "did you mean 'ready'?",
        ),
        (
            "[supervise]\nrestart = 'x'",
            "'restart' cannot be 'x', p:2",
            "choose one of: never, on-failure, always",
        ),
        # values
        ("[cluster]\nmembers = 0", "'members' must be 1 to 25, not 0, p:2", ""),
        ("[cluster]\nmembers = 26", "'members' must be 1 to 25, not 26, p:2", ""),
        ("[cluster]\nbase_port = 0", "'base_port' must be 1 to 65535, not 0, p:2", ""),
        ("[cluster]\nbase_port = 65536", "'base_port' must be 1 to 65535, not 65536, p:2", ""),
        ("[cluster]\nport_step = 0", "'port_step' must be 1 to 65535, not 0, p:2", ""),
        ("[cluster]\ntoken = ''", "'token' is empty, p:2", "leave it out for the default"),
        (
            "[cluster]\nmembers = 99999999999999999999",
            "'cluster.members' does not fit into 64 bits, p:2",
            "",
        ),
        ("[etcd]\nx = nan", "'etcd.x' must be a finite number, p:2", ""),
        ('[cluster]\ntoken = "a\\u0000"', "'cluster.token' holds a NUL character, p:2", ""),
        (
            "[supervise]\nstop_timeout_s = 0",
            "'stop_timeout_s' must be more than 0 and at most 3600, not 0, p:2",
            "",
        ),
        (
            "[supervise]\nstop_timeout_s = 1e9",
            "'stop_timeout_s' must be more than 0 and at most 3600, not 1e+09, p:2",
            "",
        ),
        # how members are told of each other, and what runs them
        (
            "[cluster]\ndiscovery = 'http://127.0.0.1:2379'",
            "'discovery' needs bootstrap = \"discovery\", p:2",
            "add it to [cluster]",
        ),
        (
            "[cluster]\nbootstrap = 'dns'\ndiscovery_size = 3",
            "'discovery_size' needs bootstrap = \"discovery\", p:3",
            "add it to [cluster]",
        ),
        (
            "[cluster]\nbootstrap = 'discovery'\ndiscovery_size = 0",
            "'discovery_size' must be 1 to 25, not 0, p:3",
            "",
        ),
        (
            "[cluster]\ndns_records = 'records.conf'",
            "'dns_records' needs bootstrap = \"dns\", p:2",
            "add it to [cluster]",
        ),
        (
            "[cluster]\nimage_from_binary = true",
            "'image_from_binary' needs runtime = \"podman\", p:2",
            "add it to [cluster]",
        ),
        (
            "[cluster]\nruntime = 'vm'",
            "'runtime' cannot be 'vm', p:2",
            "choose one of: process, podman, docker",
        ),
        (
            "[cluster]\nbootstrap = 'statc'",
            "'bootstrap' cannot be 'statc', p:2",
            "did you mean 'static'?",
        ),
        # who has no vote
        (
            "[cluster]\nmembers = 3\n[[member]]\nname = 'infra2'\nlearner = true\n"
            "[[member]]\nname = 'infra3'\nlearner = true",
            "'infra2' and 'infra3' are learners, and etcd has one at a time, p:8",
            "etcd-sandbox add --learner brings another when the first was promoted",
        ),
        (
            "[[member]]\nname = 'a'\nlearner = true",
            "the only member cannot be a learner: nobody would vote, p:3",
            "leave it out, or set members in [cluster]",
        ),
        # flags that the sandbox sets
        (
            "[etcd]\nname = 'x'",
            "the etcd flag 'name' is set by etcd-sandbox itself, p:2",
            "set the name in a [[member]]",
        ),
        (
            "[etcd]\nlisten-client-urls = 'x'",
            "the etcd flag 'listen-client-urls' is set by etcd-sandbox itself, p:2",
            "set base_port and port_step in [cluster], or client_port in the [[member]]",
        ),
        (
            "[etcd]\ninitial-cluster-token = 'x'",
            "the etcd flag 'initial-cluster-token' is set by etcd-sandbox itself, p:2",
            "set token in [cluster]",
        ),
        (
            "[[member]]\nname = 'a'\nflags.data-dir = 'x'",
            "the etcd flag 'data-dir' is set by etcd-sandbox itself, p:3",
            "leave it out: the data is kept in the cluster's state directory",
        ),
        (
            "[etcd]\ndiscovery-srv = 'x'",
            "the etcd flag 'discovery-srv' is set by etcd-sandbox itself, p:2",
            'set bootstrap = "discovery" or "dns" in [cluster]',
        ),
        # names and ports
        (
            "[[member]]\nname = 'a'\n[[member]]\nname = 'a'",
            "two members are called 'a', p:4",
            "",
        ),
        (
            "[[member]]\nname = 'a'\nclient_port = 1000\n[[member]]\nname = 'b'\nclient_port = 1000",
            "the members 'a' and 'b' have one client_port, 1000, p:6",
            "",
        ),
        (
            "[[member]]\nname = 'a'\nclient_port = 70000",
            "'client_port' must be 1 to 65535, not 70000, p:3",
            "",
        ),
        (
            "[cluster]\nmembers = 3\n[[member]]\nname = 'infra4'",
            "there is no member 'infra4' to override, p:4",
            "the members are: infra1, infra2, infra3",
        ),
        (
            "[[member]]\nname = 'leader'",
            "'leader' cannot name a member: it selects processes by their role, p:2",
            None,
        ),
        ("[[member]]\nname = ''", "a member's name is empty, p:2", None),
        ("[[member]]\nname = '../x'", "'../x' cannot name a member, p:2", None),
        (
            "[[member]]\nname = 'a=b'",
            "'a=b' cannot name a member: etcd's list of members is written NAME=URL,NAME=URL, p:2",
            "leave out '=' and ','",
        ),
        (
            "[[process]]\nname = 'a'\ncommand = 'x'\n[[process]]\nname = 'a'\ncommand = 'y'",
            "two processes are called 'a', p:5",
            "",
        ),
        (
            "[[process]]\nname = 'infra2'\ncommand = 'x'",
            "the process name 'infra2' belongs to the member 'infra2', p:2",
            "choose another name",
        ),
        (
            "[[process]]\nname = 'etcd2'\ncommand = 'x'",
            "the process name 'etcd2' belongs to the member 'infra2', p:2",
            "choose another name",
        ),
        (
            "[[process]]\nname = 'a'\ncommand = ' '",
            "the process 'a' has an empty command, p:3",
            "",
        ),
        ("[[process]]\nname = 'a b'\ncommand = 'x'", "'a b' cannot name a process, p:2", None),
    ],
)
def test_a_profile_that_cannot_be_run_is_refused_with_its_line(
    text: str, message: str | None, hint: str | None
) -> None:
    with pytest.raises(InputError) as caught:
        parse_profile(text.encode(), "p")
    if message is not None:
        assert str(caught.value) == message
    if hint is not None:
        assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x7fELF\x00", "this is a binary file, not a profile (it holds a NUL byte), p:1"),
        (b"a = 1\nb = '\xff'", "this line is not valid UTF-8, p:2"),
    ],
)
def test_a_profile_that_is_not_text_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_profile(data, "p")
    assert str(caught.value) == message


def test_more_members_than_a_cluster_has_are_refused() -> None:
    text = "".join(f"[[member]]\nname = 'm{index}'\n" for index in range(26))
    with pytest.raises(InputError) as caught:
        parse_profile(text.encode(), "p")
    assert str(caught.value) == "a cluster has 1 to 25 members, not 26, p:51"


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("single", 1),
        ("three", 3),
        ("five", 5),
        ("fast", 3),
        ("discovery", 3),
        ("dns", 3),
        ("containers", 3),
    ],
)
def test_the_built_in_profiles_are_valid_and_described(name: str, count: int) -> None:
    path = find_profile(name)
    profile = parse_profile(path.read_bytes(), path.name)
    assert len(profile.member_names) == count
    assert profile.description


def test_the_fast_profile_has_short_timers() -> None:
    profile = parse_profile(find_profile("fast").read_bytes(), "fast")
    assert profile.etcd == {"heartbeat-interval": 10, "election-timeout": 100}


def test_the_built_in_profiles_are_these() -> None:
    assert sorted(builtin_profiles()) == [
        "containers",
        "discovery",
        "dns",
        "fast",
        "five",
        "learner",
        "single",
        "small",
        "split",
        "three",
    ]


def test_a_path_is_taken_as_it_is() -> None:
    assert str(find_profile("x/y")) == "x/y"
    assert str(find_profile("mine.toml")) == "mine.toml"


@pytest.mark.parametrize("name", ["thre", "zzz", "", "Three"])
def test_an_unknown_name_lists_the_built_in_profiles(name: str) -> None:
    with pytest.raises(InputError) as caught:
        find_profile(name)
    assert str(caught.value) == f"there is no built-in profile {name!r}"
    assert caught.value.hint == (
        f"built in are {', '.join(builtin_profiles())}; a path has a '/' or ends in .toml"
    )

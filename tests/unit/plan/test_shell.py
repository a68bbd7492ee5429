"""How commands are executed, and which of them start an etcd member."""

from __future__ import annotations

import pytest
from etcd_sandbox.plan.shell import etcd_invocation, shell_argv

ENV = {"PORT": "5000", "ETCD": "/opt/etcd", "ETCD_NAME": "outer", "DIR": "a b"}


@pytest.mark.parametrize(
    "command",
    [
        "python app.py",
        "python app.py --port $PORT",
        "web 'a | b' \"c && d\" e\\;f",
        "ls *.py ~/x {a,b}",
        "./run # a comment",
        "/bin/echo hi",
        "sleep 1",
        "env A=1 etcd",
        "a b=c",
    ],
)
def test_a_simple_command_replaces_the_shell(command: str) -> None:
    assert shell_argv(command) == ("/bin/sh", "-c", f"exec {command}")


@pytest.mark.parametrize(
    "command",
    [
        "a | b",
        "a && b",
        "a; b",
        "a &",
        "a > log",
        "a 2>&1",
        "a < in",
        "(a)",
        "a\nb",
        "a $(b)",
        "a `b`",
        'a "$(b)"',
        "{ a; }",
        "! a",
        "if a; then b; fi",
        "while :; do a; done",
        "cd x",
        "echo hi",
        "exec a",
        ". ./x",
        "[ a ]",
        "A=1 b",
        "A= b",
        "$CMD a",
        "${CMD} a",
        "'' a",
        "-a",
        "a 'open",
        "",
        "# nothing",
    ],
)
def test_anything_else_runs_as_it_is_written(command: str) -> None:
    assert shell_argv(command) == ("/bin/sh", "-c", command)


@pytest.mark.parametrize(
    ("command", "program", "argv"),
    [
        ("etcd", "etcd", ()),
        ("etcd --name x", "etcd", ("--name", "x")),
        ("bin/etcd --name x", "bin/etcd", ("--name", "x")),
        ("/usr/bin/etcd -name=x", "/usr/bin/etcd", ("-name=x",)),
        ("'etcd' --name 'a b'", "etcd", ("--name", "a b")),
        ("exec etcd --name x", "etcd", ("--name", "x")),
        ("exec -a me etcd --name x", "etcd", ("--name", "x")),
        ("env etcd", "etcd", ()),
        ("/usr/bin/env etcd a", "etcd", ("a",)),
        ("exec env A=1 etcd", "etcd", ()),
        ("env -- etcd", "etcd", ()),
        ("$ETCD --name x", "/opt/etcd", ("--name", "x")),
        (
            "etcd --listen-client-urls http://127.0.0.1:$PORT",
            "etcd",
            ("--listen-client-urls", "http://127.0.0.1:5000"),
        ),
        ("etcd --name x 2>&1 | tee log", "etcd", ("--name", "x")),
        ("etcd --name x && echo done", "etcd", ("--name", "x")),
        ("etcd --name x > log 2>&1 &", "etcd", ("--name", "x")),
        ("etcd --data-dir \"$DIR\" --name '$X'", "etcd", ("--data-dir", "a b", "--name", "$X")),
    ],
)
def test_a_member_is_recognised(command: str, program: str, argv: tuple[str, ...]) -> None:
    found = etcd_invocation(command, ENV)
    assert found is not None
    assert (found.program, found.argv) == (program, argv)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "etcdctl get x",
        "myetcd",
        "etcd/run",
        "python etcd",
        "sleep 1 && etcd --name x",
        "(etcd)",
        "echo etcd",
        "A=1",
        "exec",
        "env",
        "env -S etcd",
        "env -C /tmp etcd",
        "env -u",
        "etcd 'open",
        "etcd grpc-proxy start --endpoints=x",
        "etcd gateway start",
        "etcd --version",
        "etcd -h",
        "$NOTHING",
    ],
)
def test_anything_else_is_no_member(command: str) -> None:
    assert etcd_invocation(command, ENV) is None


@pytest.mark.parametrize(
    ("command", "environment"),
    [
        ("etcd", ENV),
        ("ETCD_NAME=x etcd", ENV | {"ETCD_NAME": "x"}),
        ("A='a b' B=$PORT C=$DIR exec etcd", ENV | {"A": "a b", "B": "5000", "C": "a b"}),
        ("env A=1 etcd", ENV | {"A": "1"}),
        ("env -i A=1 etcd", {"A": "1"}),
        ("B=2 env - A=1 etcd", {"B": "2", "A": "1"}),
        (
            "env -u ETCD_NAME --unset=DIR etcd",
            {"PORT": "5000", "ETCD": "/opt/etcd"},
        ),
    ],
)
def test_the_environment_of_a_member_is_what_its_command_makes_it(
    command: str, environment: dict[str, str]
) -> None:
    found = etcd_invocation(command, ENV)
    assert found is not None
    assert found.environment(ENV) == environment


@pytest.mark.parametrize(
    ("command", "replaced"),
    [
        ("etcd --name etcd", "'/o pt/etcd' --name etcd"),
        ("A=etcd exec 'etcd' x | y", "A=etcd exec '/o pt/etcd' x | y"),
    ],
)
def test_a_bare_etcd_can_be_replaced_in_its_place(command: str, replaced: str) -> None:
    found = etcd_invocation(command)
    assert found is not None
    assert found.bare
    assert found.with_program(command, "/o pt/etcd") == replaced


def test_an_etcd_with_a_path_is_not_bare() -> None:
    found = etcd_invocation("bin/etcd")
    assert found is not None
    assert not found.bare

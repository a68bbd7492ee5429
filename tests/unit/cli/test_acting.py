"""The verbs, `env` and `ctl`: what they ask, what they print, what they propose next."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sandbox.cli.ctl import unshadowed
from sandbox.cli.env import assignments, detected
from sandbox.etcd import release
from tests.unit.cli.conftest import FakeSupervisor, Ran, member, plan_answer, status_answer

Begin = Callable[..., FakeSupervisor]


def target(member_name: str | None = "infra1", **changes: Any) -> dict[str, Any]:
    return {
        "process": "etcd1",
        "member": member_name,
        "pid": 4242,
        "before": "running",
        "state": "exited",
        "was_leader": False,
        "done": True,
        **changes,
    }


def test_a_kill_says_whom_and_how_and_proposes_the_start(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    answer = {"targets": [target(was_leader=True)]}
    fake = supervisor(**{"act/kill": answer})
    ran = cli("kill", "leader")
    assert ran.out == (
        "killed infra1 (pid 4242, SIGKILL); it was the leader\nnext: etcd-sandbox start infra1\n"
    )
    assert fake.asked[-1].body == {"select": ["leader"], "signal": "SIGKILL", "timeout_s": 30.0}


@pytest.mark.parametrize(
    ("typed", "name"), [("HUP", "SIGHUP"), ("sigterm", "SIGTERM"), ("10", "SIGUSR1")]
)
def test_signals_are_typed_by_name_or_number(
    supervisor: Begin, cli: Callable[..., Ran], typed: str, name: str
) -> None:
    if name == "SIGUSR1":
        import signal

        typed = str(int(signal.SIGUSR1))
    fake = supervisor(**{"act/kill": {"targets": [target(None)]}})
    ran = cli("kill", "web", "--signal", typed)
    assert fake.asked[-1].body["signal"] == name
    assert ran.out == f"sent {name} to etcd1 (pid 4242)\nnext: etcd-sandbox status\n"


def test_an_unknown_signal_is_a_usage_error_with_the_nearest(cli: Callable[..., Ran]) -> None:
    ran = cli("kill", "web", "-s", "KIL")
    assert ran.code == 2
    assert "did you mean SIGKILL?" in ran.err


@pytest.mark.parametrize(
    ("verb", "told", "following"),
    [
        ("start", "started infra1 (pid 4242)", "status"),
        ("stop", "stopped infra1 (pid 4242)", "start infra1"),
        ("restart", "restarted infra1", "status"),
        ("pause", "paused infra1 (pid 4242)", "resume infra1"),
        ("resume", "resumed infra1 (pid 4242)", "status"),
    ],
)
def test_each_verb_tells_what_it_did_and_what_comes_next(
    supervisor: Begin, cli: Callable[..., Ran], verb: str, told: str, following: str
) -> None:
    fake = supervisor(**{f"act/{verb}": {"targets": [target()]}})
    assert cli(verb, "infra1", "--timeout", "2m").out == f"{told}\nnext: etcd-sandbox {following}\n"
    assert fake.asked[-1].body == {"select": ["infra1"], "signal": None, "timeout_s": 120.0}


def test_where_nothing_was_to_do_it_says_why(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    supervisor(**{"act/stop": {"targets": [target(done=False, state="stopped")]}})
    assert cli("stop", "infra1").out == (
        "infra1: nothing to do, it is stopped\nnext: etcd-sandbox status\n"
    )


def test_quiet_leaves_out_the_next_step(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    supervisor(**{"act/stop": {"targets": [target()]}})
    assert cli("-q", "stop", "infra1").out == "stopped infra1 (pid 4242)\n"


def test_with_json_a_verb_prints_the_answer(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    answer = {"verb": "stop", "targets": [target()]}
    supervisor(**{"act/stop": answer})
    assert json.loads(cli("stop", "infra1", "--json").out) == answer


def test_a_refusal_of_the_supervisor_is_shown_with_its_exit_code(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    error = {"what": "no process is called 'x'", "hint": "there is web", "exit_code": 2}
    supervisor(**{"act/stop": (400, {"error": error})})
    ran = cli("stop", "x")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "etcd-sandbox: error: no process is called 'x'\n\nhint: there is web\n"


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        (
            "/bin/bash",
            "export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=http://127.0.0.1:12379,http://127.0.0.1:22379\n",
        ),
        (
            "/usr/bin/fish",
            "set -gx ETCDCTL_API 3; set -gx ETCDCTL_ENDPOINTS http://127.0.0.1:12379,http://127.0.0.1:22379\n",
        ),
    ],
)
def test_env_speaks_the_shell_of_the_user(
    supervisor: Begin,
    cli: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    shell: str,
    line: str,
) -> None:
    monkeypatch.setenv("SHELL", shell)
    supervisor(plan=plan_answer("infra1", "infra2"))
    assert cli("env").out == line


def test_a_shell_that_is_not_known_gets_what_sh_understands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert detected() == "bash"


def test_values_with_blanks_and_quotes_are_quoted() -> None:
    assert assignments({"A": "it's b"}, "bash") == """export A='it'"'"'s b'"""
    assert assignments({"A": "it's b"}, "fish") == r"set -gx A 'it\'s b'"


class Executed(Exception):
    """Stands for the program that takes over."""

    def __init__(self, argv: list[str], env: Mapping[str, str]) -> None:
        self.argv = argv
        self.env = env


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Executed]:
    """Runs `ctl` and gives what it would have executed."""

    def execve(program: str, argv: list[str], env: Mapping[str, str]) -> None:
        raise Executed(argv, env)

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    monkeypatch.setattr(release, "etcdctl_for", lambda path: "/bin/etcdctl")

    def go(*args: str) -> Executed:
        from sandbox.cli.root import root

        with (
            pytest.raises(Executed) as caught,
            root.make_context("etcd-sandbox", ["ctl", *args]) as context,
        ):
            root.invoke(context)
        return caught.value

    return go


def test_ctl_passes_everything_on(supervisor: Begin, executed: Callable[..., Executed]) -> None:
    supervisor(plan=plan_answer("infra1", "infra2"))
    line = ("get", "--prefix", "", "-w", "json", "-c", "--on", "-q")
    ran = executed(*line)
    assert ran.argv == ["/bin/etcdctl", *line]
    assert ran.env["ETCDCTL_ENDPOINTS"] == "http://127.0.0.1:12379,http://127.0.0.1:22379"


def test_ctl_takes_flags_of_etcdctl_before_its_command(
    supervisor: Begin, executed: Callable[..., Executed]
) -> None:
    supervisor(plan=plan_answer("infra1"))
    assert executed("--write-out=table", "endpoint", "status").argv[1:] == [
        "--write-out=table",
        "endpoint",
        "status",
    ]


def test_ctl_on_a_role_talks_to_that_member_only(
    supervisor: Begin, executed: Callable[..., Executed]
) -> None:
    supervisor(
        plan=plan_answer("infra1", "infra2"),
        status=status_answer(member("infra1"), member("infra2", role="leader")),
    )
    ran = executed("--on", "leader", "endpoint", "health")
    assert ran.env["ETCDCTL_ENDPOINTS"] == "http://127.0.0.1:22379"


def test_a_variable_whose_flag_is_given_is_left_out() -> None:
    variables = {"ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": "a"}
    assert unshadowed(variables, ("--endpoints=b", "get", "x")) == {"ETCDCTL_API": "3"}
    assert unshadowed(variables, ("--endpoints", "b")) == {"ETCDCTL_API": "3"}
    assert unshadowed(variables, ("get", "endpoints")) == variables


def test_down_waits_until_nothing_runs(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    fake = supervisor(plan=plan_answer("infra1"), shutdown={"stopping": True})
    assert cli("down", "--kill").out == "stopped default\nnext: etcd-sandbox up\n"
    assert fake.asked[-1].body == {"kill": True, "purge": False}


def test_apply_tells_what_it_did() -> None:
    from sandbox.cli.apply import told

    answer = {"changed": ["web"], "came": ["db", "api"], "went": [], "members_changed": False}
    assert told(answer, dry_run=False) == ["changed: web", "started: db, api"]
    assert told(answer, dry_run=True) == ["would be changed: web", "would be started: db, api"]
    nothing: dict[str, Any] = {"changed": [], "came": [], "went": []}
    assert told(nothing, dry_run=False) == ["nothing to do: what runs is what the input says"]

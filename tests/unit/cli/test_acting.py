"""The verbs, `env` and `ctl`: what they ask, what they print, what they propose next."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from etcd_sandbox.cli import diagnostics
from etcd_sandbox.cli.ctl import assignments, detected
from etcd_sandbox.etcd import release
from etcd_sandbox.host.etcdctl import unshadowed
from etcd_sandbox.verbs import VERBS, Option, Verb

from tests.unit.cli.conftest import Ran
from tests.unit.conftest import FakeSupervisor, member, plan_answer, status_answer

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


def verdict(verb: str, *processes: dict[str, Any], **figures: Any) -> dict[str, Any]:
    """What the supervisor answers to a verb."""
    names = [process["member"] or process["process"] for process in processes]
    return {"verb": verb, "targets": names, "processes": list(processes), **figures}


FAILOVER = {
    "leader_before": "infra1",
    "leader_after": "infra3",
    "term_before": 2,
    "term_after": 3,
    "leader_gap_s": 1.121,
    "read_gap_s": 1.144,
    "reads": {"how": "failed", "gap_s": 1.144, "wait_s": 0.001},
    "quorum": {"voters": 3, "needed": 2, "healthy": 2, "ok": True},
    "leaders": [{"member": "infra3", "term": 3}],
    "up": 2,
    "reach": 2,
}


def test_a_kill_says_whom_and_how_and_proposes_the_start(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    answer = verdict("kill", target(was_leader=True), **FAILOVER)
    fake = supervisor(**{"act/kill": answer})
    ran = cli("kill", "leader")
    assert ran.out.splitlines() == [
        "killed infra1 (pid 4242, SIGKILL); it was the leader",
        "  infra1 → infra3 · term 2 → 3 · 1.12 s without a leader · reads failed for 1.14 s",
        "next: etcd-sandbox start infra1",
    ]
    asked = {"select": ["leader"], "signal": "SIGKILL", "timeout_s": 30.0, "wait": True}
    assert asked.items() <= fake.asked[-1].body.items()


def test_a_change_of_the_members_is_told_with_the_commands_that_do_the_same(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    answer = verdict(
        "add",
        target("infra4", before="stopped", state="running"),
        notes=["infra4 waited 4.4 s: for this"],
        equivalents=["etcdctl member add infra4 --learner", "etcd --name=infra4 …"],
    )
    fake = supervisor(**{"act/add": answer})
    ran = cli("add", "infra4", "--learner")
    assert ran.out.splitlines() == [
        "added infra4 (pid 4242)",
        "  infra4 waited 4.4 s: for this",
        "  same as: etcdctl member add infra4 --learner",
        "  same as: etcd --name=infra4 …",
        "next: etcd-sandbox promote infra4",
    ]
    (ordered,) = (asked for asked in fake.asked if asked.path == "/v1/act/add")
    assert {"select": [], "name": "infra4", "learner": True}.items() <= ordered.body.items()


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("promote infra1", "promoted infra1: it votes from now on"),
        ("remove infra1 --force", "removed infra1"),
        ("replace infra1", "replaced infra1: a new member of that name, with a new ID and no old data"),
    ],
)  # fmt: skip
def test_each_change_of_the_members_has_its_words(
    supervisor: Begin, cli: Callable[..., Ran], typed: str, line: str
) -> None:
    verb = typed.split()[0]
    fake = supervisor(**{f"act/{verb}": verdict(verb, target())})
    assert cli(*typed.split()).out.splitlines() == [line, "next: etcd-sandbox status"]
    (ordered,) = (asked for asked in fake.asked if asked.path == f"/v1/act/{verb}")
    assert ordered.body["force"] is ("--force" in typed)


def test_a_cluster_that_does_not_settle_in_time_is_told_with_its_exit_code(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    supervisor(**{"act/kill": verdict("kill", target(), settled=False)})
    ran = cli("kill", "infra1", "--timeout", "1s")
    assert ran.code == 4
    assert ran.out.startswith("killed infra1")
    assert "the cluster has not settled within 1 s" in ran.err


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("partition leader", {"select": ["leader"], "versus": []}),
        (
            "partition infra1 infra2 vs infra3",
            {"select": ["infra1", "infra2"], "versus": ["infra3"]},
        ),
        ("cut infra1 infra2", {"select": ["infra1"], "versus": ["infra2"]}),
        (
            "slow all --delay 200ms --jitter 50ms",
            {"select": ["all"], "versus": [], "delay_s": 0.2, "jitter_s": 0.05},
        ),
        ("slow infra1 vs infra2 --delay 1s", {"select": ["infra1"], "versus": ["infra2"]}),
        ("partition infra1 vs infra2 --one-way", {"versus": ["infra2"], "one_way": True}),
        ("cut infra1 infra2 --one-way --for 10s", {"one_way": True, "for_s": 10.0}),
        ("slow all --delay 1s --one-way --after 1m", {"one_way": True, "after_s": 60.0}),
        ("partition leader vs clients --refuse", {"versus": ["clients"], "refuse": True}),
        ("cut infra2 clients", {"select": ["infra2"], "versus": ["clients"], "refuse": False}),
        ("reset infra1 vs clients", {"select": ["infra1"], "versus": ["clients"]}),
        ("throttle infra1 --rate 64KB/s", {"select": ["infra1"], "bytes_per_s": 64000.0}),
        ("throttle infra1 vs infra2 --rate 1MiB/s", {"bytes_per_s": 2.0**20}),
        ("throttle infra1 --rate 10Mbit/s", {"bytes_per_s": 1.25e6}),
        ("flaky all --stall 5% --reset 0.5% --seed 7", {"stall": 0.05, "reset": 0.005, "seed": 7}),
        ("reset infra1 vs infra2", {"select": ["infra1"], "versus": ["infra2"]}),
        ("starve leader --share 20% --for 2s", {"select": ["leader"], "share": 0.2, "for_s": 2.0}),
        ("heal --no-wait", {"select": [], "wait": False}),
        ("move-leader random --seed 7", {"select": ["random"], "seed": 7}),
    ],
)
def test_what_is_done_between_members_is_asked_for_in_the_same_way(
    supervisor: Begin, cli: Callable[..., Ran], typed: str, asked: dict[str, Any]
) -> None:
    verb = typed.split()[0]
    fake = supervisor(**{f"act/{verb}": verdict(verb, target())})
    assert cli(*typed.split()).code == 0
    assert asked.items() <= fake.asked[-1].body.items()
    assert fake.asked[-1].path == f"/v1/act/{verb}"


@pytest.mark.parametrize(
    ("typed", "what"),
    [
        ("partition infra1 vs", "'vs' stands once, between the two sides"),
        ("partition vs infra1", "'vs' stands once, between the two sides"),
        ("slow all --delay 0s", "the delay must be longer than nothing"),
        ("slow all --delay 10ms --jitter 20ms", "longer than the delay"),
        ("slow all --delay 2m", "the delay is more than 0 ms and at most 60 s, not 120 s"),
        ("pause leader --for 0s", "the time of --for must be longer than nothing"),
        (
            "pause leader --after 2d",
            "the time of --after is more than 0 ms and at most 86400 s, not 172800 s",
        ),
        ("starve leader --share 0%", "the share is more than 0 % and at most 99 %, not 0 %"),
        ("starve leader --share 101%", "the share is more than 0 % and at most 99 %, not 101 %"),
        ("starve leader --share 20", "'20' is not a share (write it like 20% or 0.5%)"),
        ("flaky all", "flaky does nothing without --stall or --reset"),
        ("flaky all --stall 101%", "the stall is at least 0 % and at most 100 %, not 101 %"),
        ("throttle all --rate 64", "'64' is a rate without its unit (write it like 64KB/s"),
        ("throttle all --rate fast", "'fast' is not a rate (write it like 64KB/s"),
        ("throttle all --rate 0KB/s", "the rate is more than 0 B/s"),
    ],
)
def test_sides_and_figures_that_mean_nothing_are_refused(
    cli: Callable[..., Ran], typed: str, what: str
) -> None:
    ran = cli(*typed.split())
    assert ran.code == 2
    assert what in ran.err
    assert ran.err.count("error:") == 1


@pytest.mark.parametrize(
    ("verb", "option"),
    [
        (verb, option)
        for verb in VERBS.values()
        for option in verb.takes
        if option.default is None and not option.optional
    ],
    ids=lambda each: str(getattr(each, "parameter", each)),
)
def test_an_option_that_must_be_given_is_missed(
    verb: Verb, option: Option, cli: Callable[..., Ran]
) -> None:
    ran = cli(verb.name, "infra1")
    assert ran.code == 2
    assert f"missing option '{option.flags[0]}'" in ran.err


@pytest.mark.parametrize(
    ("typed", "versus", "changes", "line", "following"),
    [
        (
            "partition leader",
            ["infra2", "infra3"],
            {"was_leader": True},
            "cut infra1 off from infra2, infra3; it was the leader",
            "heal",
        ),
        ("cut infra1 infra2", ["infra2"], {}, "cut the link between infra1 and infra2", "heal"),
        (
            "cut infra1 infra2",
            ["infra2"],
            {"done": False},
            "infra1: nothing to do, it is so already",
            "heal",
        ),
        (
            "slow infra1 --delay 50ms",
            ["infra1", "infra2"],
            {},
            "slowed the links of infra1 by 50 ms a way",
            "heal",
        ),
        (
            "slow infra1 vs infra2 --delay 1s --jitter 100ms",
            ["infra2"],
            {},
            "slowed the links of infra1 to infra2 by 1 s ± 100 ms a way",
            "heal",
        ),
        (
            "partition infra1 --one-way",
            ["infra2", "infra3"],
            {"was_leader": True},
            "cut what infra1 sends to infra2, infra3; infra1 was the leader",
            "heal",
        ),
        ("cut infra1 infra2 --one-way", ["infra2"], {}, "cut what infra1 sends to infra2", "heal"),
        ("partition infra1 vs clients", ["clients"], {}, "cut infra1 off from clients", "heal"),
        (
            "partition infra1 vs clients --refuse",
            ["clients"],
            {"was_leader": True},
            "cut infra1 off from clients, who are refused; infra1 was the leader",
            "heal",
        ),
        (
            "reset infra1 vs clients",
            ["clients"],
            {},
            "reset the connections of infra1 to clients",
            "status",
        ),
        (
            "slow infra1 --delay 1s --one-way --for 90s",
            ["infra2"],
            {},
            "slowed what infra1 sends to infra2 by 1 s, for 90 s",
            "heal",
        ),
        (
            "throttle infra1 vs infra2 --rate 64KB/s",
            ["infra2"],
            {},
            "throttled the links of infra1 to infra2 to 64 KB/s a way",
            "heal",
        ),
        (
            "flaky infra1 --stall 5% --reset 1%",
            ["infra1", "infra2"],
            {},
            "made the links of infra1 flaky: 5 % of the pieces stall, 1 % reset their connection",
            "heal",
        ),
        ("reset infra1", ["infra1"], {}, "reset the peer connections of infra1", "status"),
        (
            "starve infra1 --share 20% --for 3s",
            [],
            {"was_leader": True},
            "starved infra1 (pid 4242), for 3 s; it was the leader",
            "resume infra1",
        ),
        ("heal", [], {}, "healed infra1", "status"),
        ("move-leader infra1", [], {}, "moved leadership to infra1", "status"),
        (
            "move-leader infra1",
            [],
            {"done": False},
            "infra1: nothing to do, it leads already",
            "status",
        ),
        (
            "kill random --seed 7",
            [],
            {},
            "killed infra1 (pid 4242, SIGKILL) (random, seed 7)",
            "start infra1",
        ),
    ],
)
def test_what_was_done_between_members_is_told(
    supervisor: Begin,
    cli: Callable[..., Ran],
    typed: str,
    versus: list[str],
    changes: dict[str, Any],
    line: str,
    following: str,
) -> None:
    verb = typed.split()[0]
    supervisor(**{f"act/{verb}": verdict(verb, target(**changes), versus=versus)})
    assert cli(*typed.split()).out == f"{line}\nnext: etcd-sandbox {following}\n"


def test_with_nothing_to_heal_it_says_so(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    supervisor(**{"act/heal": verdict("heal")})
    assert cli("heal").out.splitlines()[0] == "nothing to heal: no fault is there"


def test_what_is_to_come_is_said_with_its_time(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    supervisor(
        **{
            "act/partition": {
                "verb": "partition",
                "targets": ["leader"],
                "versus": ["infra1"],
                "in_s": 90.0,
            }
        }
    )
    ran = cli("partition", "leader", "vs", "infra1", "--after", "90s")
    assert ran.out == "in 90 s: partition leader vs infra1\nnext: etcd-sandbox events -f\n"


def test_random_without_a_seed_says_which_one_it_took(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    fake = supervisor(**{"act/kill": verdict("kill", target())})
    out = cli("kill", "random").out
    assert f"(random, seed {fake.asked[-1].body['seed']})" in out


@pytest.mark.parametrize(
    ("typed", "name"), [("HUP", "SIGHUP"), ("sigterm", "SIGTERM"), ("10", "SIGUSR1")]
)
def test_signals_are_typed_by_name_or_number(
    supervisor: Begin, cli: Callable[..., Ran], typed: str, name: str
) -> None:
    if name == "SIGUSR1":
        import signal

        typed = str(int(signal.SIGUSR1))
    fake = supervisor(**{"act/kill": verdict("kill", target(None))})
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
    fake = supervisor(**{f"act/{verb}": verdict(verb, target())})
    assert cli(verb, "infra1", "--timeout", "2m").out == f"{told}\nnext: etcd-sandbox {following}\n"
    asked = {"select": ["infra1"], "signal": None, "timeout_s": 120.0}
    assert asked.items() <= fake.asked[-1].body.items()


def test_where_nothing_was_to_do_it_says_why(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    supervisor(**{"act/stop": verdict("stop", target(done=False, state="stopped"))})
    assert cli("stop", "infra1").out == (
        "infra1: nothing to do, it is stopped\nnext: etcd-sandbox status\n"
    )


def test_quiet_leaves_out_the_next_step(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    supervisor(**{"act/stop": verdict("stop", target())})
    assert cli("-q", "stop", "infra1").out == "stopped infra1 (pid 4242)\n"


def test_with_json_a_verb_prints_the_answer(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    answer = verdict("stop", target(), **FAILOVER)
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
        from etcd_sandbox.cli.root import root

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


def test_ctl_leaves_out_what_is_meant_for_another_cluster_and_says_so(
    supervisor: Begin,
    executed: Callable[..., Executed],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ETCDCTL_CACERT", "/etc/other/ca.crt")
    monkeypatch.setenv("ETCDCTL_DIAL_TIMEOUT", "9s")
    supervisor(plan=plan_answer("infra1"))
    ran = executed("get", "key")
    assert "ETCDCTL_CACERT" not in ran.env
    assert ran.env["ETCDCTL_DIAL_TIMEOUT"] == "9s"
    assert capfd.readouterr().err == (
        "etcd-sandbox: ETCDCTL_CACERT of your environment is left out: "
        "the members of this cluster serve without TLS\n"
    )


@pytest.mark.parametrize(
    ("shell", "begin"), [("bash", "unset ETCDCTL_CERT; export "), ("fish", "set -e ETCDCTL_CERT; ")]
)
def test_env_unsets_what_is_meant_for_another_cluster(
    supervisor: Begin,
    cli: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    shell: str,
    begin: str,
) -> None:
    monkeypatch.setenv("ETCDCTL_CERT", "/etc/other/client.crt")
    supervisor(plan=plan_answer("infra1"))
    assert cli("env", "--shell", shell).out.startswith(begin)


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


def test_down_says_whom_it_waits_for(
    supervisor: Begin, cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = threading.Event()
    note = diagnostics.note

    def noted(text: str) -> None:
        note(text)
        said.set()

    monkeypatch.setattr("etcd_sandbox.cli.waiting.NAMED_AFTER_S", 0.01)
    monkeypatch.setattr("etcd_sandbox.cli.diagnostics.note", noted)
    monkeypatch.setattr("etcd_sandbox.host.start.wait_until_gone", lambda *_: said.wait(10))
    status = status_answer(member("infra1", pid=7))
    status["processes"] = [
        {"name": "web", "state": "stopping", "pid": 8},
        {"name": "db", "state": "exited", "pid": None},
    ]
    supervisor(plan=plan_answer("infra1"), shutdown={"stopping": True}, status=status)
    ran = cli("down")
    assert ran.out == "stopped default\nnext: etcd-sandbox up\n"
    assert ran.err == (
        "etcd-sandbox: waiting for infra1 (pid 7), web (pid 8); "
        "etcd-sandbox -c default down --kill ends them at once\n"
    )


def test_down_names_nobody_where_the_end_is_quick(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    supervisor(
        plan=plan_answer("infra1"), shutdown={"stopping": True}, status=status_answer(member())
    )
    assert cli("down").err == ""


def test_apply_of_what_came_through_a_pipe_says_what_to_do(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    source = {"kind": "procfile", "path": "/dev/fd/63", "texts": {"/dev/fd/63": "a: x\n"}}
    fake = supervisor(plan={"source": source, "processes": []})
    ran = cli("apply")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "etcd-sandbox: error: the Procfile of this cluster came through a pipe, "
        "so there is no file to be edited, /dev/fd/63\n\n"
        "hint: put the Procfile into a file, then etcd-sandbox down and etcd-sandbox up -f FILE\n"
    )
    assert [asked.path for asked in fake.asked if asked.path == "/v1/apply"] == []


def test_apply_tells_what_it_did() -> None:
    from etcd_sandbox.cli.apply import told

    answer = {"changed": ["web"], "came": ["db", "api"], "went": [], "refused": ""}
    assert told(answer, dry_run=False) == ["changed: web", "started: db, api"]
    assert told(answer, dry_run=True) == ["would be changed: web", "would be started: db, api"]
    nothing: dict[str, Any] = {"changed": [], "came": [], "went": []}
    assert told(nothing, dry_run=False) == ["nothing to do: what runs is what the input says"]
    moved = {"process": "etcd2", "member": "infra2", "before": "http://a:1", "after": "http://a:2"}
    assert told(nothing | {"moved": [moved]}, dry_run=False) == [
        "dialled by its peers at http://a:2, not at http://a:1: infra2"
    ]
    assert told(nothing | {"refused": "bootstrap"}, dry_run=True) == [
        "the bootstrap differs: a running cluster does not take that from a file"
    ]

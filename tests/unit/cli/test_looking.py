"""`status`, `logs`, `events`, `ls`: what they print."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.cli.status import lines
from etcd_sandbox.cli.up import show_begun
from etcd_sandbox.control.wire import NOW_FRAME, lines_header, skipped_frame
from etcd_sandbox.inputs.caller import Planned
from etcd_sandbox.model.spec import ClusterSpec, Source, SourceKind

from tests.unit.cli.conftest import Ran
from tests.unit.conftest import FakeSupervisor, member, plan_answer, status_answer

Begin = Callable[..., FakeSupervisor]
PLANS = Path(__file__).parents[2] / "fixtures" / "plans"

NOON_US = 1_700_000_000_000_000


def frame(process: str, data: bytes, seq: int = 1) -> bytes:
    return lines_header(seq, NOON_US, len(data), process) + data


def test_status_lines_up_its_columns() -> None:
    killed = member(
        "infra2",
        state="exited",
        role=None,
        healthy=False,
        pid=None,
        revision=None,
        exit={"code": None, "signal": "SIGKILL", "ts": ""},
    )
    shown = lines(status_answer(member("infra1", role="leader"), killed))
    assert shown[0] == (
        "cluster default · leader infra1 (term 2) · quorum: 3 of 3 healthy, 2 needed · up for 1m01s"
    )
    head, first, second = shown[2:5]
    for column in ("STATE", "ROLE", "HEALTH", "CLIENT"):
        at = head.index(column)
        assert first[at - 1] == second[at - 1] == " "
        assert first[at] != " "
        assert second[at] != " "
    assert "exited: killed by SIGKILL" in second
    assert "20.0 KiB" in first
    assert "1m15s" in first


def test_status_without_leader_or_quorum_says_so() -> None:
    quorum = {"voters": 3, "needed": 2, "healthy": 1, "ok": False}
    shown = lines(status_answer(member(), leader=None, term=None, quorum=quorum))
    assert "no leader · no quorum: 1 of 3 healthy, 2 needed" in shown[0]


def test_a_leader_whose_term_is_not_known_is_shown_without_one() -> None:
    answer = status_answer(member(role="leader", term=None), leader="infra1", term=None)
    assert "· leader infra1 · quorum:" in lines(answer)[0]


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ({}, ["infra2 still believes that it leads (term 2)"]),
        ({"term": None}, ["infra2 still believes that it leads"]),
        ({"own_cluster": True}, []),
    ],
)
def test_of_two_leaders_the_one_that_leads_no_cluster_of_its_own_is_said_to_be_wrong(
    says: dict[str, object], told: list[str]
) -> None:
    answer = status_answer(
        member("infra1", role="leader"), member("infra2", role="leader", **says), leader="infra1"
    )
    assert [line for line in lines(answer) if "still believes" in line] == told


def test_status_of_processes_alone_has_no_members() -> None:
    process = {
        "name": "web",
        "state": "running",
        "pid": 7,
        "cpu_percent": None,
        "rss_bytes": None,
        "restarts": 2,
        "uptime_s": 1.0,
        "exit": None,
        "command": "sleep 100",
    }
    text = "\n".join(lines(status_answer(processes=[process])))
    assert "MEMBER" not in text
    assert "quorum" not in text
    assert "sleep 100" in text


def test_status_json_is_the_answer_itself(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    answer = status_answer(member())
    fake = supervisor(status=answer)
    assert json.loads(cli("status", "--json", "--hash").out) == answer
    assert fake.asked[0].query == {"hash": ["1"]}


def test_no_colour_where_stdout_is_no_terminal(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    supervisor(status=status_answer(member()))
    assert "\x1b" not in cli("status").out


def test_logs_are_merged_with_their_bytes_unchanged(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    stream = frame("etcd1", b"one\n\n") + frame("web", b"two\n") + NOW_FRAME + skipped_frame(3)
    fake = supervisor(plan=plan_answer("infra1"), logs=stream)
    out = cli("logs", "web", "leader", "-n", "5").out.splitlines()
    assert [line[9:] for line in out[:3]] == ["etcd1   | one", "etcd1   | ", "web     | two"]
    assert out[3] == "… 3 lines skipped …"
    query = fake.asked[-1].query
    assert (query["select"], query["tail"], query["follow"]) == (["web", "leader"], ["5"], ["0"])


def test_logs_since_a_moment_are_asked_for_in_microseconds(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    fake = supervisor(plan=plan_answer("infra1"), logs=b"")
    assert cli("logs", "--since", "2023-11-14T22:13:20Z").code == 0
    assert fake.asked[-1].query["since_us"] == [str(NOON_US)]


def test_the_last_lines_that_match_are_counted_after_the_matching(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    past = b"".join(b"%d %s\n" % (i, b"even" if i % 2 == 0 else b"odd") for i in range(10))
    stream = frame("web", past) + NOW_FRAME + frame("web", b"10 even\n11 odd\n")
    fake = supervisor(plan=plan_answer("infra1"), logs=stream)
    out = cli("logs", "-n", "2", "-f", "--grep", "ev.n$").out.splitlines()
    assert [line.split("| ")[1] for line in out] == ["6 even", "8 even", "10 even"]
    assert "tail" not in fake.asked[-1].query


@pytest.mark.parametrize(
    ("level", "kept"),
    [("debug", "dwei"), ("info", "wei"), ("WARN", "we"), ("error", "e"), ("fatal", "")],
)
def test_a_level_keeps_what_is_at_least_so_grave(
    supervisor: Begin, cli: Callable[..., Ran], level: str, kept: str
) -> None:
    names = {"d": "debug", "w": "warn", "e": "error", "i": "info"}
    past = b"".join(
        b'{"level":"%s","msg":"%s"}\n' % (word.encode(), letter.encode())
        for letter, word in names.items()
    )
    supervisor(plan=plan_answer("infra1"), logs=frame("etcd1", past + b"no level\n") + NOW_FRAME)
    out = cli("logs", "--level", level).out.splitlines()
    assert [json.loads(line.split("| ")[1])["msg"] for line in out] == list(kept)


def test_a_bad_regular_expression_is_a_usage_error(cli: Callable[..., Ran]) -> None:
    ran = cli("logs", "--grep", "(")
    assert ran.code == 2
    assert "is not a regular expression" in ran.err


EVENTS: list[dict[str, Any]] = [
    {"seq": 1, "ts": "2026-01-31T12:00:00.250000Z", "kind": "cluster.ready", "after_s": 0.4},
    {"seq": 2, "ts": "2026-01-31T12:00:01.000000Z", "kind": "raft.leader_elected", "member": "a"},
]


def test_events_are_sentences_with_a_clock(supervisor: Begin, cli: Callable[..., Ran]) -> None:
    supervisor(events="\n".join(map(json.dumps, EVENTS)).encode())
    first, second = cli("events").out.splitlines()
    assert first.endswith(":00.250 cluster ready in 0.40 s")
    assert second.endswith(" a leads")


def test_the_last_events_are_not_all_requests_of_a_member_alone(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    ts = EVENTS[0]["ts"]
    asks = {"ts": ts, "kind": "raft.candidate", "member": "b", "term": 1, "pre_vote": True}
    supervisor(events="\n".join(map(json.dumps, [*EVENTS, *[asks] * 30])).encode())
    leads, *others = cli("events", "-n", "3").out.splitlines()
    assert leads.endswith(" a leads")
    assert [line.partition(" ")[2] for line in others] == [
        "b asks whether it could win (term 1)",
        "b asked 29 times more whether it could win (term 1)",
    ]
    assert len(cli("events", "-n", "3", "--json").out.splitlines()) == 32, (
        "as the server tells them"
    )


def test_events_as_json_are_the_lines_of_the_file(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    fake = supervisor(events="\n".join(map(json.dumps, EVENTS)).encode())
    out = cli("events", "--json", "-n", "9").out.splitlines()
    assert [json.loads(line) for line in out] == EVENTS
    assert fake.asked[-1].query == {"follow": ["0"], "tail": ["9"]}


def test_ls_tells_of_clusters_by_their_recorded_plans(
    supervisor: Begin, cli: Callable[..., Ran]
) -> None:
    fake = supervisor("old")
    fake.paths.supervisor.unlink()
    fake.paths.plan.write_bytes((PLANS / "13c6036-profile.json").read_bytes())
    [cluster] = json.loads(cli("ls", "--json").out)["clusters"]
    assert cluster["state"] == "stopped"
    assert cluster["members"] == ["infra1", "infra2", "infra3", "infra4"]
    assert cluster["ports"] == [15000, 15100, 15200, 15300]
    ports, made_of = "15000,15100,15200,15300", "/home/ann/work/own.toml"
    out = cli("ls").out.splitlines()
    assert out[1].split() == ["old", "stopped", "4", "1", ports, made_of, "3.5.1"]


def test_ls_without_clusters_names_the_next_step(cli: Callable[..., Ran]) -> None:
    assert cli("ls").out == "no clusters yet\nnext: etcd-sandbox up\n"
    assert cli("ls", "-q").out == "no clusters yet\n"


def test_what_a_start_has_become_is_told_for_what_there_is(
    supervisor: Callable[..., FakeSupervisor], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = status_answer()
    answer["processes"] = [
        {"name": "web", "state": "running", "pid": 12, "exit": None},
        {"name": "job", "state": "exited", "pid": None, "exit": {"code": 0, "note": "why"}},
        {
            "name": "gone",
            "state": "exited",
            "pid": None,
            "exit": {"code": None, "signal": "SIGKILL"},
        },
        {"name": "later", "state": "stopped", "pid": None, "exit": None},
    ]
    fake = supervisor(status=answer)
    planned = Planned(
        ClusterSpec(name="default", source=Source(kind=SourceKind.PROCFILE), processes=()), ""
    )
    show_begun({"ready": True, "ready_s": 0.1}, planned, fake.paths)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "web: running (pid 12)",
        "job: exited: exit status 0 (why)",
        "gone: exited: killed by SIGKILL",
        "later: stopped",
        "next: etcd-sandbox status",
        "next: etcd-sandbox logs -f",
        "next: etcd-sandbox down",
    ]
    fake.answers["/v1/status"] = status_answer(member("infra1"))
    show_begun({"ready": True, "ready_s": 0.1}, planned, fake.paths)
    assert "next: etcd-sandbox kill leader" in capsys.readouterr().out


def test_what_may_be_why_processes_ended_is_said_once() -> None:
    answer = status_answer()
    exit_ = {"code": 0, "signal": None, "ts": "", "error": None, "note": "why"}
    answer["processes"] = [
        {
            "name": name,
            "state": "running" if pid else "exited",
            "pid": pid,
            "cpu_percent": None,
            "rss_bytes": None,
            "restarts": 0,
            "uptime_s": None,
            "command": "cat",
            "exit": exit_,
        }
        for name, pid in (("a", None), ("b", None), ("runs", 7))
    ]
    assert lines(answer)[-1] == "a, b ended at once (why)"
    assert sum("why" in line for line in lines(answer)) == 1

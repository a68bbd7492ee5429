from __future__ import annotations

import time

import pytest
from etcd_sandbox.etcd.logline import fatal_cause, level_of
from etcd_sandbox.etcd.raftlog import Sign, SignKind, scan
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.etcd import lines

A, B = "41a2461315739f7e", "f79cae588a687a63"


def kinds(text: bytes) -> list[SignKind]:
    return [sign.kind for sign in scan(text)]


def only(text: bytes, kind: SignKind) -> Sign:
    (sign,) = [sign for sign in scan(text) if sign.kind is kind]
    return sign


def test_all_signs_of_34s_own_form_are_found_in_order() -> None:
    assert kinds(lines.CAPNSLOG) == [
        SignKind.PEER_SERVING,
        SignKind.BECAME_CANDIDATE,
        SignKind.BECAME_LEADER,
        SignKind.ELECTED,
        SignKind.PUBLISHED,
        SignKind.CLIENT_SERVING,
        SignKind.TRANSFER_STARTED,
        SignKind.LOST_LEADER,
        SignKind.REMOVED,
    ]


def test_34s_zap_with_capnslog_lines_between_is_read() -> None:
    assert kinds(lines.ZAP_34) == [
        SignKind.PEER_SERVING,
        SignKind.BECAME_CANDIDATE,
        SignKind.CLIENT_SERVING,
        SignKind.CHANGED_LEADER,
    ]


def test_all_signs_of_35_are_found_in_order() -> None:
    assert kinds(lines.ZAP_35) == [
        SignKind.PEER_SERVING,
        SignKind.BECAME_CANDIDATE,
        SignKind.BECAME_CANDIDATE,
        SignKind.BECAME_LEADER,
        SignKind.PUBLISHED,
        SignKind.CLIENT_SERVING,
        SignKind.TRANSFER_STARTED,
        SignKind.STEPPED_DOWN,
        SignKind.REMOVED,
    ]


@pytest.mark.parametrize(
    "line",
    [
        b'{"level":"panic","ts":"2026-11-22T17:05:53.580Z","caller":"membership/cluster.go:813",'
        b'"msg":"failed to find local ID in cluster members","cluster-id":"10ab2531",'
        b'"local-member-id":"a243fbd0507a8eb7","stacktrace":"go.etcd.io/etcd"}\n',
        b"2026-11-22 17:05:53.580000 C | etcdserver/membership: failed to find local ID "
        b"a243fbd0507a8eb7 in cluster 10ab2531\n",
    ],
)
def test_a_member_that_panics_for_want_of_itself_was_removed(line: bytes) -> None:
    assert kinds(line) == [SignKind.REMOVED]


def test_36_and_37_are_read() -> None:
    assert kinds(lines.ZAP_36) == [
        SignKind.PEER_SERVING,
        SignKind.CHANGED_LEADER,
        SignKind.LOST_LEADER,
    ]
    assert kinds(lines.ZAP_37) == [SignKind.CLIENT_SERVING, SignKind.ELECTED]


@pytest.mark.parametrize(
    "text",
    [
        b'{"level":"info","ts":"2026-11-22T20:27:42.666Z","caller":"etcdmain/etcd.go:242","msg":"v2 API proxy starting"}\n'
        b'{"level":"info","ts":"2026-11-22T20:27:42.669Z","caller":"etcdmain/etcd.go:416","msg":"v2 proxy started listening on client requests","host":"http://127.0.0.1:14379"}\n',
        b"2026-11-22 20:27:38.379452 N | etcdmain: proxy: this proxy supports v2 API only!\n"
        b'2026-11-22 20:27:38.384219 I | etcdmain: v2 proxy started listening on client requests on "http://127.0.0.1:14379"\n',
    ],
)
def test_one_that_becomes_a_proxy_says_so_and_then_serves(text: bytes) -> None:
    assert kinds(text) == [SignKind.PROXY, SignKind.CLIENT_SERVING]
    assert scan(text, starting=False) == []


def test_a_pre_candidate_is_told_from_a_candidate() -> None:
    pre, candidate = (sign for sign in scan(lines.ZAP_35) if sign.kind is SignKind.BECAME_CANDIDATE)
    assert (pre.pre_vote, pre.term, pre.member_id) == (True, 1, A)
    assert (candidate.pre_vote, candidate.term, candidate.member_id) == (False, 2, A)


def test_leaders_and_terms_are_told() -> None:
    leader = only(lines.ZAP_35, SignKind.BECAME_LEADER)
    assert (leader.member_id, leader.leader_id, leader.term) == (A, A, 2)
    elected = only(lines.ZAP_37, SignKind.ELECTED)
    assert (elected.member_id, elected.leader_id, elected.term) == (
        "57030f3b083451c7",
        "359a1f5d077b2134",
        3,
    )
    changed = only(lines.ZAP_36, SignKind.CHANGED_LEADER)
    assert (changed.leader_id, changed.term) == ("dc2eb9a36d4404", 4)
    lost = only(lines.ZAP_36, SignKind.LOST_LEADER)
    assert (lost.member_id, lost.leader_id, lost.term) == ("a3d1a5043bc45aa9", "dc2eb9a36d4404", 5)
    assert only(lines.ZAP_35, SignKind.STEPPED_DOWN).member_id == A


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [(lines.ZAP_35, A, B), (lines.CAPNSLOG, "d934e9ef763606dc", "2d15d631a2682ef0")],
)
def test_a_transfer_names_who_gives_and_who_gets(text: bytes, old: str, new: str) -> None:
    sign = only(text, SignKind.TRANSFER_STARTED)
    assert (sign.member_id, sign.leader_id) == (old, new)


def test_a_published_member_is_named_where_the_line_does() -> None:
    assert only(lines.ZAP_35, SignKind.PUBLISHED).member_id == A
    assert only(lines.CAPNSLOG, SignKind.PUBLISHED).member_id is None


FOLLOWS = b"""{"level":"info","ts":"2026-11-22T10:57:37.400Z","logger":"raft","caller":"etcdserver/zap_raft.go:77","msg":"41a2461315739f7e became follower at term 2"}"""


def test_a_line_tells_the_term_that_its_member_is_in_and_when_it_was_written() -> None:
    (sign,) = scan(FOLLOWS)
    assert (sign.kind, sign.member_id, sign.term) == (SignKind.BECAME_FOLLOWER, A, 2)
    assert sign.time_us == 1_795_345_057_400_000
    zoned = FOLLOWS.replace(b"10:57:37.400Z", b"18:57:37.400123+0800")
    assert scan(zoned)[0].time_us == 1_795_345_057_400_123


def test_a_line_that_tells_only_the_second_tells_no_time() -> None:
    (sign,) = scan(b"raft2026/11/22 10:57:21 INFO: 41a2461315739f7e became leader at term 2")
    assert (sign.kind, sign.time_us) == (SignKind.BECAME_LEADER, None)
    assert scan(FOLLOWS.replace(b"2026-11-22T10:57:37.400Z", b"yesterday"))[0].time_us is None


def test_lines_that_only_look_like_signs_are_none() -> None:
    assert scan(lines.NO_SIGNS) == []


def test_signs_of_the_start_can_be_left_out() -> None:
    for text in (lines.CAPNSLOG, lines.ZAP_35):
        starts = {SignKind.PEER_SERVING, SignKind.CLIENT_SERVING, SignKind.PUBLISHED}
        expected = [sign for sign in scan(text) if sign.kind not in starts]
        assert scan(text, starting=False) == expected


def test_it_does_not_matter_whether_the_last_line_is_ended() -> None:
    for text in (lines.CAPNSLOG, lines.ZAP_35, lines.ZAP_36):
        assert scan(text.rstrip(b"\n")) == scan(text)


def test_signs_are_found_among_many_other_lines() -> None:
    other = lines.NO_SIGNS * 500
    for text in (lines.CAPNSLOG, lines.ZAP_35):
        assert scan(other + text) == scan(text)
    assert scan(lines.ZAP_36 + other) == scan(lines.ZAP_36)


@pytest.mark.parametrize(
    ("line", "level"),
    [
        (b'{"level":"info","ts":"x","msg":"y"}', "info"),
        (b'{"ts":1.5,"level":"warn","msg":"y"}', "warn"),
        (b'{"level":"dpanic","msg":"y"}\n', "panic"),
        (b'{"level":"loud","msg":"y"}', None),
        (b"2026-11-22 10:57:20.951008 N | etcdmain: x", "info"),
        (b"2026-11-22 10:57:20.951008 C | etcdmain: x\n", "fatal"),
        (b"2026-11-22 10:57:20.951008 E | etcdserver/api: x", "error"),
        (b"raft2026/11/22 10:57:21 INFO: x", "info"),
        (b"raft2026/11/22 10:57:21 WARN: x", "warn"),
        (b"[WARNING] Deprecated", None),
        (b"panic: x", None),
        (b"", None),
        (b"{", None),
        (b"[1]", None),
    ],
)
def test_a_line_has_the_level_that_it_says(line: bytes, level: str | None) -> None:
    assert level_of(line) == level


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (lines.ZAP_35, "listen tcp 127.0.0.1:26601: bind: address already in use"),
        (lines.CAPNSLOG, "listen tcp 127.0.0.1:26601: bind: address already in use"),
        (lines.GO_PANIC, "failed to open database: invalid database"),
        (b"x\npanic: runtime error: y\n\ngoroutine 1 [running]:\n", "panic: runtime error: y"),
        (b"fatal error: out of memory\n\nstack:\n", "fatal error: out of memory"),
        (
            b"flag provided but not defined: -nosuch\nUsage:\n\n  etcd [OPTIONS]\n",
            "flag provided but not defined: -nosuch",
        ),
        (
            b'invalid boolean value "maybe" for -pre-vote: parse error\nUsage:\n',
            'invalid boolean value "maybe" for -pre-vote: parse error',
        ),
        (
            b"2026-11-22 10:59:10.551177 E | etcdmain: error verifying flags, --election-timeout[300ms] "
            b"should be at least as 5 times as --heartbeat-interval[100ms]. See 'etcd --help'.\n",
            "--election-timeout[300ms] should be at least as 5 times as --heartbeat-interval[100ms].",
        ),
        (
            b'{"level":"warn","ts":1795345151.3,"caller":"etcdmain/etcd.go:74",'
            b'"msg":"failed to verify flags","error":"\'foo\' is not a valid flag"}\n',
            "'foo' is not a valid flag",
        ),
        (
            b'{"level":"fatal","ts":1795345151.1707172,"caller":"flags/flag.go:85",'
            b'"msg":"conflicting environment variable","environment-variable":"ETCD_NAME"}\n',
            "conflicting environment variable: ETCD_NAME",
        ),
        (lines.NO_SIGNS, None),
        (b"", None),
    ],
)
def test_the_cause_of_an_end_is_told(text: bytes, cause: str | None) -> None:
    assert fatal_cause(text.splitlines()) == cause


PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            line + b"\n"
            for text in (lines.CAPNSLOG, lines.ZAP_35, lines.GO_PANIC)
            for line in text.splitlines()
        ]
    ),
    st.sampled_from(
        [
            b" at term ",
            b'{"level":"fatal","msg":',
            b'"stacktrace":"',
            b"|",
            b" C | ",
            b"\n",
            b"panic: ",
            b"\t",
        ]
    ),
)


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_no_bytes_raise(text: bytes) -> None:
    assert all(isinstance(sign.kind, SignKind) for sign in scan(text))
    for line in text.split(b"\n"):
        assert level_of(line) in {None, "debug", "info", "warn", "error", "panic", "fatal"}
    fatal_cause(text.split(b"\n"))


@given(
    st.lists(PIECES, max_size=8).map(lambda pieces: b"".join(pieces).replace(b"\n", b"") + b"\n")
)
def test_lines_are_judged_each_for_itself(line: bytes) -> None:
    assert scan(line + line) == scan(line) * 2


def test_deeply_nested_json_is_no_trap() -> None:
    line = b'{"level":"x","msg":"a at term 1","k":' + b"[" * 100_000
    assert scan(line) == []
    assert level_of(b'{"k":' + b"[" * 100_000) is None


def test_a_mebibyte_without_signs_is_scanned_in_milliseconds() -> None:
    zap = b"".join(lines.NO_SIGNS.splitlines(keepends=True)[:2])
    chunk = zap * (1 + (1 << 20) // len(zap))
    times_s = []
    for _ in range(20):
        begun = time.perf_counter()
        assert scan(chunk, starting=False) == []
        times_s.append(time.perf_counter() - begun)
    assert min(times_s) < 0.005

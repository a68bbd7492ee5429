from __future__ import annotations

import pytest
from etcd_sandbox.learn.check import difference, shape, shows_failure

SAME = [
    (
        "  infra1 → infra3 · term 2 → 3 · 1.12 s without a leader · reads failed for 1.14 s",
        "  infra2 → infra1 · term 9 → 10 · 2.30 s without a leader · reads failed for 2.31 s",
    ),
    (
        "  infra1 → infra3 · term 2 → 3 · 0.02 s without a leader · reads went on",
        "  infra1 → infra3 · term 2 → 3 · reads waited for up to 0.14 s",
    ),
    (
        "  infra1 → infra3 · term 2 → 3 · 0.02 s without a leader · reads went on",
        "  infra1 → infra3 · term 2 → 3 · 0.31 s without a leader · reads waited for up to 0.34 s",
    ),
    (
        "  infra2 leads · term 3 · 0.43 s without a leader · reads failed for 0.49 s",
        "  infra1 leads · term 4 · 1.61 s without a leader · reads failed for 1.70 s",
    ),
    (
        "  there is a leader again, after 41.25 s: infra2 · term 3 · reads failed for 41.30 s",
        "  infra1 leads · term 4 · reads waited for up to 0.12 s",
    ),
    (
        "  infra1 → infra3 · term 2 → 3 · 1.12 s without a leader · reads failed for 1.14 s",
        "  infra1 → infra3 · term 2 → 3 · 1.12 s without a leader · reads failed for 1.14 s"
        " · writes sent meanwhile wait for up to 7 s",
    ),
    (
        "  infra1 still leads · term 5 · reads take up to 0.21 s · writes take up to 0.81 s",
        "  infra1 still leads · term 5 · reads went on",
    ),
    (
        "  infra1 still leads · term 5 · reads went on · infra4 has no leader",
        "  infra1 still leads · term 5 · reads failed for 0.3 s",
    ),
    (
        "  quorum lost: 1 of 3 up, 2 needed; reads and writes fail until a member returns",
        "  quorum lost: 2 of 5 up, 3 needed; reads and writes fail until a member returns; "
        "infra1 still believes that it leads (term 2)",
    ),
    (
        "9e0cff236acbad4, started, infra2, http://127.0.0.1:1",
        "f01550b5c0fa7516, started, infra1, http://127.0.0.1:2",
    ),
    (
        "infra1  running  3.5.1  20.0 KiB  1.2%  3m12s",
        "infra3  running  3.6.16   2.0 MiB  11.2%  4.0s",
    ),
    (
        "(v2), token f253cc548995405d934eab71ba49c60a with 3 of 3 registered",
        "(v3), token 886cf3b1660e4ea6a6f634c2873ce4a0 with 3 of 3 registered",
    ),
    ("is healthy: took = 5.6863ms", "is healthy: took = 1.2s"),
    (
        "Finished defragmenting etcd member[http://127.0.0.1:1]",
        "Finished defragmenting etcd member[http://127.0.0.1:2]. took 5.1ms",
    ),
    (
        "Error: context deadline exceeded",
        "Error: rpc error: code = Unknown desc = context deadline exceeded",
    ),
    ("--data-dir=/home/you/x/infra1", "--data-dir=/tmp/y/z/infra1"),
]

OTHER = [
    ("killed infra1 (pid 1, SIGKILL); it was the leader", "killed infra1 (pid 1, SIGKILL)"),
    ("  infra1 still leads · term 5", "  infra1 → infra2 · term 5 → 6"),
    ("  infra1 → infra3 · term 2 → 3 · 1.12 s without a leader", "  infra1 → infra3 · term 2 → 3"),
    ("OK", "ok"),
    ("--listen-peer-urls=http://127.0.0.1:1", "--listen-client-urls=http://127.0.0.1:1"),
]


@pytest.mark.parametrize(("one", "another"), SAME)
def test_figures_names_and_luck_do_not_count(one: str, another: str) -> None:
    assert shape(one) == shape(another)


@pytest.mark.parametrize(("one", "another"), OTHER)
def test_words_do_count(one: str, another: str) -> None:
    assert shape(one) != shape(another)


def test_the_order_of_lines_does_not_count() -> None:
    assert difference(["a", "b"], ["b", "a"]) == ""


def test_a_line_too_few_or_too_many_is_named() -> None:
    assert difference(["a", "b"], ["a"]) == "the line 'b' is shown and was not printed"
    assert difference(["a"], ["a", "b"]) == "the line 'b' was printed and is not shown"
    assert difference(["a", "a"], ["a"]) == "the line 'a' is shown and was not printed"
    assert difference([], ["x"]) == "the line 'x' was printed and is not shown"


def test_dots_stand_for_any_lines_but_not_for_those_that_are_shown() -> None:
    assert difference(["…", "a"], ["x", "y", "a"]) == difference(["a", "…"], ["a"]) == ""
    assert difference(["…", "a"], ["x"]) == "the line 'a' is shown and was not printed"


def test_warnings_of_etcdctl_and_empty_lines_do_not_count() -> None:
    assert (
        difference(['{"level":"warn","msg":"x"}', "a"], ["a", "", '{"level":"warn","y":1}']) == ""
    )


def test_a_transcript_shows_whether_its_command_fails() -> None:
    assert shows_failure(["x", "Error: context deadline exceeded"])
    assert shows_failure(["etcd-sandbox: error: no cluster"])
    assert not shows_failure(["OK", "no Error: here"])

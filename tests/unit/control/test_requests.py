"""What each question sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox import verbs
from etcd_sandbox.control import requests
from etcd_sandbox.control.requests import ANSWER_TIMEOUT_S, Request
from etcd_sandbox.paths import ClusterPaths


class Asked(requests.Questions[Request, Request, Request]):
    """Gives each question itself for an answer."""

    def ask(self, request: Request) -> Request:
        return request

    _objects = _news = _frames = ask


ASKED = Asked(ClusterPaths("x", Path("/x")))

QUESTIONS: list[tuple[Request, str, str, Any]] = [
    (ASKED.status(), "GET", "/v1/status", None),
    (ASKED.status(with_hash=True), "GET", "/v1/status?hash=1", None),
    (ASKED.plan(), "GET", "/v1/plan", None),
    (ASKED.ready(2.5), "GET", "/v1/ready?timeout_s=2.5", None),
    (ASKED.events(follow=False), "GET", "/v1/events?follow=0", None),
    (ASKED.events(follow=True, tail=0), "GET", "/v1/events?follow=1&tail=0", None),
    (
        ASKED.logs(["infra1", "a b"], follow=False, since_us=7),
        "GET",
        "/v1/logs?follow=0&since_us=7&select=infra1&select=a+b",
        None,
    ),
    (ASKED.apply({"name": "x"}, dry_run=True), "POST", "/v1/apply?dry_run=1", {"name": "x"}),
    (ASKED.apply({"name": "x"}, dry_run=False), "POST", "/v1/apply", {"name": "x"}),
    (ASKED.shutdown(kill=True), "POST", "/v1/shutdown", {"kill": True, "purge": False}),
]


def sent_in(request: Request) -> object:
    """The body as the supervisor gets it."""
    head, _, body = request.encoded(None).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return json.loads(body) if body else None


@pytest.mark.parametrize(("request_", "method", "target", "body"), QUESTIONS)
def test_each_question_has_its_path_and_body(
    request_: Request, method: str, target: str, body: object
) -> None:
    assert (request_.method, request_.target) == (method, target)
    assert sent_in(request_) == body


def test_an_order_says_all_that_it_takes() -> None:
    order = requests.act(
        verbs.SLOW, ["leader"], versus=["infra3"], delay_s=0.2, jitter_s=0.1, seed=4, wait=False
    )
    assert order.target == "/v1/act/slow"
    assert sent_in(order) == {
        "select": ["leader"],
        "versus": ["infra3"],
        "signal": None,
        "delay_s": 0.2,
        "jitter_s": 0.1,
        "seed": 4,
        "name": None,
        "learner": False,
        "force": False,
        "wait": False,
        "timeout_s": 30.0,
    }


def test_what_waits_for_the_cluster_may_take_longer_than_a_plain_question() -> None:
    assert ASKED.status().timeout_s == ANSWER_TIMEOUT_S
    assert ASKED.ready(20.0).timeout_s == ANSWER_TIMEOUT_S + 20.0
    assert requests.act(verbs.HEAL, timeout_s=5.0).timeout_s == ANSWER_TIMEOUT_S + 5.0


def test_only_a_stream_without_an_end_may_be_silent_for_ever() -> None:
    assert ASKED.events(follow=True).timeout_s is None
    assert ASKED.logs(follow=True).timeout_s is None
    assert ASKED.events(follow=False).timeout_s == ANSWER_TIMEOUT_S
    assert ASKED.logs(follow=False).timeout_s == ANSWER_TIMEOUT_S

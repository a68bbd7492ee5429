"""Which keys of a lesson make sense, and what it says of itself."""

from __future__ import annotations

import pytest
from etcd_sandbox.tui.actions import ACTIONS, Phase, Scope, Standing, action, refusal
from etcd_sandbox.tui.store import Store

STEP = Standing(phase=Phase.STEP, number=2)
FIRST = Standing(phase=Phase.STEP, number=1)
RUNS = Standing(phase=Phase.STEP, number=2, running=True)
TYPED = Standing(phase=Phase.STEP, number=2, typed=True)
QUESTION = Standing(phase=Phase.QUESTION, number=5)
DONE = Standing(phase=Phase.DONE, number=5)
ALL = (Standing(), STEP, FIRST, RUNS, TYPED, QUESTION, DONE)
ANYTIME = {"lesson", "lesson-up", "lesson-down"}


def sensible(now: Standing) -> set[str]:
    """The actions of a lesson that are not greyed."""
    ours = [each for each in ACTIONS if each.scope is Scope.LESSON]
    return {each.id for each in ours if refusal(each, Store(cluster="x"), None, now) is None}


@pytest.mark.parametrize(
    ("now", "ids"),
    [
        (Standing(), ""),
        (STEP, "lesson-next lesson-run lesson-hint lesson-skip lesson-back"),
        (FIRST, "lesson-next lesson-run lesson-hint lesson-skip"),
        (RUNS, "lesson-end lesson-hint"),
        (TYPED, "lesson-next lesson-hint lesson-skip lesson-back"),
        (QUESTION, "lesson-next lesson-back"),
        (DONE, ""),
    ],
)
def test_what_makes_no_sense_is_greyed(now: Standing, ids: str) -> None:
    assert sensible(now) == ANYTIME | set(ids.split())


@pytest.mark.parametrize("now", ALL)
def test_actions_that_share_a_key_never_make_sense_at_once(now: Standing) -> None:
    keys = [action(id_).key for id_ in sensible(now)]
    assert len(set(keys)) == len(keys)


def test_without_a_lesson_there_is_nothing_to_do_for_one() -> None:
    store = Store(cluster="x")
    assert refusal(action("lesson"), store, None) == "no lesson is open"
    assert refusal(action("lesson-next"), store, None) == "no lesson is open"


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (Standing(), "preparing the step …"),
        (STEP, "watching the cluster"),
        (RUNS, "a command runs · e ends it"),
        (Standing(phase=Phase.STEP, only_looked_at=True), "look, then o goes on"),
        (Standing(phase=Phase.STEP, present=False), "the cluster is down · o brings it up"),
        (QUESTION, "o shows the answer"),
        (DONE, "done · q leaves"),
    ],
)
def test_it_says_what_is_going_on(now: Standing, words: str) -> None:
    assert now.words == words

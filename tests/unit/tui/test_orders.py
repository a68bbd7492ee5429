"""What the line of orders tells while several run."""

from __future__ import annotations

from etcd_sandbox.tui.widgets.orders import OrderBoard


def test_nothing_is_told_at_first() -> None:
    assert OrderBoard().text() == ""


def test_an_answer_takes_only_its_own_orders_place() -> None:
    board = OrderBoard()
    first, second = board.begin("kill infra1"), board.begin("kill infra1")
    assert board.text() == "kill infra1 … · kill infra1 …"
    board.end(second, "kill infra1: done")
    assert board.text() == "kill infra1: done\nkill infra1 …"
    board.end(first, "kill infra1: infra1 → infra2")
    assert board.text() == "kill infra1: infra1 → infra2"


def test_what_alarms_has_a_sign_until_the_next_answer() -> None:
    board = OrderBoard()
    board.end(board.begin("kill infra2"), "quorum lost", alarming=True)
    assert board.text() == "✖ quorum lost"
    board.end(board.begin("start infra2"), "infra1 leads")
    assert board.text() == "infra1 leads"

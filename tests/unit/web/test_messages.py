"""What browsers send: the page's words get in, and nothing else does."""

from __future__ import annotations

import pytest
from etcd_sandbox.web.admission import (
    MOST_COLUMNS,
    MOST_ROWS,
    Looked,
    Message,
    Pinged,
    Resized,
    Typed,
    message_of,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["stdin", "k"]', Typed("k")),
        ('["stdin", "\\u001b[A"]', Typed("\x1b[A")),
        ('["resize", {"width": 120, "height": 40}]', Resized(120, 40)),
        ('["resize", {"width": 1000000000, "height": -1}]', Resized(MOST_COLUMNS, 1)),
        ('["resize", {"width": 0, "height": 99999}]', Resized(1, MOST_ROWS)),
        ('["ping", 17]', Pinged(17)),
        ('["ping", "now"]', Pinged("now")),
        ('["blur"]', Looked(here=False)),
        ('["focus"]', Looked(here=True)),
        ('["wheel", 3]', None),
    ],
)
def test_the_page_is_understood(text: str, message: Message | None) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize(
    "text",
    [
        '["stdin", 5]',
        '["stdin"]',
        '["stdin", null]',
        '["stdin", "a", "b"]',
        '["resize", 5]',
        '["resize", {"width": "80", "height": 24}]',
        '["resize", {"width": 80}]',
        '["resize", {"width": 1e400, "height": 24}]',
        '["ping", {}]',
        '["ping"]',
        "[5]",
        "[]",
        "{}",
        "5",
        "null",
        "stdin",
        "",
        "[" * 100_000,
        '["stdin", NaN]',
    ],
    ids=lambda text: text[:30],
)
def test_what_no_page_says_is_one_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        message_of(text)

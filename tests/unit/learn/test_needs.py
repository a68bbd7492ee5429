from __future__ import annotations

import pytest

from sandbox.learn.needs import Needs, parse_needs


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("healthy", Needs(healthy=True)),
        ("fresh", Needs(fresh=True, healthy=True)),
        ("leader infra1", Needs(healthy=True, leader="infra1")),
        (
            "healthy; key a is b c;  key d gone",
            Needs(healthy=True, keys=(("a", "b c"), ("d", None))),
        ),
    ],
)
def test_what_a_step_needs(text: str, needs: Needs) -> None:
    assert parse_needs(text) == needs


@pytest.mark.parametrize("text", ["", "healthy;", "leader", "key a", "leader infra1 infra2"])
def test_what_is_not_in_the_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unknown need"):
        parse_needs(text)

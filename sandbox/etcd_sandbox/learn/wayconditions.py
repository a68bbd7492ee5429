"""Conditions on how the cluster was brought up: they take that it goes down and comes up again. Pure."""

from __future__ import annotations

from collections.abc import Callable

from etcd_sandbox.learn.condition import Condition, taking_down
from etcd_sandbox.learn.record import What
from etcd_sandbox.learn.sentences import made_of, told_by
from etcd_sandbox.learn.view import View, is_contained, is_whole
from etcd_sandbox.model.state import BootstrapStatus


def brought_up(text: str) -> Condition:
    """The cluster was taken down since the step began, and brought up again, in whatever way."""

    def met(view: View) -> str | None:
        again = any(each.what is What.BROUGHT_UP for each in view.record.happenings)
        return (
            f"the cluster was brought up again, {_healthy(view)}" if again and _up(view) else None
        )

    return _condition(text, met, lambda bootstrap: True)


def bootstrapped(text: str, way: str) -> Condition:
    """The members were told of each other in this way."""

    def met(view: View) -> str | None:
        so = view.status.bootstrap.way.value == way and _up(view)
        return f"{told_by(view.status.bootstrap)}, {_healthy(view)}" if so else None

    return _condition(text, met, lambda bootstrap: bootstrap.way.value == way)


def runs_in(text: str, what: str) -> Condition:
    """The members are containers, or processes of this machine."""
    contained = what == "containers"

    def met(view: View) -> str | None:
        so = is_contained(view.status.bootstrap) is contained and _up(view)
        return f"{made_of(view.status.bootstrap)}, {_healthy(view)}" if so else None

    return _condition(text, met, lambda bootstrap: is_contained(bootstrap) is contained)


def _condition(
    text: str, met: Callable[[View], str | None], meant: Callable[[BootstrapStatus], bool]
) -> Condition:
    return Condition(
        text=text,
        met=met,
        foresees=lambda each: (
            taking_down(each) or (each.bootstrap is not None and meant(each.bootstrap))
        ),
    )


def _up(view: View) -> bool:
    return is_whole(view.status, view.record.hanging)


def _healthy(view: View) -> str:
    return f"and all {len(view.status.members)} members are healthy"

"""What `up` in the foreground hands on to the dashboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from etcd_sandbox.cli import foreground
from etcd_sandbox.cli.dashboard import Left, Notices
from etcd_sandbox.inputs.caller import Caller, Planned
from etcd_sandbox.model.spec import ClusterSpec, Source, SourceKind
from etcd_sandbox.paths import ClusterPaths


def test_the_dashboard_says_first_what_it_hides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []

    def watch(paths: object, launched: object, fd: int, notices: Notices) -> Left:
        notices.tell(said.append)
        return Left.RUNNING

    def launch(*args: object, **options: object) -> SimpleNamespace:
        return SimpleNamespace(release=lambda: None)

    class Signals:
        install: Callable[[], None] = staticmethod(lambda: None)
        raising, fd = True, -1

    monkeypatch.setattr(foreground, "launch", launch)
    monkeypatch.setattr(foreground, "watch", watch)
    monkeypatch.setattr(foreground, "EndSignals", Signals)
    spec = ClusterSpec(name="c", source=Source(kind=SourceKind.MEMBERS), processes=())
    wishes = foreground.Wishes(dashboard=True, notice="cluster c goes on with the data")
    caller = Caller(cwd=tmp_path, env={})
    assert foreground.own(Planned(spec, ""), ClusterPaths("c", tmp_path), caller, wishes) == 0
    assert said == ["cluster c goes on with the data"]

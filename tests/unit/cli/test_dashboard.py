"""`dashboard`, up to where it shows something: what is refused, and what it says then."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.unit.cli.conftest import Ran
from tests.unit.conftest import FakeSupervisor


@pytest.mark.parametrize("option", ["--bind", "--port"])
def test_where_to_listen_is_asked_of_the_browser_s_dashboard_only(
    cli: Callable[..., Ran], option: str
) -> None:
    ran = cli("dashboard", option, "0")
    assert ran.code == 2
    assert f"error: {option} is for the dashboard in a browser" in ran.err
    assert "hint: etcd-sandbox dashboard --web" in ran.err


def test_a_port_is_a_number_or_auto(cli: Callable[..., Ran]) -> None:
    ran = cli("dashboard", "--web", "--port", "http")
    assert ran.code == 2
    assert "'http' is neither a port (1 to 65535) nor 'auto'" in ran.err


def test_without_a_terminal_the_browser_is_proposed(
    supervisor: Callable[..., FakeSupervisor], cli: Callable[..., Ran]
) -> None:
    supervisor()
    ran = cli("dashboard")
    assert ran.code == 2
    assert "the dashboard needs a terminal" in ran.err
    assert "etcd-sandbox dashboard --web" in ran.err


def test_without_textual_serve_it_says_how_to_get_it(
    supervisor: Callable[..., FakeSupervisor],
    cli: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    supervisor()
    monkeypatch.setitem(sys.modules, "textual_serve", None)
    for module in ("textual_serve.server", "textual_serve.app_service"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.delitem(sys.modules, "etcd_sandbox.web.server", raising=False)
    ran = cli("dashboard", "--web")
    assert (ran.code, ran.out) == (1, "")
    assert "the dashboard in a browser needs textual-serve, which is not installed" in ran.err
    assert "hint: pip install 'etcd-sandbox[web]'" in ran.err

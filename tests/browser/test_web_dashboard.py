"""The dashboard in a real browser, on real etcd: watch, break, mend, leave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx

from tests.browser.conftest import Served, Tab
from tests.conftest import SandboxCommand, until


def test_an_election_is_watched_broken_and_mended_in_a_browser(
    sandbox_command: SandboxCommand,
    up: Callable[[int], None],
    serve: Callable[..., Served],
    open_tab: Callable[..., Tab],
) -> None:
    up(3)
    served = serve()
    tab = open_tab(served.url, 1280, 800)
    tab.until_shown("3 of 3 healthy", "leader · term", "k Kill")
    leader = sandbox_command.leader()
    tab.press(*["ArrowDown"] * (int(leader[-1]) - 1), "k")
    tab.until_shown(f"kill {leader}: {leader} →", "without a leader", "killed by SIGKILL")
    after = sandbox_command.leader()
    assert after != leader
    tab.until_shown(f"★ {after} (term")
    tab.press("a")
    tab.until_shown("3 of 3 healthy")
    tab.press("x")
    tab.until_shown("1 fault", "partition")
    tab.press("h")
    tab.until_shown("3 of 3 healthy", "heal")
    tab.press("q")
    tab.until_ended()
    until(lambda: not served.dashboards())
    assert sandbox_command.leader()
    assert tab.complaints == []


def test_page_font_and_snapshot_come_from_the_server_and_from_nowhere_else(
    up: Callable[[int], None],
    serve: Callable[..., Served],
    open_tab: Callable[..., Tab],
    tmp_path: Path,
) -> None:
    up(1)
    served = serve()
    tab = open_tab(served.url)
    tab.until_shown("1 of 1 healthy")
    assert tab.page.evaluate("[...document.fonts].some((font) => font.status === 'loaded')")
    with tab.page.expect_download() as begun:
        tab.press("S")
    download = begun.value
    assert download.url.startswith(f"{served.url}download/")
    assert download.suggested_filename.endswith(".svg")
    download.save_as(tmp_path / "screen.svg")
    assert "<svg" in (tmp_path / "screen.svg").read_text()
    # It is there once, and the token alone does not bring it back.
    assert httpx.get(download.url).status_code == 404
    assert download.url in tab.asked
    assert [address for address in tab.asked if not address.startswith(served.url)] == []
    assert tab.complaints == []


def test_each_browser_has_a_dashboard_of_its_own(
    up: Callable[[int], None], serve: Callable[..., Served], open_tab: Callable[..., Tab]
) -> None:
    up(1)
    served = serve()
    one, two = open_tab(served.url), open_tab(served.url)
    for tab in (one, two):
        tab.until_shown("1 of 1 healthy")
    assert len(served.dashboards()) == 2
    one.press("p")
    for tab in (one, two):
        tab.until_shown("paused")
    one.page.close()
    until(lambda: len(served.dashboards()) == 1)
    two.press("p")
    two.until_shown("1 of 1 healthy")
    # The dashboard of this one crashes: it says so, and a click brings another.
    served.dashboards()[0].kill()
    two.until_ended()
    two.page.get_by_text("Open it again").click()
    two.until_shown("1 of 1 healthy")
    code, out, _ = served.end()
    assert (code, out) == (130, "")
    two.until_ended()
    until(lambda: not served.dashboards(), 20)

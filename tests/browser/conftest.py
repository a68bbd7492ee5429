"""The dashboard of a real cluster, served to a real Chromium."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psutil
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import TimeoutError as TooLate

from tests import etcd_versions
from tests.conftest import SandboxCommand

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
"""What it is called by Debian, by other systems, and by Google."""

_KEEP_TERMINAL = """
Object.defineProperty(Object.prototype, 'fitAddon', {
  configurable: true,
  set(value) {
    window.shown = this.terminal;
    Object.defineProperty(this, 'fitAddon', {value, writable: true});
  },
})
"""
"""textual-serve's page keeps its terminal to itself; it sets `fitAddon` on what holds it."""

_TEXT = """() => {
  if (!window.shown) return '';  // the page is being loaded
  const buffer = window.shown.buffer.active;
  const row = (n) => buffer.getLine(n).translateToString(true);
  return [...Array(buffer.length).keys()].map(row).join('\\n');
}"""

_SHOWS = f"""(texts) => {{
  const all = ({_TEXT})();
  return texts.every((text) => all.includes(text));
}}"""


@dataclass
class Tab:
    """A browser's tab with the dashboard in it."""

    page: Page
    asked: list[str] = field(default_factory=list)
    """Every address that the page asked for anything."""
    complaints: list[str] = field(default_factory=list)
    """What the browser found wrong with it, such as something that its policy forbids."""

    def note(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(said.text)

    @property
    def text(self) -> str:
        """All that the terminal in the page shows."""
        return str(self.page.evaluate(_TEXT))

    def until_shown(self, *texts: str) -> str:
        try:
            self.page.wait_for_function(_SHOWS, arg=texts, polling=50)
        except TooLate as error:
            raise AssertionError(f"not within 30 s: {texts}\n{self.text}") from error
        return self.text

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def until_ended(self) -> None:
        self.page.get_by_text("The session has ended.").wait_for()


class Served:
    """`dashboard --web` with a free port; its URL, and the dashboards that it shows."""

    def __init__(self, sandbox: SandboxCommand, *args: str) -> None:
        self._sandbox = sandbox
        port = () if "--port" in args else ("--port", "auto")
        self.process = sandbox.popen("dashboard", "--web", *port, *args)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()
        assert self.url, self.process.communicate()

    def dashboards(self) -> list[psutil.Process]:
        """The processes that paint, one for each browser."""
        servers = self._sandbox.ours_with("--web")
        return [each for each in self._sandbox.ours_with("dashboard") if each not in servers]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send the signal; the exit code, and what was written to stdout after the URL and to stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out.decode(), err.decode()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for the tests of a module; Playwright has an event loop of its own until its end."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        etcd_versions.lacking("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_tab(chromium: Browser) -> Iterator[Callable[..., Tab]]:
    """Opens URLs, each as if in another browser."""
    contexts = []

    def open_(url: str, width: int = 900, height: int = 560) -> Tab:
        # Chromium paints without a graphics card here: what is not looked at costs time.
        context = chromium.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        context.add_init_script(_KEEP_TERMINAL)
        tab = Tab(context.new_page())
        context.on("request", lambda request: tab.asked.append(request.url))
        tab.page.on("console", tab.note)
        tab.page.goto(url)
        return tab

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def serve(sandbox_command: SandboxCommand) -> Iterator[Callable[..., Served]]:
    """Starts `dashboard --web`; what still runs at the end is ended."""
    started: list[Served] = []

    def begin(*args: str) -> Served:
        started.append(Served(sandbox_command, *args))
        return started[-1]

    yield begin
    for served in started:
        if served.process.poll() is None:
            served.end()


@pytest.fixture
def up(sandbox_command: SandboxCommand) -> Callable[[int], None]:
    """Brings up so many members, of the newest etcd that is here."""

    def begin(members: int) -> None:
        sandbox_command.env["ETCD_SANDBOX_ETCD"] = etcd_versions.need().path
        sandbox_command("up", "-n", str(members), "-d", "--base-port", "auto")

    return begin

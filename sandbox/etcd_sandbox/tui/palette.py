"""The command palette's entries: every action and every key of the logs; a refused one says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from etcd_sandbox.tui.actions import keys_shown
from etcd_sandbox.tui.logkeys import ANYWHERE, help_of

if TYPE_CHECKING:
    from etcd_sandbox.tui.app import Dashboard


class _Entry(NamedTuple):
    name: str
    key: str
    help: str
    refusal: str | None
    do: Callable[[], object]


class Commands(Provider):
    """What can be done now, by name."""

    async def discover(self) -> Hits:
        """All of it."""
        for entry in self._entries():
            yield DiscoveryHit(
                _shown(Content(entry.name), entry), entry.do, text=entry.name, help=_help(entry)
            )

    async def search(self, query: str) -> Hits:
        """What has these letters in its name or its help."""
        matcher = self.matcher(query)
        for entry in self._entries():
            score = max(matcher.match(entry.name), matcher.match(entry.help) / 2)
            if score > 0:
                name = Content(entry.name)
                if matcher.match(entry.name) > 0:
                    name = matcher.highlight(entry.name)
                yield Hit(score, _shown(name, entry), entry.do, text=entry.name, help=_help(entry))

    def _entries(self) -> Iterator[_Entry]:
        dashboard = cast("Dashboard", self.app)
        for each in dashboard.actions:
            if each.id != "palette":
                refused = dashboard.refusal(each)
                act = partial(dashboard.action_act, each.id)
                yield _Entry(each.label, each.keys_shown, each.help, refused, act)
        for binding in ANYWHERE:
            pass_on = partial(dashboard.action_logs, binding.action)
            name = f"Logs: {binding.description.lower()}"
            yield _Entry(name, keys_shown(binding.key), help_of(binding), None, pass_on)


def _shown(name: Content, entry: _Entry) -> Content:
    words = name + Content.from_text(f"  {entry.key}", markup=False).stylize("dim")
    return words if entry.refusal is None else words.stylize("dim")


def _help(entry: _Entry) -> str:
    return entry.help if entry.refusal is None else f"Not now: {entry.refusal}."

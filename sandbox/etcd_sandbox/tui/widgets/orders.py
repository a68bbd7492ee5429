"""The line that says what was ordered and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, field
from textual.widgets import Static

from etcd_sandbox.control.async_client import AsyncControlClient
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.verdict import Verdict, sentence
from etcd_sandbox.tui.text import printable
from etcd_sandbox.verbs import Verb


class OrderBoard(Struct):
    """The last answer, and the orders that still run, each under a number of its own."""

    answer: str = ""
    alarming: bool = False
    _running: dict[int, str] = field(default_factory=dict)
    _count: int = 0

    def begin(self, words: str) -> int:
        """An order was sent; its number."""
        self._count += 1
        self._running[self._count] = words
        return self._count

    def end(self, number: int, answer: str, *, alarming: bool = False) -> None:
        """It was answered. `alarming` is for what must not be overlooked."""
        del self._running[number]
        self.answer, self.alarming = answer, alarming

    def text(self) -> str:
        """The last answer, and below it what still runs; empty at first."""
        answer = f"✖ {self.answer}" if self.alarming else self.answer
        running = " · ".join(f"{words} …" for words in self._running.values())
        return "\n".join(part for part in (answer, running) if part)


class Orders(Static):
    """Sends orders, several at once, and shows what came of the last one and which still run."""

    def __init__(self, client: AsyncControlClient) -> None:
        super().__init__(id="verdict", markup=False)
        self._client = client
        self._board = OrderBoard()

    def send(self, verb: Verb, select: list[str], how: Mapping[str, Any]) -> None:
        """Order it; the answer is shown when it comes."""
        number = self._board.begin(" ".join((verb.name, *map(printable, select))))
        self._show_board()
        self.run_worker(self._send(number, verb, select, how), group="orders")

    async def _send(
        self, number: int, verb: Verb, select: list[str], how: Mapping[str, Any]
    ) -> None:
        try:
            answer = await self._client.act(verb, select, **how)
            verdict = msgspec.convert(answer, Verdict)
        except SandboxError as error:
            self._board.end(number, printable(f"{verb} {' '.join(select)}: {error}"))
            self.notify(
                "\n".join(filter(None, (str(error), error.hint))), severity="error", markup=False
            )
        except msgspec.MsgspecError as error:
            self._board.end(number, f"{verb}: the answer is not understood: {error}")
        else:
            whom = f"{verb} {', '.join(verdict.targets)}".strip()
            words = printable(f"{whom}: {sentence(verdict) or 'done'}")
            lost = verdict.quorum is not None and verdict.leader_after is None
            self._board.end(number, words, alarming=lost)
        self._show_board()

    def _show_board(self) -> None:
        if not self.is_mounted:  # the dashboard may end before its orders do
            return
        text = self._board.text()
        self.update(text)
        self.set_class(bool(text), "-shown")
        self.set_class(self._board.alarming, "-alarming")

"""What was ordered and what came of it, as the lines under the strip tell it. Pure."""

from __future__ import annotations

from msgspec import Struct, field


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

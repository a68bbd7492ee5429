"""The log lines on their way to the viewers: frames, a write for several of them, and who is still being served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from etcd_sandbox.cluster.starting import LastWords
from etcd_sandbox.control.wire import NOW_FRAME, ended_frame, lines_header, skipped_frame
from etcd_sandbox.supervise.logbook import Chunk, Gap, Reader

LAST_WORDS_WITHIN_S = 5.0
"""How long the log streams may take to send their rest when the supervisor ends…"""

STALLED_S = 2.0
"""…and how long at most without a viewer taking a byte: nobody waits for one that is stopped.

On a busy machine one that is not may get no processor for half a second (seen at a load of 25 on two).
"""

TOGETHER_S = 0.05
"""So long the lines after the first are gathered: a write for each would cost a viewer ten times as much."""

TOGETHER_BYTES = 256 << 10


class Streams:
    """The log streams that are open, and how many pieces they have sent by now."""

    def __init__(self) -> None:
        self.open = 0
        self.sent = 0

    async def end(self, untaken: Callable[[], int]) -> None:
        """Return when all have ended, or no viewer takes anything any more, or the time is over.

        `untaken` says how many bytes the viewers have not taken yet of what was sent.
        """
        over = time.monotonic() + LAST_WORDS_WITHIN_S
        seen, stalled = (self.sent, untaken()), time.monotonic() + STALLED_S
        while self.open and time.monotonic() < min(over, stalled):
            await asyncio.sleep(0.01)
            if (now := (self.sent, untaken())) != seen:
                seen, stalled = now, time.monotonic() + STALLED_S


async def frames(
    reader: Reader, streams: Streams, first: bytes, last_words: LastWords, *, follow: bool
) -> AsyncIterator[bytes]:
    """What the reader comes to, in frames (`control.wire`); with `follow` also what comes later.

    `first` is a frame that goes before them. Whoever follows is told by `last_words` why it ended.
    """
    caught_up = False
    streams.open += 1
    if follow:
        last_words.follows("logs")
    try:
        while True:
            last = reader.at_end or not follow
            gathered: list[bytes] = [first] if first else []
            size, first = 0, b""
            for piece in reader.read():
                gathered.append(_frame(piece))
                size += len(gathered[-1])
                if size >= TOGETHER_BYTES:
                    streams.sent += 1
                    yield b"".join(gathered)
                    gathered, size = [], 0
            if not caught_up:
                caught_up = True
                gathered.append(NOW_FRAME)
            if last and follow and last_words.why:
                gathered.append(ended_frame(last_words.why))
            if gathered:
                streams.sent += 1
                yield b"".join(gathered)
            if last:
                return
            await asyncio.sleep(TOGETHER_S)
            await reader.wait()
    finally:
        streams.open -= 1
        reader.close()


def _frame(piece: Chunk | Gap) -> bytes:
    if isinstance(piece, Chunk):
        header = lines_header(piece.seq, piece.time_us, len(piece.data), piece.process)
        return header + piece.data
    return skipped_frame(piece.lines)

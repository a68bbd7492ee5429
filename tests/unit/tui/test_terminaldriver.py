"""Painting that is given up leaves the terminal in no mode of its own."""

from __future__ import annotations

import os
import re

from etcd_sandbox.tui.terminalapp import Painter

from tests.conftest import until

BEGINS, ENDS = "\x1b[?2026h", "\x1b[?2026l"


def test_a_picture_whose_end_is_dropped_is_ended() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    with os.fdopen(write_end, "w") as terminal:
        painter = Painter(terminal)
        painter.write(BEGINS)  # begun by a write of its own, as Textual does it
        painter.start()
        until(lambda: not painter.behind, 10)
        # The terminal takes nothing more: what is painted, and the end of the picture, stay behind.
        filling = os.dup(write_end)
        os.set_blocking(filling, False)
        try:
            while True:
                os.write(filling, bytes(4096))
        except BlockingIOError:
            os.close(filling)
        os.set_blocking(write_end, True)
        painter.write("a picture")
        painter.write(ENDS)
        until(lambda: painter.behind, 10)
        painter.drop()
        painter.write("\x1b[?1049l")
        painter._queue.put(None)
        painted = b""
        while painter.is_alive():
            try:
                painted += os.read(read_end, 1 << 20)
            except BlockingIOError:
                painter.join(0.01)
        painted += os.read(read_end, 1 << 20)
    os.close(read_end)
    assert re.findall(rb"\x1b\[\?\d+[hl]", painted)[0] == BEGINS.encode()
    assert re.findall(rb"\x1b\[\?2026[hl]", painted)[-1] == ENDS.encode()

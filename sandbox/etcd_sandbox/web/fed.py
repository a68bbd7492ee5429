"""In the dashboard process of a browser: it ends when the server that feeds it is gone."""

from __future__ import annotations

import os
import select
import signal
import threading
import time

_ENDS_WITHIN_S = 3.0


def is_fed() -> bool:
    """Whether a server shows this process to a browser, over pipes instead of a terminal."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def end_with_server() -> None:
    """From now on, come to an end when nobody holds the other side of stdin any more.

    Textual ends its reader then, and goes on without input.
    """
    threading.Thread(target=_await_end, name="server-gone", daemon=True).start()


def _await_end() -> None:
    gone = select.poll()
    # No events are asked for, so that only a hang-up is told and nothing of the input is taken.
    gone.register(0, 0)
    gone.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_ENDS_WITHIN_S)
    os._exit(1)

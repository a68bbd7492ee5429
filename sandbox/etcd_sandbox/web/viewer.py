"""One browser's dashboard: a process of its own, which ends with its browser and with the server."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sys

import msgspec
from textual_serve.app_service import AppService

ENDS_WITHIN_S = 2.0
"""A dashboard that has not ended so long after it was asked to is killed."""


class Viewer(AppService):
    """The dashboard process that one websocket shows."""

    async def run(self) -> None:
        """Pass on what it paints until it ends, in whatever way; then the browser is told."""
        try:
            await super().run()
        finally:
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self.remote_close()

    async def on_meta(self, data: bytes) -> None:
        """Take what it says beside what it paints; a file that it hands over is to be saved.

        Shown in a tab, Textual's picture of the screen would load its font from the internet.
        """
        said = msgspec.json.decode(data)
        await super().on_meta(msgspec.json.encode({**said, "open_method": "download"}))

    async def stop(self) -> None:
        """Ask it to end, and see to it that it does; as often and by as many as like."""
        process, task = self._process, self._task
        if process is None or task is None:
            return
        await self._download_manager.cancel_app_downloads(self.app_service_id)
        try:
            async with asyncio.timeout(ENDS_WITHIN_S):
                await self.send_meta({"type": "quit"})
                await process.wait()
        except TimeoutError:
            pass
        finally:
            # Also when this is cancelled while it waits.
            if process.returncode is None:
                process.kill()
        await asyncio.wait({task}, timeout=ENDS_WITHIN_S)


def command_of(cluster: str) -> str:
    """The shell command of a dashboard of that cluster, as textual-serve wants it."""
    words = [sys.executable, "-P", "-m", "etcd_sandbox", "-c", cluster, "dashboard"]
    return f"exec {shlex.join(words)}"

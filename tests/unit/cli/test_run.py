"""What `run` does with signals, at the worst moment."""

from __future__ import annotations

import os
import signal
import subprocess

from etcd_sandbox.cli.run import _forwarded


def test_a_signal_that_comes_while_the_command_is_executed_reaches_the_command() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with _forwarded() as to:
        command = subprocess.Popen(["sleep", "600"])
        os.kill(os.getpid(), signal.SIGTERM)
        to(command)
        assert command.wait() == -signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before

"""The program: `etcd-sandbox`, and `python -m etcd_sandbox`."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until somebody heeds it, Ctrl-C ends this program as it ends any other: without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from etcd_sandbox.cli.main import main

if __name__ == "__main__":
    main()

"""The program: `etcd-sandbox`, and `python -m etcd_sandbox`."""

from __future__ import annotations

# Not `signal`: it imports `enum` first, and an interrupt meanwhile is a traceback. What comes before
# this line is Python's own start and the script that the installer wrote.
import _signal  # type: ignore[import-not-found]  # typeshed does not have it

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    # Until somebody heeds it, Ctrl-C ends this program as it ends any other: without a traceback.
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from etcd_sandbox.cli.main import main

if __name__ == "__main__":
    main()

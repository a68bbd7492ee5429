"""Runs `etcd-sandbox` in a fork of a process that has imported it: the same command, without the start of a Python.

Each command is a process of its own with its own arguments, directory, environment and streams, and goes through
`etcd_sandbox.cli.main.main`, as the installed one does; what differs is that the modules are there already. A
command that is given a Python environment of its own (`PYTHONPATH`, a locale) is executed as usual.

    server = CommandServer()
    done = server.run(["etcd-sandbox", "status"], cwd, env, timeout_s=60)
"""

from __future__ import annotations

import array
import contextlib
import gc
import io
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "TZ")
"""Variables that Python heeds before it runs a line: a fork would not heed them."""

_LENGTH_BYTES = 8


class CommandServer:
    """The client's end: starts the server at the first command, which ends when this is closed or dies."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._env: dict[str, str] = {}

    def can_run(self, env: dict[str, str]) -> bool:
        """Whether a fork is the same as an execution with this environment."""
        if sys.platform != "linux":
            return False
        self._started()
        return _of_the_interpreter(env) == _of_the_interpreter(self._env)

    def run(
        self, argv: Sequence[str], cwd: Path, env: dict[str, str], timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` with captured text and an empty stdin: returns when both streams are closed."""
        deadline = time.monotonic() + timeout_s
        readers, writers = zip(*(os.pipe() for _ in range(3)), strict=True)
        try:
            _send(self._started(), {"argv": list(argv), "cwd": str(cwd), "env": env}, writers)
        finally:
            for end in writers:
                os.close(end)
        pieces: dict[int, list[bytes]] = {end: [] for end in readers}
        with selectors.DefaultSelector() as selector:
            for end in readers:
                selector.register(end, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(max(0.0, deadline - time.monotonic())):
                    if piece := os.read(key.fd, 1 << 16):
                        pieces[key.fd].append(piece)
                    else:
                        selector.unregister(key.fd)
                        os.close(key.fd)
                if time.monotonic() >= deadline:
                    self._give_up(pieces, selector, argv, timeout_s)
        out, err, ends = (b"".join(each) for each in pieces.values())
        code = int(ends.split()[1])
        text = (each.decode(errors="replace").replace("\r\n", "\n") for each in (out, err))
        return subprocess.CompletedProcess(list(argv), code, *text)

    def close(self) -> None:
        """End the server."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait(10)
            self._socket = self._process = None

    def _started(self) -> socket.socket:
        if self._socket is None:
            ours, theirs = socket.socketpair()
            # Whoever looks for the processes of a test by its home must not take the server for one.
            self._env = {k: v for k, v in os.environ.items() if k != "ETCD_SANDBOX_HOME"}
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", __file__, str(theirs.fileno())],
                    env=self._env,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                )
            self._socket = ours
        return self._socket

    def _give_up(
        self,
        pieces: dict[int, list[bytes]],
        selector: selectors.BaseSelector,
        argv: Sequence[str],
        timeout_s: float,
    ) -> None:
        out, err, told = (b"".join(each) for each in pieces.values())
        for key in list(selector.get_map().values()):
            selector.unregister(key.fileobj)
            os.close(key.fd)
        if len(words := told.split()) == 1:  # it has begun and has not ended
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(words[0]), signal.SIGKILL)
        raise subprocess.TimeoutExpired(list(argv), timeout_s, out, err)


def _of_the_interpreter(env: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(OF_THE_INTERPRETER)}


def _send(to: socket.socket, request: dict[str, object], fds: Sequence[int]) -> None:
    body = json.dumps(request).encode()
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
    to.sendmsg([len(body).to_bytes(_LENGTH_BYTES)], ancillary)
    to.sendall(body)


def _receive(end: socket.socket) -> tuple[dict[str, object], list[int]] | None:
    """The next request and its descriptors; None when there comes none any more."""
    head, fds, _, _ = socket.recv_fds(end, _LENGTH_BYTES, 3)
    if len(head) < _LENGTH_BYTES:
        return None
    body = b""
    while len(body) < (length := int.from_bytes(head)):
        body += end.recv(length - len(body))
    return json.loads(body), fds


def serve(end: socket.socket) -> None:
    """Fork once a request and tell the client the pid, then the exit code, until the client is gone."""
    _import_what_commands_use()
    gc.freeze()
    telling: dict[int, int] = {}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    with selectors.DefaultSelector() as selector:
        selector.register(end, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == woken:
                    os.read(woken, 4096)
                    _tell_who_ended(telling)
                    continue
                if (asked := _receive(end)) is None:
                    return
                request, (out, err, status) = asked
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    selector.close()
                    for fd in (end.detach(), woken, wake, status, *telling.values()):
                        os.close(fd)
                    _become(request, out, err)
                os.close(out)
                os.close(err)
                os.write(status, b"%d " % pid)
                telling[pid] = status


def _tell_who_ended(telling: dict[int, int]) -> None:
    while telling:
        pid, how = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        status = telling.pop(pid)
        with contextlib.suppress(BrokenPipeError):
            os.write(status, b"%d" % os.waitstatus_to_exitcode(how))
        os.close(status)


def _become(request: dict[str, object], out: int, err: int) -> None:
    """Be the command: its streams, directory, environment and arguments, as after an execution."""
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    # Python looks at what a stream is when it is made: these were of the server.
    sys.stdout = sys.__stdout__ = _made_anew(sys.stdout, 1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _made_anew(sys.stderr, 2)  # type: ignore[misc]
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[call-overload]
    try:
        os.chdir(str(request["cwd"]))
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(127)
    sys.argv = list(request["argv"])  # type: ignore[call-overload]
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as `etcd_sandbox.__main__` has it
    from etcd_sandbox.cli.main import main

    main()


def _made_anew(stream: TextIO, fd: int) -> io.TextIOWrapper:
    assert isinstance(stream, io.TextIOWrapper)
    return io.TextIOWrapper(
        os.fdopen(fd, "wb", closefd=False),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _import_what_commands_use() -> None:
    import etcd_sandbox.cli.act
    import etcd_sandbox.cli.choice
    import etcd_sandbox.cli.diagnostics
    import etcd_sandbox.cli.main
    import etcd_sandbox.cli.waiting
    import etcd_sandbox.control.client
    import etcd_sandbox.host.etcdctl
    import etcd_sandbox.host.start
    import etcd_sandbox.inputs.olddata
    import etcd_sandbox.inputs.plan
    import etcd_sandbox.words.story  # noqa: F401
    from etcd_sandbox.cli.root import COMMANDS, load

    for name in COMMANDS:
        load(name)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))

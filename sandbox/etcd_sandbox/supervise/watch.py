"""What the guard does once the supervisor is executed; see `guard.py`, which imports it by its path."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
LONGEST_MESSAGE = 65536
MOST_DESCRIPTORS = 250
"""The kernel passes on 253 at once."""

ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
COMMANDS_TIMEOUT_S = 30.0

KILL_TIMEOUT_S = 5.0
"""How long the end of a killed process is waited for: only one in an uninterruptible sleep takes longer."""


def become_subreaper() -> None:
    """On Linux, be the parent of every orphaned descendant."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap() -> dict[int, int]:
    """Collect every child that has ended: pid → wait status."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def children() -> list[int]:
    """The pids of this process's own children, zombies included (Linux only)."""
    found = []
    me = os.getpid()
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else ():  # noqa: PTH112, PTH208
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as stat:  # noqa: PTH123
                    fields = stat.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == me:
                found.append(int(entry))
    return found


def send(target: int, number: int, *, group: bool = False) -> bool:
    """Whether there was somebody to signal."""
    try:
        (os.killpg if group else os.kill)(target, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group that has only zombies
        return not group
    return True


def may_kill(pid: int) -> bool:
    """Kill it; whether there was somebody. What `sudo` started is not ours to end, and not waited for."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def kill_everything(groups: set[int]) -> None:
    """End every reported group and every descendant, and wait until they are gone."""
    deadline = time.monotonic() + KILL_TIMEOUT_S
    while time.monotonic() < deadline:
        left = [group for group in groups if send(group, signal.SIGKILL, group=True)]
        orphans = [pid for pid in children() if may_kill(pid)]
        reap()
        if not left and not orphans:
            return
        time.sleep(0.005)


def run_commands(commands: list[list[str]]) -> None:
    """Run each to its end, or until the time is over; what they start ends with them."""
    deadline = time.monotonic() + COMMANDS_TIMEOUT_S
    left = set()
    for command in commands:
        try:
            left.add(os.posix_spawn(command[0], command, os.environ))
        except OSError as error:
            print(error, file=sys.stderr)  # noqa: T201 - the supervisor's log
    while left and time.monotonic() < deadline:
        left -= reap().keys()
        time.sleep(0.005)
    kill_everything(left)


def readable(fds: list[int], timeout_s: float | None) -> set[int]:
    """Those of the descriptors that can be read, or whose other end is gone; `select` stops at 1023."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(None if timeout_s is None else timeout_s * 1000)}


class Watch:
    """What the guard knows while the supervisor lives."""

    def __init__(self, supervisor: int, reports: int, owner: int, grace_s: float) -> None:
        self.supervisor = supervisor
        self.reports = reports
        self.owner = owner
        self.grace_s = grace_s
        self.groups: set[int] = set()
        self.commands: list[list[str]] = []
        self.kill_at: float | None = None
        self._unfinished = b""

    def until_supervisor_ends(self, wakeup: int) -> None:
        """Return when the supervisor is gone, having asked or forced it where the owner went."""
        sources = [self.reports, wakeup] + ([self.owner] if self.owner >= 0 else [])
        while True:
            timeout = None if self.kill_at is None else max(0.0, self.kill_at - time.monotonic())
            ready = readable(sources, timeout)
            if self.kill_at is not None and time.monotonic() >= self.kill_at:
                send(self.supervisor, signal.SIGKILL)
                self.kill_at = None
            if wakeup in ready:
                os.read(wakeup, 4096)
            if self.owner in ready:
                sources.remove(self.owner)
                # A word from the owner means that the cluster is to outlive it; none, that it died.
                if os.read(self.owner, 4096):
                    send(self.supervisor, signal.SIGUSR1)
                else:
                    self.ask()
            if self.reports in ready:
                self._note(os.read(self.reports, 65536))
            if self.supervisor in reap():
                self._drain()
                return

    def ask(self) -> None:
        """Ask the supervisor to stop everything; force it after the grace period."""
        send(self.supervisor, signal.SIGTERM)
        self.kill_at = time.monotonic() + self.grace_s

    def force(self) -> None:
        """End the supervisor now; what is left of its processes follows."""
        send(self.supervisor, signal.SIGKILL)

    def _note(self, content: bytes) -> None:
        *lines, self._unfinished = (self._unfinished + content).split(b"\n")
        for line in lines:
            added, word = line[:1] == b"+", json.loads(line[1:])
            if isinstance(word, int):
                (self.groups.add if added else self.groups.discard)(word)
            elif added:
                self.commands.append(word)
            elif word in self.commands:
                self.commands.remove(word)

    def _drain(self) -> None:
        while readable([self.reports], 0) and (content := os.read(self.reports, 65536)):
            self._note(content)


def refuse(status_fd: int, error: OSError) -> int:
    """Tell whoever launched the guard what the machine refuses, and end; the launcher makes a sentence of it."""
    word = {"refused": {"errno": error.errno, "filename": error.filename}}
    os.write(status_fd, json.dumps(word).encode() + b"\n")
    return 1


def give_up(supervisor: int) -> int:
    """Whoever launched the guard has gone, or has nothing to run: so do these two."""
    if supervisor:
        send(supervisor, signal.SIGKILL)
        os.waitpid(supervisor, 0)
    return 0


def pass_on(said: int) -> None:
    """Put into the log what the supervisor said before it had the log."""
    while readable([said], 0) and (content := os.read(said, 65536)):
        os.write(2, content)


def run(supervisor: int, refused: OSError | None, reports: int, said: int, orders_fd: int) -> int:
    """Be the guard of a supervisor, or tell why it could not be executed (`refused`).

    One message on stdin says what there is to do: whether it is owned and the grace period in the first line,
    the supervisor's options behind it. With it come descriptors: the log, the status pipe, the plan,
    what is to stay open, among that the cluster's lock, and last the owner's pipe, if it is owned.
    """
    become_subreaper()
    launcher = socket.socket(fileno=0)
    message, fds, _, _ = socket.recv_fds(launcher, LONGEST_MESSAGE, MOST_DESCRIPTORS)
    if not message:
        return give_up(supervisor)
    own, _, orders = message.partition(b"\n")
    owned, grace_s = json.loads(own)
    for fd in fds:
        os.set_inheritable(fd, False)
    log, status_fd, plan, *kept = fds
    owner_fd = kept.pop() if owned else -1
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        if refused is not None:
            raise refused
        wakeup, wakeup_write = os.pipe()
    except OSError as error:
        give_up(supervisor)
        return refuse(status_fd, error)
    os.set_blocking(wakeup_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
    watch = Watch(supervisor, reports, owner_fd, grace_s)
    for number in ASKING:
        signal.signal(number, lambda *_: watch.ask())
    signal.signal(signal.SIGQUIT, lambda *_: watch.force())
    with socket.socket(fileno=orders_fd) as ours, contextlib.suppress(OSError):  # it has ended
        socket.send_fds(ours, [orders], [log, status_fd, plan, *kept])
    for fd in (log, status_fd, plan):
        os.close(fd)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, launcher.detach())
    os.close(nowhere)
    watch.until_supervisor_ends(wakeup)
    pass_on(said)
    kill_everything(watch.groups)
    run_commands(watch.commands)
    return 0

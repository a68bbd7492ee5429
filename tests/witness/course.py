"""A course of random faults and changes, and all that the product said meanwhile."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import msgspec
from etcd_sandbox import Cluster, verbs
from etcd_sandbox.api import values
from etcd_sandbox.cli.status import headline as status_headline
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model import verdict as verdicts
from etcd_sandbox.tui.memberrows import headline as dashboard_headline
from etcd_sandbox.tui.store import Store
from etcd_sandbox.verbs import Verb

from tests.witness.claims import Headline, Healthy, Refusal, Said, Status, Verdict
from tests.witness.history import Span
from tests.witness.stranger import Stranger

VERB_TIMEOUT_S = 12.0
HEALTHY_TIMEOUT_S = 15.0
SEEN_WITHIN_S = 1.0
RECONFIGURED_WITHIN_S = 15.0
ASKS_EVERY_S = (0.15, 0.5)


class Questioner:
    """Asks for `status` again and again while other things go on; `look` is done as often."""

    def __init__(
        self, client: ControlClient, said: Said, seed: int, look: Callable[[], None] | None = None
    ) -> None:
        self._client, self._said, self._random = client, said, random.Random(seed)
        self._look = look
        self._failed: Exception | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="questioner")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(30)
        if error is None and self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        try:
            while not self._over.wait(self._random.uniform(*ASKS_EVERY_S)):
                ask_status(self._client, self._said)
                if self._look is not None:
                    self._look()
        except Exception as failed:
            self._failed = failed


def ask_status(client: ControlClient, said: Said) -> None:
    """Ask once, and note the answer with what the command and the dashboard make of it."""
    sent = time.time()
    body = client.status()
    span = Span(sent, time.time())
    store = Store(cluster=str(body["cluster"]))
    store.take_status(values.status_of(body))
    said.statuses.append(status := Status(span, body))
    for line in (status_headline(body), dashboard_headline(store)):
        said.headlines.append(Headline(status.told, line))


class Course:
    """Does random things to a cluster, drawn from a seed; each is followed by what mends it, or is not."""

    def __init__(
        self,
        cluster: Cluster,
        client: ControlClient,
        said: Said,
        seed: int,
        *,
        extras: frozenset[str],
    ) -> None:
        self._cluster = cluster
        self._client = client
        self._said = said
        self._random = random.Random(seed)
        self._first = len(cluster.members)
        self._broken = 0
        self._auth = False
        self._alarm = False
        self._added = False
        self._extras = extras

    def prepare(self) -> None:
        """What is the case from the beginning: users, an alarm, a member that nobody starts."""
        stranger = self._stranger()
        deadline = time.monotonic() + RECONFIGURED_WITHIN_S
        while "unlisted" in self._extras and not self._added and time.monotonic() < deadline:
            # etcd takes nobody in before the members have been connected for five seconds.
            self._toggle_unlisted(stranger)
            time.sleep(0.3)
        if "alarm" in self._extras:
            self._toggle_alarm(stranger)
        if "auth" in self._extras:
            self._toggle_auth(stranger)
        # What comes and goes between two looks of the witness it cannot know of.
        time.sleep(SEEN_WITHIN_S)

    def round(self) -> None:
        """One fault or change, some questions, and mostly what mends it."""
        step = self._random.choice(self._steps())
        step()
        time.sleep(self._random.uniform(0.0, 0.6))
        ask_status(self._client, self._said)
        if self._broken >= 2 or self._random.random() < 0.6:
            self.mend()

    def end(self) -> None:
        """Mend what is still broken."""
        if self._broken:
            self.mend()

    def mend(self) -> None:
        """Everything heals, everyone runs; and whoever waits for that is told."""
        self._act(verbs.HEAL)
        self._act(verbs.START, "all")
        self._broken = 0
        self._wait_healthy(HEALTHY_TIMEOUT_S if not (self._alarm or self._added) else 1.0)

    def _steps(self) -> list[Callable[[], None]]:
        who = self._random.choice(["leader", "random", "random", "minority", "followers"])
        one = self._random.choice(["leader", "random"])
        steps: list[Callable[[], None]] = [
            *[lambda: self._break(verbs.KILL, one)] * 3,
            *[lambda: self._break(verbs.PAUSE, one)] * 3,
            lambda: self._break(verbs.STOP, one),
            lambda: self._act(verbs.RESTART, one),
            lambda: self._break(verbs.KILL, who),
            *[lambda: self._break(verbs.PARTITION, one)] * 2,
            lambda: self._break(verbs.PARTITION, "minority"),
            self._cut,
            self._slow,
            self._half,
            *[lambda: self._act(verbs.MOVE_LEADER, "random")] * 2,
            self._change_members,
            self._plain_change if self._broken == 0 else self._cut,
        ]
        return steps

    def _break(self, verb: Verb, select: str, **how: Any) -> None:
        self._broken += 1
        self._act(verb, select, **how)

    def _cut(self) -> None:
        one, other = self._random.sample(self._cluster.members, 2)
        self._broken += 1
        self._act(verbs.CUT, one, versus=(other,))

    def _half(self) -> None:
        """What is half of something: one way, thin, lossy, or over at once."""
        one = self._random.choice(["leader", "random", "followers"])
        kinds: list[tuple[Verb, dict[str, Any]]] = [
            (verbs.PARTITION, {"one_way": True}),
            (verbs.THROTTLE, {"bytes_per_s": 64e3}),
            (verbs.FLAKY, {"stall": 0.1, "reset": 0.01}),
            (verbs.RESET, {}),
        ]
        verb, how = self._random.choice(kinds)
        self._break(verb, one, **how)

    def _slow(self) -> None:
        one = self._random.choice(["leader", "random"])
        delay_s = self._random.choice([0.02, 0.05, 0.2])
        self._break(verbs.SLOW, one, delay_s=delay_s, jitter_s=delay_s / 4)

    def _change_members(self) -> None:
        if len(self._cluster.members) <= self._first:
            if self._random.random() < 0.5:
                self._act(verbs.ADD)
            else:
                self._act(verbs.ADD, learner=True)
                self._act(verbs.PROMOTE, "learners")
        else:
            self._act(verbs.REMOVE, self._random.choice(["leader", "random"]))

    def _plain_change(self) -> None:
        stranger = self._stranger()
        change = self._random.choice([self._toggle_auth, self._toggle_alarm, self._toggle_unlisted])
        change(stranger)
        time.sleep(self._random.uniform(SEEN_WITHIN_S, 1.5))
        ask_status(self._client, self._said)

    def _toggle_auth(self, stranger: Stranger) -> None:
        done = stranger.disables_auth() if self._auth else stranger.enables_auth()
        self._auth ^= done
        self._tell(f"authentication {'on' if self._auth else 'off'}")

    def _toggle_alarm(self, stranger: Stranger) -> None:
        done = stranger.disarms() if self._alarm else stranger.raises_nospace()
        self._alarm ^= done
        self._tell(f"alarm {'up' if self._alarm else 'none'}")

    def _toggle_unlisted(self, stranger: Stranger) -> None:
        if self._added:
            done = stranger.removes_what_never_started()
        else:
            done = stranger.adds_a_member(f"http://127.0.0.1:{self._random.randint(1, 1000)}")
        self._added ^= done
        if not done:
            return
        self._tell(f"a member that never started: {'there' if self._added else 'none'}")

    def _tell(self, step: str) -> None:
        self._said.steps.append(f"{datetime.now():%H:%M:%S.%f} {step}")

    def _stranger(self) -> Stranger:
        return Stranger(self._cluster.endpoints)

    def _act(self, verb: Verb, *select: str, **how: Any) -> None:
        seed = self._random.randint(0, 1 << 30)
        told = " ".join((verb.name, *select, *(f"{key}={value}" for key, value in how.items())))
        sent = time.time()
        try:
            body = self._client.act(verb, select, seed=seed, timeout_s=VERB_TIMEOUT_S, **how)
        except SandboxError as error:
            self._tell(f"{told}: {error}")
            self._said.refusals.append(Refusal(Span(sent, time.time()), told, str(error)))
            return
        text = verdicts.sentence(msgspec.convert(body, verdicts.Verdict))
        self._tell(f"{told} ({', '.join(body['targets'])}): {text}")
        self._said.verdicts.append(Verdict(Span(sent, time.time()), body, text))

    def _wait_healthy(self, timeout_s: float) -> None:
        sent = time.time()
        body, error = None, ""
        try:
            body = msgspec.to_builtins(self._cluster.wait_healthy(timeout_s))
        except SandboxError as told:
            error = str(told)
        self._tell(f"wait_healthy: {error or 'healthy'}")
        self._said.healthy.append(Healthy(Span(sent, time.time()), body, error))

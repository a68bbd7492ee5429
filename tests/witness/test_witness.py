"""Whatever is said of a cluster is true, by a witness that has it from etcd and the machine alone.

Each scene brings up one cluster and does random things to it, from a seed that is told when it
fails; `ETCD_SANDBOX_WITNESS_SEED` repeats it.
"""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.paths import cluster_paths

from tests import etcd_versions
from tests.conftest import SandboxCommand
from tests.terminal.conftest import newest_etcd, screen_of
from tests.terminal.screen import Screen
from tests.witness import judging
from tests.witness.claims import Event, Headline, Said
from tests.witness.course import Course, Questioner
from tests.witness.etcdclient import PASSWORD, USER
from tests.witness.history import History, Span
from tests.witness.observer import Observer

__all__ = ["newest_etcd", "screen_of"]

if TYPE_CHECKING:
    from etcd_sandbox.pytest_plugin import EtcdClusterFactory

SEED = "ETCD_SANDBOX_WITNESS_SEED"
SHOWN = 40
SEEN_AFTER_S = 1.2
"""The witness looks on for so long, so that the last claims have something after them."""

SHOWN_FOR_S = 4.0
"""The dashboard asks once a second, an answer takes up to another one where members are late, and what
is shown is as old as the answer before. What it makes of each answer is compared without this patience."""

START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Scene:
    """One cluster, what is the case in it, and how many rounds it gets.

    `extras`: authentication is on (`auth`), an `alarm` is up, a member that never started is on etcd's
    list (`unlisted` here: no process is it); with `user` the product has the credentials of a user.
    """

    series: str
    members: int
    rounds: int = 5
    extras: frozenset[str] = field(default_factory=frozenset)
    busy: bool = False

    def __str__(self) -> str:
        words = (self.series, str(self.members), *sorted(self.extras), *(["busy"] * self.busy))
        return "-".join(words)


SCENES = (
    Scene("3.6", 3, extras=frozenset({"unlisted"})),
    Scene("3.5", 5, busy=True),
    Scene("3.7", 3, extras=frozenset({"auth"})),
    Scene("3.6", 9, extras=frozenset({"alarm"})),
)
"""Twenty rounds."""


def soak_scenes() -> Iterator[Scene]:
    """Two hundred rounds: every size, everything that may be the case, a third with both cores busy."""
    draw = random.Random(11)
    for number in range(40):
        extras = frozenset(word for word in ("auth", "alarm", "unlisted") if draw.random() < 0.3)
        if number % 2 == 0:
            extras |= {"user"}
        series = draw.choice(["3.5", "3.6", "3.7"])
        yield Scene(series, (3, 5, 9, 15)[number % 4], extras=extras, busy=number % 3 == 0)


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_nothing_that_is_said_is_contradicted(
    scene: Scene,
    sandbox_command: SandboxCommand,
    monkeypatch: pytest.MonkeyPatch,
    etcd_cluster_factory: EtcdClusterFactory,
) -> None:
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(sandbox_command.home))
    play(scene, etcd_cluster_factory, seed=int(os.environ.get(SEED) or random.randrange(1 << 30)))


def test_what_the_dashboard_shows_in_a_terminal_is_not_contradicted(
    sandbox_command: SandboxCommand,
    monkeypatch: pytest.MonkeyPatch,
    etcd_cluster_factory: EtcdClusterFactory,
    screen_of: Callable[..., Screen],
) -> None:
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(sandbox_command.home))
    play(
        Scene("3.6", 3, rounds=3),
        etcd_cluster_factory,
        seed=int(os.environ.get(SEED) or random.randrange(1 << 30)),
        screen_of=screen_of,
    )


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("number", "scene"), list(enumerate(soak_scenes())), ids=lambda value: str(value)
)
def test_nothing_that_is_said_in_two_hundred_rounds_is_contradicted(
    number: int,
    scene: Scene,
    sandbox_command: SandboxCommand,
    monkeypatch: pytest.MonkeyPatch,
    etcd_cluster_factory: EtcdClusterFactory,
) -> None:
    monkeypatch.setenv("ETCD_SANDBOX_HOME", str(sandbox_command.home))
    play(scene, etcd_cluster_factory, seed=int(os.environ.get(SEED) or 1000 + number))


def play(
    scene: Scene,
    factory: EtcdClusterFactory,
    seed: int,
    screen_of: Callable[..., Screen] | None = None,
) -> None:
    """Bring the cluster up, watch it through its rounds, and compare; with the dashboard in a terminal."""
    etcd = etcd_versions.need(scene.series)
    user = f"{USER}:{PASSWORD}" if "user" in scene.extras else None
    cluster = factory(members=scene.members, etcd=etcd.path, timeout_s=START_TIMEOUT_S, user=user)
    client, said = ControlClient(cluster_paths(cluster.name), user), Said()
    endpoints = dict(zip(cluster.members, cluster.endpoints, strict=True))
    look = None
    if screen_of is not None:
        screen = screen_of("-c", cluster.name, "dashboard")
        screen.until_shown("quorum:")
        look = lambda: said.headlines.append(shown_on(screen))  # noqa: E731 - it is one
    with Observer(cluster.directory, endpoints) as observer:
        time.sleep(0.5)
        began = time.time()
        with busy(scene.busy), Questioner(client, said, seed, look):
            course = Course(cluster, client, said, seed, extras=scene.extras)
            course.prepare()
            for _ in range(scene.rounds):
                course.round()
            course.end()
        ended = time.time()
        time.sleep(SEEN_AFTER_S)
        events = [Event(body) for body in client.events(follow=False)]
    found = judging.contradictions(said, events, History(observer.watch), Span(began, ended))
    assert observer.watch.reads
    assert said.statuses
    assert said.verdicts
    assert look is None or any("quorum" in each.line for each in said.headlines)
    told = [
        f"{len(found)} contradictions, scene {scene}, {SEED}={seed}",
        *judging.summary(found)[:SHOWN],
        "the course:",
        *said.steps,
    ]
    if path := os.environ.get("ETCD_SANDBOX_WITNESS_REPORT"):
        with Path(path).open("a") as report:
            report.write("\n".join([*told, ""]) + "\n")
        Path(f"{path}.{seed}").write_bytes(pickle.dumps((observer.watch, said, events)))
    assert not found, "\n".join(told)


def shown_on(screen: Screen) -> Headline:
    """The dashboard's headline as a terminal shows it now: it tells of the last seconds."""
    sent = time.time()
    rows = screen.rows
    return Headline(Span(sent - SHOWN_FOR_S, time.time()), rows[0] if rows else "")


@contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """All processors have something to do meanwhile: what other tests leave of them."""
    left = (os.cpu_count() or 2) - int(os.getloadavg()[0])
    count = max(0, left) if wanted else 0
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()

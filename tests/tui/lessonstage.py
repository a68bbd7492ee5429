"""A small lesson on a fake cluster: the real guide, watch and shell, and a stage that is only a model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from etcd_sandbox.learn.guide import Guide
from etcd_sandbox.learn.lesson import Step, parse_lesson
from etcd_sandbox.learn.needs import Needs
from etcd_sandbox.learn.record import is_whole
from etcd_sandbox.learn.stage import Stage
from etcd_sandbox.learn.watch import Watch
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.tui.actions import Phase
from etcd_sandbox.tui.app import Dashboard
from etcd_sandbox.tui.tutor import Tutor

from tests.tui.appstage import DashboardPilot, playing, until
from tests.tui.fakecluster import FakeCluster
from tests.tui.samples import cluster

LESSON = parse_lesson(
    """# Electing a leader

<!-- minutes: 5 -->
<!-- etcd: 3.4 3.5 3.6 3.7 -->

A cluster that has lost its leader finds another by itself.

## What you will see

- a leader that is killed is missed only after a second of silence

## Before you begin

```console
$ export ETCD_SANDBOX_CLUSTER=learn-2
$ etcd-sandbox up -d -n 3 --base-port auto
```

## Who leads now

<!-- needs: healthy -->
<!-- until: enter -->
<!-- hint: Read the `first` line. -->

```console
$ colour=blue; echo infra1 leads
infra1 leads
$ echo the sky is $colour
the sky is blue
```

All three agree on the leader and on the **term**.

## A crash: kill

<!-- needs: healthy -->
<!-- until: killed leader; leader elected -->
<!-- hint: `kill -9` with the leader's PID does the same. -->

Now without a goodbye. This is SIGKILL, the same as `kill -9` with the leader's pid:

```console
$ echo crash
killed infra1 (pid 32580, SIGKILL); it was the leader
```

More than a second, where a moment ago it was nothing. Nobody told the followers: they heard no
heartbeat, and each waited its **election timeout** before it believed that the leader is gone.

## Bring it back again

<!-- until: healthy -->

```console
$ echo start all
```

It is a good member again.

## Watch it

<!-- until: enter -->

```console
$ echo watching; sleep 60
watching
^C
```

Enough.

## Question

What if *two* were killed?

<details><summary>Answer</summary>

Then **nobody** could lead.

</details>

## Read next

- [Raft](https://raft.github.io/): the algorithm
""",
    "02-electing-a-leader.md",
)


@dataclass
class FakeStage:
    """What a course asks of its stage, over a fake cluster."""

    fake: FakeCluster
    paths: ClusterPaths
    program: str = "/usr/bin/etcd"

    def lack(self, step: Step) -> None:
        """The machine can do every step."""

    def establish(self, needs: Needs | None, tell: Callable[[str], None]) -> None:
        if self.fake.away.is_set():
            self.fake.come_back()
            tell("the cluster was brought up")
        if needs is not None and needs.healthy and not is_whole(self.fake.now):
            self.fake.now = cluster(3, "healthy")
            tell("made whole: infra1 started")


def tutor_on(fake: FakeCluster, at: int = 0) -> Tutor:
    """The lesson on that cluster, from its first step or where it was left."""
    guide = Guide(LESSON.steps, at)
    stage = FakeStage(fake, fake.paths)
    watch = Watch(fake.paths, guide, fake.client)
    return Tutor(LESSON, cast(Stage, stage), guide, resumed=at > 0, watch=watch)


def learning(
    fake: FakeCluster,
    scene: Callable[[Dashboard, DashboardPilot, Tutor], Awaitable[Any]],
    *,
    at: int = 0,
    size: tuple[int, int] = (120, 40),
) -> Dashboard:
    """Run the dashboard with the lesson, and the scene from the moment that the first step is shown."""
    tutor = tutor_on(fake, at)

    async def prepared(app: Dashboard, pilot: DashboardPilot) -> None:
        await until(pilot, lambda: tutor.standing.phase is not Phase.PREPARING)
        await scene(app, pilot, tutor)

    return playing(fake, prepared, size, tutor=tutor, owned=True)

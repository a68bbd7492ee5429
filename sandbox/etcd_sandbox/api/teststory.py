"""What became of a test's clusters, for the report of the test: in words, and as files."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType

from etcd_sandbox.api.facts import ClusterFacts
from etcd_sandbox.api.values import lines_of
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.event import event_from_wire
from etcd_sandbox.paths import ClusterPaths
from etcd_sandbox.words import story

EVENTS_SHOWN = 60
LINES_SHOWN = 20
"""Of each member's log."""

_NAME_LIMIT = 120
_KEPT = ("cluster.json", "events.jsonl", "supervisor.log")
_OURS = str(Path(story.__file__).parents[1]) + "/"


def told(cluster: ClusterFacts, since: datetime) -> str:
    """What happened in a cluster that is up since that moment, and the last log lines of each member."""
    client = _client(cluster)
    lines = [f"endpoints: {','.join(cluster.endpoints)}"]
    try:
        events = [
            f"{story.clock(event.ts)} {story.sentence(event.to_wire())}"
            for event in map(event_from_wire, client.events(follow=False))
            if datetime.fromisoformat(event.ts) >= since
        ]
        lines += events[-EVENTS_SHOWN:]
        for member in cluster.members:
            lines.append(f"the last lines of {member}:")
            frames = client.logs((member,), follow=False, tail=LINES_SHOWN)
            written = [line for frame in frames for line in lines_of(frame)]
            lines += [f"  {line.text}" for line in written if line.arrived >= since]
    except SandboxError as error:
        lines.append(f"no more is known: {error}")
    return "\n".join(lines)


def keep(cluster: ClusterFacts, text: str, directory: Path, test: str) -> Path:
    """Copy the cluster's logs, events and status beside the story; where they are. Raises OSError."""
    place = directory / directory_name(test) / cluster.name
    place.mkdir(parents=True, exist_ok=True)
    (place / "story.txt").write_text(text + "\n", errors="backslashreplace")
    for name in _KEPT:
        if (source := cluster.directory / name).exists():
            shutil.copyfile(source, place / name)
    shutil.copytree(cluster.directory / "logs", place / "logs", dirs_exist_ok=True)
    try:
        status = _client(cluster).status()
    except SandboxError:
        return place
    (place / "status.json").write_text(json.dumps(status, indent=2) + "\n")
    return place


def directory_name(test: str) -> str:
    """A directory's name for a test: its node ID, as far as file systems take it."""
    name = re.sub(r"[^\w.\[\]-]+", "-", test).strip("-.") or "test"
    if len(name) <= _NAME_LIMIT and name.isascii():
        return name
    digest = hashlib.sha256(test.encode(errors="replace")).hexdigest()[:8]
    return f"{name.encode('ascii', 'replace').decode().replace('?', '-')[:_NAME_LIMIT]}-{digest}"


def hide_our_frames(error: BaseException) -> None:
    """End the traceback of an error of ours at the caller's own line, and those of its causes."""
    for each in _chain(error):
        if isinstance(error, SandboxError):
            each.__traceback__ = _without_ours(each.__traceback__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    last, each = None, trace
    while each is not None and not each.tb_frame.f_code.co_filename.startswith(_OURS):
        last, each = each, each.tb_next
    if each is None:
        return trace
    if last is None:
        return None
    last.tb_next = None
    return trace


def _client(cluster: ClusterFacts) -> ControlClient:
    return ControlClient(ClusterPaths(cluster.name, cluster.directory))

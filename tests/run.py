"""Installs what the tests need and runs them: one command on a machine that has only Python.

    python3 tests/run.py            everything: format, lint, types, contracts, tests
    python3 tests/run.py PATH…      the tests at these paths only

It makes `.venv` beside the checkout's files, installs the project with real etcd 3.5.1 into it,
adds Debian's etcd 3.4, tmux, Chromium, podman, docker and dnsmasq where it may (root on Debian or Ubuntu), and
compiles the etcd 3.6 and 3.7 of the day, and goreman, where Go is present. Tests of what is not there are skipped and
say why; with ETCD_SANDBOX_TESTS_REQUIRE_ALL set they fail instead. No test is run a second time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

DEBIAN = {
    "etcd": "etcd-server",
    "etcdctl": "etcd-client",
    "tmux": "tmux",
    "ps": "procps",
    "chromium": "chromium",
    "podman": "podman",
    "runc": "runc",
    "iptables": "iptables",  # podman's networks are made with it
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
    "dnsmasq": "dnsmasq-base",
    "dig": "bind9-dnsutils",
    "strace": "strace",
    "dockerd": "docker.io",
    "docker-compose": "docker-compose",
}
"""Programs that the tests use, and Debian's packages that have them."""

CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("lint-imports",),
    ("pytest", "--collect-only", "-qq"),  # compiles the tests, once for all workers
)


def main() -> int:
    """Install, check, test; the first failure's exit code."""
    if sys.version_info < (3, 11):
        print(f"etcd-sandbox needs Python 3.11 or newer; this is {sys.version.split()[0]}")
        return 2
    os.chdir(ROOT)
    install_python_packages()
    install_system_packages()
    run(str(PYTHON), "tests/build_etcd.py", check=False)
    chosen = sys.argv[1:]
    if not chosen:
        check()
    # Most of its time a test of real etcd waits, for an election or a process: more workers than processors.
    workers = ("-n", str(max(6, 2 * (os.cpu_count() or 2))))
    return run(str(PYTHON), "-m", "pytest", *workers, *chosen, check=False)


def check() -> None:
    """Run the checks side by side, since each of them keeps one processor busy; ends the script if one fails."""
    commands = [(str(VENV / "bin" / name), *arguments) for name, *arguments in CHECKS]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command in commands
    ]
    for command, process in zip(commands, running, strict=True):
        said, _ = process.communicate()
        print("$", *command, flush=True)
        if process.returncode or "--collect-only" not in command:  # which lists every file
            print(said, end="", flush=True)
    if failed := [process.returncode for process in running if process.returncode]:
        sys.exit(failed[0])


def install_python_packages() -> None:
    """The project, editable, with its extras, in `.venv`."""
    if not PYTHON.exists():
        run(sys.executable, "-m", "venv", str(VENV))
    run(str(PYTHON), "-m", "pip", "install", "--quiet", "--editable", ".[etcd,test,web]")


def install_system_packages() -> None:
    """Debian's packages, where apt is there and this is root; says what is missing otherwise."""
    missing = [package for program, package in DEBIAN.items() if not outside_venv(program)]
    if not missing:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(f"not installed, tests that need them are skipped: {', '.join(missing)}")
        return
    # Installing the server would start it: it is only wanted as a program.
    os.environ["RUNLEVEL"] = "1"
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run("apt-get", "update", "-qq", check=False)
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, check=False)


def outside_venv(program: str) -> str | None:
    """Where the system's own program is; what a Python environment brought does not count."""
    places = [place for place in os.get_exec_path() if not (Path(place) / "python").exists()]
    return shutil.which(program, path=os.pathsep.join(places))


def run(*command: str, check: bool = True) -> int:
    """Run one step, showing it; ends the script with its code if it fails and `check` says so."""
    print("$", " ".join(command), flush=True)
    code = subprocess.run(command, check=False).returncode
    if check and code:
        sys.exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())

"""goreman itself reads the contents of `.env` that the unit tests claim to read as it does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from etcd_sandbox.config.inputfile import load_env

from tests.integration.test_export import tool
from tests.unit.config.test_environment import AS_GODOTENV


def test_goreman_gives_its_processes_the_same_variables(tmp_path: Path) -> None:
    goreman = tool("goreman")
    caller = {"PATH": os.environ["PATH"]}
    for number, (text, _) in enumerate(AS_GODOTENV):
        place = tmp_path / str(number)
        place.mkdir()
        (place / ".env").write_text(text)
        (place / "Procfile").write_text("show: env -0 >seen\n")
        subprocess.run(
            [goreman, "-rpc-server=false", "-set-ports=false", "start"],
            cwd=place,
            env=caller,
            capture_output=True,
            check=True,
            timeout=60,
        )
        seen = dict(
            entry.split("=", 1) for entry in (place / "seen").read_text().split("\0") if entry
        )
        ours = load_env([(".env", text)], caller)
        assert {name: seen[name] for name in ours} == ours, text

"""An exported script: words reach the programs as they are."""

from __future__ import annotations

import re
import shlex

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.export.standalone import shell
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.export import plans
from tests.unit.export.plans import from_procfile, from_profile

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20)


def started(script: str) -> list[list[str]]:
    """The words of each command that the script starts in the background."""
    commands = []
    for part in re.split(r'(?<= 2>&1 &\n)pids="\$pids \$!"\n', script)[:-1]:
        words = shlex.split(part.rpartition("\n\n")[2].replace(" \\\n  ", " "))
        assert words[-2:] == ["2>&1", "&"]
        commands.append(words[:-3])
    return commands


@settings(max_examples=20)
@given(cors=TEXTS.filter(lambda text: "\n\n" not in text))
def test_a_members_flags_reach_etcd_as_they_are(cors: str) -> None:
    import tomli_w

    spec = from_profile(tomli_w.dumps({"cluster": {"members": 1}, "etcd": {"cors": cors}}))
    (words,) = started(shell(spec, plans.ON_PATH).text)
    assert words[0] == "etcd"
    assert words[-1] == f"--cors={cors}"


def test_members_keep_their_data_beside_the_script_and_listen_where_they_are_dialled() -> None:
    words = started(shell(from_profile(members=3), plans.ON_PATH).text)
    assert [each[1:3] for each in words] == [
        [f"--name=infra{n}", f"--data-dir=infra{n}.etcd"] for n in (1, 2, 3)
    ]
    assert "--listen-peer-urls=http://127.0.0.1:22380" in words[1]


def test_a_procfiles_commands_run_under_sh_with_their_port() -> None:
    spec = from_procfile("a: sleep $PORT\nb: cd x && y\n")
    found = shell(spec, plans.ON_PATH)
    assert started(found.text) == [
        ["env", "PORT=5000", "/bin/sh", "-c", "exec sleep $PORT"],
        ["env", "PORT=5100", "/bin/sh", "-c", "cd x && y"],
    ]
    assert found.notes == ("b: the script stops the shell of that command, not what that started",)


def test_only_what_up_was_asked_for_is_started() -> None:
    spec = from_procfile("a: sleep 1\nb: sleep 2\n", wanted=("b",))
    assert [words[-1] for words in started(shell(spec, "").text)] == ["exec sleep 2"]


def test_the_discovery_service_comes_first_and_its_token_before_the_members() -> None:
    text = shell(from_profile(members=2, inputs=plans.DISCOVERY), plans.ON_PATH).text
    register = text.index("_config/size -d value=2 2>/dev/null; do")
    assert text.index("--name=discovery") < register < text.index("--name=infra1")


def test_what_waits_for_the_cluster_comes_after_the_members_and_waits() -> None:
    spec = from_profile('[[process]]\nname = "app"\ncommand = "run"\nafter = "ready"\n')
    text = shell(spec, plans.ON_PATH).text
    wait = text.index("until curl -fs -o /dev/null http://127.0.0.1:12379/health")
    assert text.index("--name=infra3") < wait < text.index("exec run")


def test_a_dns_bootstrap_is_refused_for_the_script_too() -> None:
    with pytest.raises(InputError, match="shell cannot hold"):
        shell(from_profile(members=3, inputs=plans.DNS), plans.ON_PATH)


def test_values_from_a_file_of_variables_are_told() -> None:
    spec = from_procfile("a: run\n", env_overlay={"KEY": "it's"})
    found = shell(spec, "")
    assert started(found.text)[0][:3] == ["env", "KEY=it's", "PORT=5000"]
    assert found.notes == ("the script holds the values of KEY, from a file of variables",)

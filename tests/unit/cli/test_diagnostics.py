from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from etcd_sandbox.cli import main
from etcd_sandbox.cli.diagnostics import guarded, render
from etcd_sandbox.cli.root import COMMANDS, load
from etcd_sandbox.errors import InputError, NotRunning, SandboxError, TimedOut

from tests.unit.cli.conftest import Ran


def has_json(name: str) -> bool:
    return any(param.name == "json" for param in load(name).params)


def raising(error: BaseException) -> Callable[[], int]:
    def call() -> int:
        raise error

    return call


def test_an_error_is_what_and_where_then_its_evidence_then_the_hint() -> None:
    error = SandboxError("it broke", "Procfile:3", "mend it", "line 1\nline 2\n")
    assert render(error) == (
        "etcd-sandbox: error: it broke, Procfile:3\n\nline 1\nline 2\n\nhint: mend it\n"
    )


def test_an_error_without_hint_is_one_line() -> None:
    assert render(SandboxError("it broke")) == "etcd-sandbox: error: it broke\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SandboxError("a"), 1),
        (InputError("a"), 2),
        (NotRunning("a"), 3),
        (TimedOut("a"), 4),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.UsageError("a"), 2),
    ],
)
def test_each_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert guarded(raising(error)) == code


def test_an_unexpected_error_is_one_line_that_names_a_file_with_the_traceback(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(raising(ZeroDivisionError("division by zero"))) == 1
    shown = capsys.readouterr().err
    [file] = home.glob("crash-*.txt")
    first = shown.splitlines()[0]
    assert first == f"etcd-sandbox: error: unexpected ZeroDivisionError: division by zero, {file}"
    assert "Traceback" not in shown
    assert "Traceback" in file.read_text()


def test_an_unknown_command_is_refused_with_the_nearest_one(cli: Callable[..., Ran]) -> None:
    ran = cli("statsu")
    assert ran.code == 2
    assert ran.err == (
        "etcd-sandbox: error: there is no command 'statsu'\n\nhint: did you mean 'status'?\n"
    )


def test_an_unknown_option_is_refused_with_the_nearest_one(cli: Callable[..., Ran]) -> None:
    ran = cli("up", "--ephemerl")
    assert ran.code == 2
    assert ran.err == (
        "etcd-sandbox: error: no such option '--ephemerl'\n\nhint: did you mean --ephemeral?\n"
    )


@pytest.mark.parametrize("option", ["--owne", "--notice", "--own"])
def test_an_option_that_help_does_not_show_is_never_suggested(
    cli: Callable[..., Ran], option: str
) -> None:
    ran = cli("dashboard", option)
    assert ran.code == 2
    assert ran.err.endswith("hint: etcd-sandbox dashboard --help\n")


def test_a_missing_argument_is_told_in_our_form(cli: Callable[..., Ran]) -> None:
    ran = cli("kill")
    assert ran.code == 2
    assert ran.err.startswith("etcd-sandbox: error: missing argument 'SEL...'\n\nhint: ")
    assert "etcd-sandbox kill --help" in ran.err


def test_json_is_refused_where_there_is_no_data(cli: Callable[..., Ran]) -> None:
    ran = cli("--json", "run", "--", "true")
    assert ran.code == 2
    assert "'run' has no --json" in ran.err


@pytest.mark.parametrize(
    ("args", "error", "hint", "code"),
    [
        (("status", "--json"), "no cluster is running", "etcd-sandbox up starts one", 3),
        (("-c", "run", "status", "--json"), "no cluster 'run' is running", "up", 3),
        (("status", "--json", "--xyz"), "no such option '--xyz'", "etcd-sandbox status --help", 2),
        (("status", "--xyz", "--json"), "no such option '--xyz'", "etcd-sandbox status --help", 2),
        (("--json", "kil"), "there is no command 'kil'", "did you mean 'kill'?", 2),
        (("--json", "--xyz"), "no such option '--xyz'", "etcd-sandbox --help", 2),
        (("check", "none", "--json"), "there is no", None, 2),
    ],
)
def test_with_json_an_error_is_one_object_on_stderr(
    cli: Callable[..., Ran], args: tuple[str, ...], error: str, hint: str | None, code: int
) -> None:
    ran = cli(*args)
    told = json.loads(ran.err)
    assert list(told) == ["error", "hint", "detail", "code"]
    assert told["error"].startswith(error)
    assert hint is None or hint in told["hint"]
    assert (told["code"], ran.code, ran.out) == (code, code, "")


@pytest.mark.parametrize("name", [name for name in COMMANDS if has_json(name)])
def test_every_command_that_has_json_has_its_errors_as_json(
    cli: Callable[..., Ran], name: str
) -> None:
    ran = cli(name, "--json", "--no-such-option")
    assert json.loads(ran.err)["error"] == "no such option '--no-such-option'"


def test_an_unexpected_error_is_json_where_json_was_asked_for(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(raising(ZeroDivisionError("division by zero")), as_json=True) == 1
    assert "unexpected ZeroDivisionError" in json.loads(capsys.readouterr().err)["error"]


def test_with_json_stderr_holds_nothing_that_is_not_json(
    cli: Callable[..., Ran], tmp_path: Path
) -> None:
    procfile = tmp_path / "Procfile"
    procfile.write_text("web: sleep 1\nno colon here\n")
    plain = cli("check", str(procfile))
    assert "using " in plain.err
    assert "warning: " in plain.err
    ran = cli("check", str(procfile), "--json")
    assert [list(json.loads(line)) for line in ran.err.splitlines()] == [["warning"]]
    json.loads(ran.out)


def test_the_words_of_a_command_that_is_run_are_not_ours(cli: Callable[..., Ran]) -> None:
    assert cli("ctl", "get", "--json").err.startswith("etcd-sandbox: error: ")
    assert cli("run", "-n", "0", "--", "x", "--json").err.startswith("etcd-sandbox: error: ")


def test_on_windows_one_sentence_names_wsl(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(SystemExit) as caught:
        main.main()
    monkeypatch.undo()
    assert caught.value.code == 1
    text = capsys.readouterr().err
    assert "WSL" in text
    assert text.count("\n") == 1


def test_an_output_that_nobody_reads_ends_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    kept = os.dup(1)
    try:
        assert guarded(raising(BrokenPipeError())) == 141
        sys.stdout.flush()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert capfd.readouterr().err == ""


INTERRUPTED = """
import os, _signal, sys

class Interrupt:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == MODULE:
            sys.meta_path.remove(Interrupt)
            os.kill(os.getpid(), _signal.SIGINT)
            if name == "etcd_sandbox.inputs.plan":
                os.kill(os.getpid(), _signal.SIGQUIT)

MODULE = sys.argv[1]
sys.meta_path.insert(0, Interrupt)
sys.argv[:] = ["etcd-sandbox", "up", "-n", "1", "--dry-run"]
from etcd_sandbox.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "module",
    [
        "enum",
        "etcd_sandbox.cli.main",
        "click",
        "etcd_sandbox.cli.root",
        "etcd_sandbox.cli.up",
        "etcd_sandbox.inputs.plan",
        "msgspec",
    ],
)
def test_an_interrupt_amid_an_import_ends_the_program_without_a_word(
    module: str, home: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (130, -signal.SIGINT, -signal.SIGQUIT), done
    assert done.stderr == "", done


def test_an_interrupt_that_a_destructor_swallowed_comes_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)

    class Fragile:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    def call() -> int:
        Fragile()
        time.sleep(20)
        return 0

    began = time.monotonic()
    assert guarded(call) == 130
    assert time.monotonic() - began < 10


def test_an_importer_of_the_command_keeps_its_own_way_with_interrupts() -> None:
    script = "import signal, etcd_sandbox.cli.main as m; print(signal.getsignal(signal.SIGINT))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "default_int_handler" in done.stdout


def test_what_the_machine_refuses_is_no_mistake_of_ours(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for error in (OSError(errno.ENOSPC, ""), RuntimeError("can't start new thread")):
        assert guarded(raising(error)) == 1
        shown = capsys.readouterr().err
        assert "mistake" not in shown
        assert "hint:" in shown
    assert not list(home.glob("crash-*.txt"))

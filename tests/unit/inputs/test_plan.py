from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from etcd_sandbox.cluster.record import wipe
from etcd_sandbox.errors import InputError
from etcd_sandbox.inputs.caller import Caller, Planned
from etcd_sandbox.inputs.olddata import logs_elsewhere, refuse_foreign_data
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.plan import plan_again, plan_file, plan_up
from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary, SourceKind, Stdin
from etcd_sandbox.paths import ClusterPaths, cluster_paths
from etcd_sandbox.plan.recorded import as_builtins, encoded
from etcd_sandbox.plan.ways.dnsrecords import DOMAIN
from msgspec.structs import replace

MEMBER = "etcd1: etcd --name infra1\n"
RECORDS = f"""\
srv-host=_etcd-server._tcp.{DOMAIN},infra1.{DOMAIN},12380,0,1
host-record=infra1.{DOMAIN},127.0.0.1
"""


def choose(wish: str) -> EtcdBinary:
    version = wish or "3.6.16"
    return EtcdBinary(path=f"/opt/{version}/etcd", version=version, origin="on PATH")


@pytest.fixture
def caller(home: Path) -> Caller:
    return Caller(cwd=Path.cwd(), env={"PATH": "/nowhere"}, choose_etcd=choose)


@pytest.fixture
def paths(home: Path) -> ClusterPaths:
    return cluster_paths("default")


def record(paths: ClusterPaths, spec: ClusterSpec) -> None:
    paths.root.mkdir(parents=True, exist_ok=True)
    paths.plan.write_bytes(encoded(spec))


def names(planned: Planned) -> list[str]:
    return [process.name for process in planned.spec.processes]


def write_profile(members: int) -> None:
    Path("own.toml").write_text(f"[cluster]\nmembers = {members}\n")


def test_with_nothing_named_three_members_are_planned(paths: ClusterPaths, caller: Caller) -> None:
    planned = plan_up(Options(), paths, caller)
    assert planned.spec.source.kind is SourceKind.MEMBERS
    assert planned.says == ("using -n 3 (3 members: infra1, infra2, infra3), etcd 3.6.16 (on PATH)")


def test_with_nothing_named_the_procfile_here_comes_first(
    paths: ClusterPaths, caller: Caller
) -> None:
    record(paths, plan_up(Options(members=5), paths, caller).spec)
    Path("Procfile").write_text("web: sleep 1\ndb: sleep 2\n")
    planned = plan_up(Options(), paths, caller)
    assert planned.says == "using Procfile (2 processes: web, db)"
    assert planned.spec.source.path == str(Path.cwd() / "Procfile")


def test_with_nothing_named_and_no_procfile_the_recorded_plan_goes_on(
    paths: ClusterPaths, caller: Caller
) -> None:
    first = plan_up(Options(members=5, base_port=15000, etcd="3.5.1"), paths, caller)
    record(paths, first.spec)
    again = plan_up(Options(), paths, caller)
    assert again.spec.processes == first.spec.processes
    assert again.says.endswith("as recorded for this cluster")


def test_a_recorded_profile_is_read_again(paths: ClusterPaths, caller: Caller) -> None:
    write_profile(1)
    record(paths, plan_up(Options(profile="own.toml"), paths, caller).spec)
    write_profile(2)
    elsewhere = replace(caller, cwd=Path("/"))
    assert len(plan_up(Options(), paths, elsewhere).spec.members) == 2


def test_what_is_given_now_wins_over_what_was_recorded(paths: ClusterPaths, caller: Caller) -> None:
    record(paths, plan_up(Options(members=5, etcd="3.5.1"), paths, caller).spec)
    planned = plan_up(Options(etcd="3.4.23"), paths, caller)
    assert len(planned.spec.members) == 5
    assert "etcd 3.4.23" in planned.says


def test_whether_a_cluster_was_ephemeral_is_not_carried_on(
    paths: ClusterPaths, caller: Caller
) -> None:
    record(paths, plan_up(Options(members=1, ephemeral=True), paths, caller).spec)
    assert not plan_up(Options(), paths, caller).spec.ephemeral


def test_a_number_wins_over_the_profile(paths: ClusterPaths, caller: Caller) -> None:
    write_profile(3)
    planned = plan_up(Options(profile="own.toml", members=7), paths, caller)
    assert len(planned.spec.members) == 7
    assert planned.says.startswith("using profile own.toml (7 members: ")


@pytest.mark.parametrize("name", ["single", "three", "five", "fast"])
def test_built_in_profiles_are_called_by_name(
    paths: ClusterPaths, caller: Caller, name: str
) -> None:
    assert plan_up(Options(profile=name), paths, caller).says.startswith(f"using profile {name} (")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(members=3, procfile="Procfile"), "-n and -f contradict each other"),
        (Options(profile="three", procfile="Procfile"), "-f and -p contradict each other"),
        (Options(procfile="Procfile", base_port=15000), "--base-port does not apply to a Procfile"),
        (Options(procfile="missing"), "there is no Procfile here"),
        (Options(members=0), "1 to 25 members, not 0"),
        (Options(members=1000), "1 to 25 members, not 1000"),
        (Options(members=0, base_port="auto"), "1 to 25 members, not 0"),
        (Options(basedir="missing"), "there is no such directory"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    paths: ClusterPaths, caller: Caller, options: Options, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan_up(options, paths, caller)


def test_variables_of_env_files_reach_the_processes(paths: ClusterPaths, caller: Caller) -> None:
    Path(".env").write_text("A=1\n")
    Path("more.env").write_text("A=2\nB=3\n")
    Path("Procfile").write_text("web: sleep 1\n")
    [web] = plan_up(Options(), paths, caller).spec.processes
    assert web.env == {"A": "1", "PORT": "5000"}
    named = Options(env_files=("more.env",), set_ports=False)
    [web] = plan_up(named, paths, caller).spec.processes
    assert web.env == {"A": "2", "B": "3"}


@pytest.mark.parametrize(
    ("env", "file", "words"),
    [
        ({}, "PORT=3003\n", "; PORT is 5000, not 3003 as the file of variables says"),
        ({"PORT": "3004"}, "PORT=3003\n", "; PORT is 5000, not 3004 as the environment says"),
        ({"PORT": "5000"}, "", ""),
        ({}, "OTHER=1\n", ""),
    ],
)
def test_a_port_that_is_overridden_is_told(
    paths: ClusterPaths, caller: Caller, env: dict[str, str], file: str, words: str
) -> None:
    Path(".env").write_text(file)
    Path("Procfile").write_text("web: echo $PORT\n")
    caller = replace(caller, env={**caller.env, **env})
    says = plan_up(Options(), paths, caller).says
    assert says.removeprefix("using Procfile (1 process: web)") == (
        words and f"{words} (--no-set-ports leaves it so)"
    )
    assert "PORT is" not in plan_up(Options(set_ports=False), paths, caller).says
    Path("Procfile").write_text("web: echo $PORT\nworker: x\n")
    if words:
        assert "PORT is 5000 to 5100, not" in plan_up(Options(), paths, caller).says


def test_what_came_through_a_pipe_is_recorded_with_the_plan(
    paths: ClusterPaths, caller: Caller
) -> None:
    pipes = {name: Path.cwd() / name for name in ("procfile", "variables")}
    texts = {"procfile": "a: sleep 1000\n", "variables": "A=1\n"}
    writers = []
    for name, pipe in pipes.items():
        os.mkfifo(pipe)
        writers.append(threading.Thread(target=pipe.write_text, args=[texts[name]]))
        writers[-1].start()
    first = plan_up(Options(procfile="procfile", env_files=("variables",)), paths, caller)
    for writer in writers:
        writer.join()
    assert first.spec.source.texts == {
        str(pipes["procfile"]): texts["procfile"],
        f"file of variables {pipes['variables']}": texts["variables"],
    }
    running = as_builtins(first.spec)
    for pipe in pipes.values():
        pipe.unlink()
    assert plan_again(running, paths, caller).spec == first.spec
    record(paths, first.spec)
    again = plan_up(Options(), paths, caller)
    assert again.spec == first.spec
    assert again.says == (
        "using procfile (1 process: a), as recorded for this cluster: its text, "
        f"since {pipes['procfile']} was a pipe (-f FILE takes another)"
    )


@contextlib.contextmanager
def piped(text: str) -> Iterator[str]:
    """The path of a pipe that holds the text, as `<(…)` gives it."""
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    # Each command of a shell has its first pipe at the same place.
    os.dup2(read, 63)
    os.close(read)
    yield "/dev/fd/63"
    os.close(63)


def test_dns_records_that_came_through_a_pipe_are_recorded_with_the_plan(
    paths: ClusterPaths, caller: Caller
) -> None:
    with piped(RECORDS) as path:
        first = plan_up(Options(members=1, dns_records=path), paths, caller)
    assert first.spec.dns is not None
    assert first.spec.source.texts == {f"file of records {path}": RECORDS}
    assert plan_again(as_builtins(first.spec), paths, caller).spec == first.spec
    record(paths, first.spec)
    assert plan_up(Options(), paths, caller).spec == first.spec
    with piped(RECORDS.replace(",0,1", ",0,2")) as path:
        other = plan_up(Options(dns_records=path), paths, caller)
    assert other.spec.dns is not None
    assert other.spec.dns != first.spec.dns


def test_a_pipe_that_is_given_now_is_not_the_one_of_that_name_that_is_recorded(
    paths: ClusterPaths, caller: Caller
) -> None:
    with piped("a: sleep 1000\n") as path:
        record(paths, plan_up(Options(procfile=path), paths, caller).spec)
    for value in ("1", "2"):
        with piped(f"A={value}\n") as path:
            planned = plan_up(Options(env_files=(path,)), paths, caller)
        record(paths, planned.spec)
        [process] = planned.spec.processes
        assert process.env["A"] == value


def test_a_profile_that_came_through_a_pipe_is_recorded_with_the_plan(
    paths: ClusterPaths, caller: Caller
) -> None:
    read, write = os.pipe()
    os.write(write, b"[cluster]\nmembers = 1\n")
    os.close(write)
    first = plan_up(Options(profile=f"/dev/fd/{read}"), paths, caller)
    os.close(read)
    record(paths, first.spec)
    again = plan_up(Options(), paths, caller)
    assert again.spec.processes == first.spec.processes
    assert "was a pipe (-p FILE takes another)" in again.says


def test_a_base_directory_holds_the_procfile_as_with_goreman(
    paths: ClusterPaths, caller: Caller
) -> None:
    Path("app").mkdir()
    Path("app/Procfile").write_text("web: sleep 1\n")
    planned = plan_up(Options(basedir="app", port_base=7000), paths, caller)
    [web] = planned.spec.processes
    assert planned.says.startswith("using app/Procfile ")
    assert web.cwd == str(Path.cwd() / "app")
    assert web.env["PORT"] == "7000"


def test_of_hundreds_of_processes_the_first_are_named(paths: ClusterPaths, caller: Caller) -> None:
    Path("Procfile").write_text("".join(f"p{number}: sleep 1\n" for number in range(300)))
    says = plan_up(Options(), paths, caller).says
    assert says.startswith("using Procfile (300 processes: p0, p1, ")
    assert "p24 and 275 more)" in says


def test_a_block_of_free_ports_is_recorded_as_a_number(paths: ClusterPaths, caller: Caller) -> None:
    planned = plan_up(Options(members=3, base_port="auto"), paths, caller)
    release(planned)
    base = planned.spec.source.options["base_port"]
    assert isinstance(base, int)
    assert planned.spec.members[0].member.client_url == f"http://127.0.0.1:{base}"
    assert planned.spec.port_lock.endswith(f"ports-{base}.lock")
    record(paths, planned.spec)
    again = plan_up(Options(), paths, caller)
    release(again)
    assert again.spec == planned.spec
    assert len(again.held) == len(planned.held) == 1
    # Said again, it is the block that the members' data is bound to.
    again = plan_up(Options(members=3, base_port="auto"), paths, caller)
    release(again)
    assert again.spec.port_lock == planned.spec.port_lock
    assert again.spec.members == planned.spec.members


def test_a_block_of_ports_outlives_the_directory_of_its_locks(
    paths: ClusterPaths, caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systems empty their temporary directory when they boot."""
    rooms = [tmp_path / "before", tmp_path / "after"]
    for room in rooms:
        room.mkdir()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(rooms[0]))
    planned = plan_up(Options(members=7, base_port="auto"), paths, caller)
    release(planned)
    record(paths, planned.spec)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(rooms[1]))
    again = plan_up(Options(), paths, caller)
    release(again)
    assert again.spec.processes == planned.spec.processes
    assert again.spec.port_lock.startswith(str(rooms[1]))
    assert len(again.held) == len(planned.held) == 2


def release(planned: Planned) -> None:
    for fd in planned.held:
        os.close(fd)


def test_planning_again_keeps_what_the_input_does_not_say(
    paths: ClusterPaths, caller: Caller
) -> None:
    Path("Procfile").write_text("web: sleep 1\ndb: sleep 2\n")
    options = Options(wanted=("web",), exit_on_error=True, port_base=6000)
    running = plan_up(options, paths, caller).spec
    Path("Procfile").write_text("web: sleep 3\ndb: sleep 2\napi: sleep 4\n")
    plan: dict[str, Any] = as_builtins(running)
    planned = plan_again(plan, paths, replace(caller, cwd=Path("/")))
    assert names(planned) == ["web", "db", "api"]
    assert planned.spec.wanted == ("web",)
    assert planned.spec.exit_on_error
    assert planned.spec.source == running.source
    assert planned.spec.processes[0].env["PORT"] == "6000"


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("own.toml", SourceKind.PROFILE),
        ("three", SourceKind.PROFILE),
        ("Procfile.dev", SourceKind.PROCFILE),
    ],
)
def test_check_tells_a_profile_from_a_procfile_by_its_name(
    paths: ClusterPaths, caller: Caller, file: str, kind: SourceKind
) -> None:
    write_profile(1)
    Path("Procfile.dev").write_text("web: sleep 1\n")
    assert plan_file(file, Options(), paths, caller).spec.source.kind is kind


def test_a_file_that_is_called_as_a_built_in_profile_is_meant_itself(
    paths: ClusterPaths, caller: Caller
) -> None:
    Path("three").write_text("web: sleep 1\n")
    assert names(plan_file("three", Options(), paths, caller)) == ["web"]


def test_data_that_a_procfile_keeps_is_never_deleted(paths: ClusterPaths, caller: Caller) -> None:
    Path("Procfile").write_text(MEMBER)
    spec = plan_up(Options(), paths, caller).spec
    Path("infra1.etcd/member").mkdir(parents=True)
    with pytest.raises(InputError, match="--fresh would delete data") as caught:
        refuse_foreign_data(spec, "--fresh")
    assert str(Path.cwd() / "infra1.etcd") in caught.value.hint
    refuse_foreign_data(plan_up(Options(members=1), paths, caller).spec, "--fresh")


def with_wal_dir(where: str) -> None:
    flags = f'flags = {{ wal-dir = "{where}" }}'
    Path("wal.toml").write_text(f'[cluster]\nmembers = 1\n[[member]]\nname = "infra1"\n{flags}\n')


@pytest.mark.parametrize("option", ["--fresh", "--purge", "--ephemeral"])
def test_data_that_a_profile_keeps_elsewhere_is_named_and_never_said_to_be_gone(
    paths: ClusterPaths, caller: Caller, option: str
) -> None:
    with_wal_dir("logs/wal")
    planned = plan_up(Options(profile="wal.toml"), paths, caller)
    (process,) = planned.spec.members
    assert process.member.wal_dir == str(Path.cwd() / "logs" / "wal")
    Path("logs/wal/0.tmp").mkdir(parents=True)
    with pytest.raises(InputError, match="outside the cluster's state directory") as refused:
        refuse_foreign_data(planned.spec, option)
    assert str(Path.cwd() / "logs" / "wal") in refused.value.hint
    assert str(paths.data) not in refused.value.hint


@pytest.mark.parametrize("option", ["--fresh", "--purge"])
def test_data_that_was_deleted_as_the_hint_says_is_in_the_way_of_nothing(
    paths: ClusterPaths, caller: Caller, option: str
) -> None:
    with_wal_dir("wal")
    spec = plan_up(Options(profile="wal.toml"), paths, caller).spec
    refuse_foreign_data(spec, option)
    Path("wal").mkdir()
    refuse_foreign_data(spec, option)
    with pytest.raises(InputError):
        refuse_foreign_data(spec, "--ephemeral")


def test_files_that_members_log_to_elsewhere_are_named_once_they_are_there(
    paths: ClusterPaths, caller: Caller
) -> None:
    ours = paths.root / "ours.log"
    Path("logging.toml").write_text(
        f'[cluster]\nmembers = 2\n[etcd]\nlog-outputs = "stderr,etcd.log,{ours}"\n'
    )
    spec = plan_up(Options(profile="logging.toml"), paths, caller).spec
    assert logs_elsewhere(spec, paths.root) == ""
    paths.root.mkdir(parents=True, exist_ok=True)
    for path in (Path("etcd.log"), ours):
        path.touch()
    assert logs_elsewhere(spec, paths.root) == (
        f"what etcd itself logs to is not ours, and stays: {Path.cwd() / 'etcd.log'}"
    )
    # They are no data: nothing is refused for them.
    refuse_foreign_data(spec, "--purge")


@pytest.mark.parametrize(
    "given", ["--log-outputs=stderr,etcd.log", "--config-file=etcd.yaml", "--log-output etcd.log"]
)
def test_files_that_a_procfile_s_members_log_to_are_named_with_their_data(
    paths: ClusterPaths, caller: Caller, given: str
) -> None:
    Path("etcd.yaml").write_text("name: infra1\nlog-outputs: [stderr, etcd.log]\n")
    Path("Procfile").write_text(MEMBER.replace("etcd ", f"etcd {given} ", 1))
    Path("etcd.log").touch()
    Path("infra1.etcd/member").mkdir(parents=True)
    spec = plan_up(Options(), paths, caller).spec
    with pytest.raises(InputError) as refused:
        refuse_foreign_data(spec, "--purge")
    assert str(Path.cwd() / "etcd.log") in refused.value.hint


def test_logs_of_a_member_that_are_elsewhere_in_our_directory_go_with_its_data(
    paths: ClusterPaths, caller: Caller
) -> None:
    wal = paths.root / "wal"
    with_wal_dir(str(wal))
    planned = plan_up(Options(profile="wal.toml"), paths, caller)
    refuse_foreign_data(planned.spec, "--fresh")
    record(paths, planned.spec)
    for directory in (paths.data / "infra1", wal):
        directory.mkdir(parents=True)
    wipe(paths)
    assert not paths.data.exists()
    assert not wal.exists()


def test_a_procfile_s_other_directories_of_data_are_named_as_well(
    paths: ClusterPaths, caller: Caller
) -> None:
    Path("Procfile").write_text("etcd1: etcd --name infra1 --data-dir one --wal-dir=fast/one\n")
    for directory in ("one/member", "fast/one/0.tmp"):
        Path(directory).mkdir(parents=True)
    planned = plan_up(Options(), paths, caller)
    with pytest.raises(InputError) as refused:
        refuse_foreign_data(planned.spec, "--purge")
    assert f"{Path.cwd() / 'one'}, {Path.cwd() / 'fast' / 'one'}" in refused.value.hint


@pytest.mark.parametrize(
    ("given", "flag"), [({"port_base": 5000}, "-b"), ({"set_ports": True}, "--set-ports")]
)
def test_ports_of_a_procfiles_processes_say_nothing_to_members(
    paths: ClusterPaths, caller: Caller, given: dict[str, Any], flag: str
) -> None:
    with pytest.raises(InputError, match=f"{flag} is for the variable PORT") as caught:
        plan_up(Options(members=1, **given), paths, caller)
    assert "--base-port" in caught.value.hint


def test_the_stdin_of_a_procfiles_processes_is_recorded_and_no_members(
    paths: ClusterPaths, caller: Caller
) -> None:
    Path("Procfile").write_text(f"{MEMBER}web: cat\n")
    planned = plan_up(Options(stdin="pipe"), paths, caller)
    assert [process.stdin for process in planned.spec.processes] == [Stdin.NULL, Stdin.PIPE]
    again = plan_again(as_builtins(planned.spec), paths, caller)
    assert again.spec == planned.spec
    with pytest.raises(InputError, match="--stdin is for the processes of a Procfile"):
        plan_up(Options(members=1, stdin="pipe"), paths, caller)


def test_a_profile_says_for_each_process_what_it_reads_from(
    paths: ClusterPaths, caller: Caller
) -> None:
    Path("own.toml").write_text(
        "[cluster]\nmembers = 1\n[[process]]\nname = 'a'\ncommand = 'cat'\nstdin = 'terminal'\n"
    )
    planned = plan_up(Options(profile="own.toml"), paths, caller)
    assert planned.spec.processes[-1].stdin is Stdin.TERMINAL
    Path("own.toml").write_text("[[process]]\nname = 'a'\ncommand = 'cat'\nstdin = 'pip'\n")
    with pytest.raises(InputError, match=r"'stdin' cannot be 'pip', own\.toml:4") as caught:
        plan_up(Options(profile="own.toml"), paths, caller)
    assert caught.value.hint == "did you mean 'pipe'?"

"""`export`: the same cluster for another tool."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcd_sandbox.cli import diagnostics, output
from etcd_sandbox.cli.check import collect, here, input_options
from etcd_sandbox.cli.settings import common
from etcd_sandbox.errors import InputError, NotRunning, SandboxError
from etcd_sandbox.export.exported import Kind

if TYPE_CHECKING:
    from etcd_sandbox.export.exported import Exported
    from etcd_sandbox.inputs.options import Options
    from etcd_sandbox.model.spec import ClusterSpec, EtcdBinary

_RUN_WITH = {
    Kind.PROCFILE: "goreman -f {file} start",
    Kind.PROFILE: "etcd-sandbox up -p {file}",
    Kind.COMPOSE: "docker compose -f {file} up",
    Kind.DNSMASQ: "dnsmasq --test --conf-file={file}",
    Kind.SHELL: "sh {file}",
}


@click.command("export")
@click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
@input_options()
@click.option(
    "-o",
    "--output",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write it to this file instead of stdout.",
)
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@common()
def export(kind: str, file: str | None, force: bool, **given: Any) -> None:
    """Print the same cluster for another tool: a Procfile, a profile, a Compose file, the records
    for dnsmasq, a shell script.

    The cluster is the one that the options describe (-n 3, -p five, -f Procfile); without any,
    the running one, else the one recorded, else what etcd-sandbox up would start.
    """
    options, wanted = collect(**given), Kind(kind)
    if file is not None and not force and Path(file).exists():
        raise InputError("there is such a file already", file, "--force overwrites it")
    spec, says = _meant(options)
    diagnostics.note(says)
    exported = _exported(wanted, spec)
    diagnostics.warn(*exported.notes)
    if file is None:
        output.text(exported.text)
    else:
        _write(Path(file), exported.text, executable=wanted is Kind.SHELL)
        # Without a slash, -p could take it for a built-in profile, and a shell look for it on PATH.
        place = file if "/" in file else f"./{file}"
        diagnostics.note(f"wrote {file}; next: {_RUN_WITH[wanted].format(file=shlex.quote(place))}")


def _meant(options: Options) -> tuple[ClusterSpec, str]:
    """The cluster to export, and the line that says which it is."""
    from etcd_sandbox.cli.choice import paths_to_start, running
    from etcd_sandbox.inputs.options import Options
    from etcd_sandbox.inputs.plan import plan_up

    if options == Options():
        from etcd_sandbox.host.planfile import recorded_plan
        from etcd_sandbox.plan.recorded import of_running

        try:
            client = running()
            spec = of_running(client.plan())
            return spec, f"exporting cluster {spec.name!r}, which is running"
        except NotRunning:
            paths = paths_to_start()
        if (recorded := recorded_plan(paths)) is not None:
            return recorded, f"exporting cluster {recorded.name!r} as it is recorded"
    planned = plan_up(options, paths_to_start(), here())
    diagnostics.warn(*planned.spec.notes)
    return planned.spec, planned.says


def _exported(kind: Kind, spec: ClusterSpec) -> Exported:
    from etcd_sandbox.export import compose, dnsmasq, profile, standalone

    match kind:
        case Kind.PROCFILE:
            return standalone.procfile(spec, _on_path())
        case Kind.SHELL:
            return standalone.shell(spec, _on_path())
        case Kind.PROFILE:
            return profile.profile(spec, _wish)
        case Kind.COMPOSE:
            return compose.compose(spec)
        case Kind.DNSMASQ:
            return dnsmasq.dnsmasq(spec)


def _on_path() -> str:
    """The etcd that a bare `etcd` runs here, as plans spell it; empty where there is none."""
    from etcd_sandbox.etcd.release import real_program

    found = shutil.which("etcd")
    real = real_program(Path(found)) if found else None
    # A wrapper of the program's is not what plans run.
    return str(real.absolute()) if found and real == Path(found) else ""


def _wish(binary: EtcdBinary) -> str:
    """How a profile asks for this etcd: by version where that finds it, else by path."""
    from etcd_sandbox.etcd.release import choose

    if binary.image:
        return binary.version
    try:
        return binary.version if choose(binary.version).path == binary.path else binary.path
    except InputError:
        return binary.path


def _write(path: Path, text: str, *, executable: bool) -> None:
    try:
        path.write_text(text, encoding="utf-8")
        if executable:
            path.chmod(path.stat().st_mode | (path.stat().st_mode & 0o444) >> 2)
    except OSError as error:
        raise SandboxError(f"the export cannot be written ({error.strerror})", str(path)) from error

"""Builds an image from an etcd on this machine: its program, the libraries that it needs, nothing else."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.release import told_version
from etcd_sandbox.host.enginecommand import ask_engine
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.plan.runtimes.engine import BUILT_IMAGE, Engine

PLACE = "/usr/local/bin/etcd"
IMAGE_LABEL = "etcd-sandbox.image"
_BUILD_TIMEOUT_S = 120.0
_LIBRARY = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x", re.MULTILINE)
_ELF = b"\x7fELF"


def built_image(engine: Engine, binary: EtcdBinary) -> EtcdBinary:
    """`binary` within an image of its own, which stays with the engine for the next time.

    Raises InputError for a program that cannot run in a container.
    """
    program = Path(binary.path)
    image = image_name(binary.version, _digest(program))
    within = EtcdBinary(path=PLACE, version=binary.version, origin=f"image {image}", image=image)
    if ask_engine(engine.program, "image", "inspect", "--format={{.Id}}", image).code != 0:
        _build(engine, image, program)
        _try(engine, within, program)
    return within


def image_name(version: str, digest: str) -> str:
    """The image of a program of that version whose SHA-256 is `digest`, in hex."""
    return f"{BUILT_IMAGE}:{version.replace('+', '-')}-{digest[:12]}"


def _digest(program: Path) -> str:
    with program.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _build(engine: Engine, image: str, program: Path) -> None:
    content = _layer(program, libraries(program))
    entrypoint, label = f'ENTRYPOINT ["{PLACE}"]', f"LABEL {IMAGE_LABEL}=1"
    # `import` makes an image of one layer from nothing, and needs no builder in either engine.
    answer = ask_engine(
        engine.program,
        "import",
        f"--change={entrypoint}",
        f"--change={label}",
        "-",
        image,
        content=content,
        timeout_s=_BUILD_TIMEOUT_S,
    )
    if answer.code != 0:
        raise InputError(
            f"{engine.runtime} cannot build an image from {program}: {answer.reason}",
            image,
            f"see what it says itself: {engine.runtime} info",
        )


def _try(engine: Engine, within: EtcdBinary, program: Path) -> None:
    """See it run once; a program that does not is not left behind as an image."""
    words = ("run", "--rm", "--network=host", *engine.options, within.image, "--version")
    answer = ask_engine(engine.program, *words)
    if answer.code == 0 and told_version(answer.out) == within.version:
        return
    ask_engine(engine.program, "image", "rm", within.image)
    raise InputError(
        f"this etcd does not run in a container of {engine.runtime}: {answer.reason}",
        str(program),
        "take a statically linked etcd, such as the official releases, or an image with --image",
    )


def libraries(program: Path) -> list[Path]:
    """What a dynamically linked program loads, its loader included; nothing for a static one.

    Raises InputError for what is no program of Linux, and for libraries that cannot be found.
    """
    with program.open("rb") as file:
        if file.read(len(_ELF)) != _ELF:
            raise InputError(
                "an image can be built only from a program for Linux, which this is not",
                str(program),
                "use --image, or leave out --image-from-binary for the official image",
            )
    if (ldd := shutil.which("ldd")) is None:
        return []
    done = subprocess.run(
        [ldd, str(program)], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        return []  # "not a dynamic executable"; what else it may be shows when the image is tried
    if missing := [line.split()[0] for line in done.stdout.splitlines() if "not found" in line]:
        raise InputError(
            f"this etcd needs libraries that are not on this machine: {', '.join(missing)}",
            str(program),
            "take another etcd",
        )
    return [Path(place) for place in _LIBRARY.findall(done.stdout)]


def _layer(program: Path, more: Iterable[Path]) -> bytes:
    """The files of the image as a tar archive; a link becomes the file that it leads to."""
    files = {Path(PLACE): program, **{library: library for library in more}}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        # Without entries of their own, docker makes directories that only root may enter.
        for directory in sorted({parent for place in files for parent in place.parents}):
            archive.addfile(_entry(directory, tarfile.DIRTYPE))
        for place, source in files.items():
            content = source.read_bytes()
            entry = _entry(place, tarfile.REGTYPE)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _entry(place: Path, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(f".{place}")
    entry.type, entry.mode = kind, 0o755
    return entry

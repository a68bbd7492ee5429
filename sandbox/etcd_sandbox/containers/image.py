"""Images with etcd in them: which one is meant, that it is here, and which etcd it has."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from etcd_sandbox.containers.build import built_image
from etcd_sandbox.errors import InputError, SandboxError
from etcd_sandbox.etcd.release import told_version
from etcd_sandbox.etcd.version import matches
from etcd_sandbox.host.enginecommand import Answer, ask_engine
from etcd_sandbox.model.spec import EtcdBinary
from etcd_sandbox.plan.runtimes.engine import OFFICIAL_IMAGE, Engine

DEFAULT_RELEASE = "3.6.14"
"""Taken where no version is asked for and no etcd is on this machine that could tell one."""

PLACES = ("/usr/local/bin/etcd", "etcd")
"""Where etcd is in an image: the official ones have it there, others somewhere on their PATH."""

PULL_TIMEOUT_S = 600.0
_EXACT = re.compile(r"\d+\.\d+\.\d+\Z")
_NOT_HERE = ("not known", "no such image", "no such object")
_NOT_FOUND = (126, 127)

ChooseEtcd = Callable[[str], EtcdBinary]


def image_chooser(engine: Engine, image: str, from_binary: bool, choose: ChooseEtcd) -> ChooseEtcd:
    """What finds an etcd in an image, by the same words as `choose` finds one on this machine.

    `image` is the one to use, "" for the official one of the version; with `from_binary` it is
    built from what `choose` finds. What it gives raises InputError when there is no such image
    and none can be had, or when it has no etcd or another one than was asked for.
    """
    if image and from_binary:
        raise InputError(
            "--image and --image-from-binary contradict each other", hint="leave out one of them"
        )
    if from_binary:
        return lambda wish: built_image(engine, choose(wish))

    def choose_in_image(wish: str) -> EtcdBinary:
        name = image or official_image(_release(wish, choose))
        if not is_here(engine, name):
            _pull(engine, name)
        found = etcd_within(engine, name)
        if image and wish and not matches(found.version, wish):
            raise InputError(
                f"etcd {wish} is asked for, and the image has etcd {found.version}",
                image,
                "leave out one of --etcd and --image",
            )
        return found

    return choose_in_image


def official_image(version: str) -> str:
    """The image of a release: `gcr.io/etcd-development/etcd:v3.6.14`."""
    return f"{OFFICIAL_IMAGE}:v{version}"


def is_here(engine: Engine, image: str) -> bool:
    """Whether the engine has the image. Raises InputError when it cannot tell."""
    answer = ask_engine(engine.program, "image", "inspect", "--format={{.Id}}", image)
    if answer.code == 0:
        return True
    if any(words in answer.complaint.lower() for words in _NOT_HERE):
        return False
    raise InputError(
        f"{engine.runtime} cannot look for images: {answer.reason}",
        image,
        f"see what it says itself: {engine.runtime} images",
    )


def etcd_within(engine: Engine, image: str) -> EtcdBinary:
    """The etcd of an image that is here, asked for its version. Raises InputError when there is none."""
    for program in PLACES:
        answer = _version_of(engine, image, program)
        if answer.code == 0 and (version := told_version(answer.out)):
            return EtcdBinary(path=program, version=version, origin=f"image {image}", image=image)
        if answer.code not in (0, *_NOT_FOUND):
            raise InputError(
                f"the image cannot be run by {engine.runtime}: {answer.reason}",
                image,
                f"see what it says itself: {engine.runtime} run --rm {image}",
            )
    raise InputError(
        f"there is no etcd in the image, neither as {PLACES[0]} nor on its PATH",
        image,
        "give an image of etcd with --image, or build one from the etcd on this machine with "
        "--image-from-binary",
    )


def _version_of(engine: Engine, image: str, program: str) -> Answer:
    return ask_engine(
        engine.program,
        "run",
        "--rm",
        "--pull=never",
        "--network=host",
        *engine.options,
        f"--entrypoint={program}",
        image,
        "--version",
    )


def _release(wish: str, choose: ChooseEtcd) -> str:
    """The release that is meant by a version, a path or nothing."""
    if _EXACT.match(wish):
        return wish
    try:
        return choose(wish).version
    except InputError:
        if not wish or matches(DEFAULT_RELEASE, wish):
            return DEFAULT_RELEASE
        raise


def _pull(engine: Engine, image: str) -> None:
    try:
        # On a terminal the engine itself shows how far it is: an image has some 20 to 60 MB.
        answer = ask_engine(
            engine.program, "pull", image, timeout_s=PULL_TIMEOUT_S, shown=sys.stderr.isatty()
        )
    except SandboxError as error:
        raise InputError(error.what, image, error.hint) from error
    if answer.code != 0:
        raise InputError(
            f"the image is not on this machine and {engine.runtime} cannot pull it: {answer.reason}",
            image,
            "--image-from-binary builds one from the etcd on this machine; "
            "--image NAME takes another",
        )

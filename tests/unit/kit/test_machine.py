"""Which machine a kit is for, and which etcds go along."""

from __future__ import annotations

import platform
import sys

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.kit.build import KINDS, Machine, etcds_for, machine

ELSEWHERE = Machine(system="Plan9", processor="mips", pythons=("3.12",), tags=("plan9_mips",))


def test_by_default_it_is_one_like_this() -> None:
    found = machine()
    assert (found.system, found.processor) == (platform.system(), platform.machine())
    assert found.pythons == (f"{sys.version_info.major}.{sys.version_info.minor}",)
    assert found.is_this_one


@pytest.mark.parametrize(
    ("kind", "system", "processor", "a_tag"),
    [
        ("linux-x86_64", "Linux", "x86_64", "manylinux2014_x86_64"),
        ("linux-aarch64", "Linux", "aarch64", "manylinux2014_aarch64"),
        ("macos-arm64", "Darwin", "arm64", "macosx_11_0_arm64"),
        ("macos-x86_64", "Darwin", "x86_64", "macosx_11_0_x86_64"),
    ],
)
def test_another_kind_is_known_by_what_uname_says_and_by_tags_of_pip(
    kind: str, system: str, processor: str, a_tag: str
) -> None:
    found = machine(kind, ("3.12", "3.13", "3.12"))
    assert (found.system, found.processor, found.pythons) == (system, processor, ("3.12", "3.13"))
    here = (system, processor) == (platform.system(), platform.machine())
    assert found.is_this_one is here
    assert here or a_tag in found.tags
    assert found.words == f"{system} {processor} with Python 3.12 or 3.13"


def test_every_kind_is_named_in_the_help() -> None:
    from etcd_sandbox.cli.prepare import kit

    option = next(each for each in kit.params if each.name == "kind")
    assert all(kind in (getattr(option, "help", "") or "") for kind in KINDS)


@pytest.mark.parametrize("python", ["3", "3.10", "2.7", "3.12.1", "3.x", "", "４.1"])
def test_a_python_that_cannot_be_is_refused(python: str) -> None:
    with pytest.raises(InputError, match=r"no version of Python from 3\.11 on"):
        machine("", (python,))


def test_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        machine("linux-arch64")
    assert caught.value.hint == "did you mean 'linux-aarch64'?"


def test_no_etcd_of_this_machine_goes_to_one_of_another_kind() -> None:
    assert etcds_for(ELSEWHERE, ()) == []
    with pytest.raises(InputError, match="do not run on Plan9 mips"):
        etcds_for(ELSEWHERE, ("3.5",))

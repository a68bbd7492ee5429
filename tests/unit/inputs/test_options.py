"""Each option is declared once: what is written out elsewhere is held to the declarations."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_type_hints

import click
import pytest
from etcd_sandbox import AsyncCluster, Cluster
from etcd_sandbox.api.facts import ClusterFacts
from etcd_sandbox.cli.root import load
from etcd_sandbox.config.profileshape import ClusterTable
from etcd_sandbox.errors import InputError
from etcd_sandbox.inputs.options import DECLARED, Kind, Options, check_fits, check_way
from etcd_sandbox.inputs.ways import AskedWay
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import Runtime, Source, SourceKind

BESIDE = ["name", "restore", "timeout_s", "keep_data", "user"]
"""What `Cluster` takes and `up` does not: how the cluster is called, begins, is asked, and ends."""

ALL = {
    Kind.WHOLE: 7,
    Kind.PORT_OR_AUTO: 7000,
    Kind.TEXT: "text",
    Kind.PATH_OR_NAME: "text",
    Kind.SWITCH: False,
    Kind.FILES: ("text",),
}


@pytest.mark.parametrize("public", [Cluster, AsyncCluster])
def test_the_signature_of_a_cluster_is_that_of_the_declared_options(public: type) -> None:
    parameters = inspect.signature(public).parameters
    taken = {name: option for name, option in DECLARED.items() if option.python}
    assert sorted(parameters) == sorted([*taken, *BESIDE])
    hints, declared = get_type_hints(ClusterFacts.__init__), get_type_hints(Options)
    for name, option in taken.items():
        assert parameters[name].default is None, name
        path = Path | None if option.kind is Kind.PATH_OR_NAME else None
        assert hints[name] == (declared[name] if path is None else declared[name] | path), name


def test_a_key_of_a_profiles_cluster_is_called_as_the_option_that_wins_over_it() -> None:
    keys = set(ClusterTable.__struct_fields__)
    assert keys - {"user"} <= DECLARED.keys()
    of_ways = {name for name, option in DECLARED.items() if option.bootstrap or option.contained}
    assert of_ways | {"bootstrap", "runtime", "fresh"} == {*AskedWay.__struct_fields__}
    assert of_ways <= keys


@pytest.mark.parametrize(
    ("command", "words"),
    [("up", []), ("run", ["--", "true"]), ("check", []), ("export", ["procfile"])],
)
def test_a_command_has_each_option_and_none_has_a_value_that_was_not_given(
    command: str, words: list[str]
) -> None:
    found = load(command)
    given = found.make_context(command, words).params
    options = {each.name: each for each in found.params if each.name in DECLARED}
    missing = {name for name, option in DECLARED.items() if option.flag} - options.keys()
    assert missing <= {"members", "procfile", "profile"}
    for name, option in options.items():
        assert isinstance(option, click.Option)
        wanted = [DECLARED[name].short, DECLARED[name].flag]
        assert option.opts == [flag for flag in wanted if flag]
        assert given[name] in (None, ()), name


def test_what_is_given_is_recorded_and_replayed_unless_it_is_given_anew() -> None:
    everything = Options(**{name: ALL[option.kind] for name, option in DECLARED.items()})  # type: ignore[arg-type]
    record = everything.to_record()
    assert record.keys() == DECLARED.keys() - {"procfile", "profile"}
    source = Source(kind=SourceKind.PROFILE, path="text", options={**record, "cwd": "/"})
    assert Options(procfile="text").over(source) == everything
    assert Options(procfile="text", members=3, set_ports=True).over(source) == Options(
        **{
            **{name: getattr(everything, name) for name in DECLARED},
            "members": 3,
            "set_ports": True,
        }
    )
    assert Options().to_record() == {}
    assert Options(fresh=True, wanted=("web",)).over(
        Source(kind=SourceKind.MEMBERS, options={"members": 5, "an option of another version": 1})
    ) == Options(members=5, fresh=True, wanted=("web",))


def test_an_option_that_says_nothing_to_its_input_is_refused_by_its_flag() -> None:
    for name, option in DECLARED.items():
        if option.misfit is not None:
            value = True if option.kind is Kind.SWITCH else ALL[option.kind]
            with pytest.raises(InputError, match=f"^{option.typed} "):
                check_fits(Options(**{name: value}), option.misfit.kinds[0])  # type: ignore[arg-type]
        if option.bootstrap or option.contained:
            value = True if option.kind is Kind.SWITCH else ALL[option.kind]
            with pytest.raises(InputError, match=f"^{option.typed} "):
                check_way(
                    Options(**{name: value}),  # type: ignore[arg-type]
                    Bootstrap.STATIC,
                    Runtime.PROCESS,
                )


def test_a_switch_that_a_program_sets_to_false_contradicts_nothing() -> None:
    off = Options(image_from_binary=False)
    check_fits(off, SourceKind.PROCFILE)
    check_way(off, Bootstrap.STATIC, Runtime.PROCESS)


@pytest.mark.parametrize(
    ("recorded", "given", "together"),
    [
        ({"image_from_binary": True}, Options(image="x"), Options(image="x")),
        ({"image": "x"}, Options(image_from_binary=True), Options(image_from_binary=True)),
        (
            {"image": "x"},
            Options(image_from_binary=False),
            Options(image="x", image_from_binary=False),
        ),
        ({"image_from_binary": True}, Options(), Options(image_from_binary=True)),
    ],
)
def test_of_two_images_the_one_that_is_given_later_counts(
    recorded: dict[str, Any], given: Options, together: Options
) -> None:
    assert given.over(Source(kind=SourceKind.MEMBERS, options=recorded)) == together


def test_a_rival_has_the_option_for_its_own() -> None:
    rivals = {name: option.rival for name, option in DECLARED.items() if option.rival}
    assert rivals == {rival: name for name, rival in rivals.items()}

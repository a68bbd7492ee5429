"""Which way of bootstrap is meant: options and profile together."""

from __future__ import annotations

import pytest
from etcd_sandbox.config.profile import Profile, parse_profile
from etcd_sandbox.errors import InputError
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.inputs.ways import AskedWay
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import Runtime


def profile(cluster: str) -> Profile:
    return parse_profile(f"[cluster]\n{cluster}".encode(), "p")


BY_DISCOVERY = profile("bootstrap = 'discovery'\ndiscovery_size = 5")


def test_a_list_and_processes_are_what_nobody_has_to_ask_for() -> None:
    way = AskedWay.of(Options(), Profile())
    assert (way.bootstrap, way.runtime) == (Bootstrap.STATIC, Runtime.PROCESS)


@pytest.mark.parametrize(
    ("options", "bootstrap"),
    [
        (Options(discovery="http://127.0.0.1:2379"), Bootstrap.DISCOVERY),
        (Options(discovery_token="t"), Bootstrap.DISCOVERY),
        (Options(discovery_size=3), Bootstrap.DISCOVERY),
        (Options(dns_records="records.conf"), Bootstrap.DNS),
    ],
)
def test_an_option_of_one_way_asks_for_that_way(options: Options, bootstrap: Bootstrap) -> None:
    assert AskedWay.of(options, Profile()).bootstrap is bootstrap


def test_an_option_wins_over_the_profile_whose_other_words_are_passed_over_then() -> None:
    way = AskedWay.of(Options(bootstrap="dns"), BY_DISCOVERY)
    assert (way.bootstrap, way.discovery_size) == (Bootstrap.DNS, None)
    assert AskedWay.of(Options(discovery_size=4), BY_DISCOVERY).discovery_size == 4
    assert AskedWay.of(Options(), BY_DISCOVERY).discovery_size == 5
    contained = profile("runtime = 'podman'\nimage = 'localhost/etcd'")
    assert AskedWay.of(Options(), contained).image == "localhost/etcd"
    assert AskedWay.of(Options(runtime="process"), contained).image == ""


@pytest.mark.parametrize(
    ("options", "what", "hint"),
    [
        (
            Options(bootstrap="static", discovery="http://127.0.0.1:2379"),
            "--discovery says nothing to members whose bootstrap is 'static'",
            "leave it out, or use --bootstrap discovery",
        ),
        (
            Options(bootstrap="discovery", dns_records="records.conf"),
            "--dns-records says nothing to members whose bootstrap is 'discovery'",
            "leave it out, or use --bootstrap dns",
        ),
        (
            Options(image="localhost/etcd"),
            "--image is for containers, and the members are processes",
            "add --runtime podman or --runtime docker",
        ),
        (
            Options(image_from_binary=True),
            "--image-from-binary is for containers, and the members are processes",
            "add --runtime podman or --runtime docker",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: Options, what: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        AskedWay.of(options, Profile())
    assert (caught.value.what, caught.value.hint) == (what, hint)


@pytest.mark.parametrize(
    ("table", "options", "image", "built"),
    [
        ("image_from_binary = true", Options(image="x"), "x", False),
        ("image = 'x'", Options(image_from_binary=True), "", True),
        ("image = 'x'", Options(image_from_binary=False), "x", False),
    ],
)
def test_an_image_that_is_given_wins_over_the_one_of_the_profile(
    table: str, options: Options, image: str, built: bool
) -> None:
    way = AskedWay.of(options, profile(f"runtime = 'podman'\n{table}"))
    assert (way.image, way.image_from_binary) == (image, built)

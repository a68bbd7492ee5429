from __future__ import annotations

import pytest
from etcd_sandbox.learn.needs import Needs, parse_needs
from etcd_sandbox.model.bootstrap import Bootstrap
from etcd_sandbox.model.spec import Runtime


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("healthy", Needs(healthy=True)),
        ("fresh", Needs(fresh=True, healthy=True)),
        ("leader infra1", Needs(healthy=True, leader="infra1")),
        ("members infra1 infra2", Needs(healthy=True, members=("infra1", "infra2"))),
        ("upgraded", Needs(healthy=True, upgraded=())),
        ("upgraded infra2 infra3", Needs(healthy=True, upgraded=("infra2", "infra3"))),
        (
            "healthy; key a is b c;  key d gone",
            Needs(healthy=True, keys=(("a", "b c"), ("d", None))),
        ),
        ("bootstrapped dns", Needs(healthy=True, bootstrap=Bootstrap.DNS)),
        ("runs in containers", Needs(healthy=True, runs_in="containers")),
        ("runs in processes", Needs(healthy=True, runs_in="processes")),
    ],
)
def test_what_a_step_needs(text: str, needs: Needs) -> None:
    assert parse_needs(text) == needs


@pytest.mark.parametrize(
    "text", ["", "healthy;", "leader", "key a", "leader infra1 infra2", "members"]
)
def test_what_is_not_in_the_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unknown need"):
        parse_needs(text)


def test_in_which_way_a_cluster_was_brought_up_matters_where_a_step_names_one() -> None:
    assert Needs().is_way(Bootstrap.DNS, Runtime.DOCKER)
    by_dns = Needs(bootstrap=Bootstrap.DNS)
    assert by_dns.is_way(Bootstrap.DNS, Runtime.DOCKER)
    assert not by_dns.is_way(Bootstrap.STATIC, Runtime.PROCESS)
    assert Needs(runs_in="containers").is_way(Bootstrap.STATIC, Runtime.DOCKER)
    assert not Needs(runs_in="containers").is_way(Bootstrap.STATIC, Runtime.PROCESS)
    assert not Needs(runs_in="processes").is_way(Bootstrap.STATIC, Runtime.PODMAN)

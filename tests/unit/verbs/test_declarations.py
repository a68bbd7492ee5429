"""The declarations hang together, and whoever is written out by hand says the same as they do."""

from __future__ import annotations

import inspect

import pytest
from etcd_sandbox.api.verbs import Verbs
from etcd_sandbox.cluster.faults.fault import Fault
from etcd_sandbox.cluster.faults.registry import LIVE
from etcd_sandbox.verbs import LOSE_A_LEADER, VERBS, Targets, Verb
from etcd_sandbox.verbs.verb import AFTER, FOR

EACH = pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
OF_ALL = {"self", "select", "versus", "seed", "wait", "timeout_s", "one", "other", "to", "name"}


@EACH
def test_the_verbs_that_it_names_are_there(verb: Verb) -> None:
    assert {verb.undone_by, *verb.then.values()} - {""} <= set(VERBS)


@EACH
def test_the_api_has_it_with_its_options(verb: Verb) -> None:
    method = getattr(Verbs, verb.identifier)
    parameters = set(inspect.signature(method).parameters)
    assert parameters - OF_ALL == {option.parameter for option in verb.takes}
    assert {"wait", "timeout_s"} <= parameters
    assert ("versus" in parameters) is (verb.targets in (Targets.SIDES, Targets.LINKS))


def test_what_stays_broken_has_words_a_live_half_and_a_way_back() -> None:
    assert set(LIVE) == {verb for verb in VERBS.values() if verb.fault is not None}
    lasting = [verb for verb in LIVE if verb.fault is not None and not verb.fault.passes]
    assert all(verb.undone_by for verb in (*lasting, *LOSE_A_LEADER))


@pytest.mark.parametrize("verb", LIVE, ids=str)
def test_every_fault_has_its_time_and_what_lasts_can_end_by_itself(verb: Verb) -> None:
    assert AFTER in verb.takes
    lasts = verb.fault is not None and not verb.fault.passes
    assert (FOR in verb.takes) is lasts
    assert LIVE[verb].end is not Fault.end


def test_nothing_is_imported_by_the_declarations_but_what_python_has_anyway() -> None:
    import subprocess
    import sys

    probe = "import sys; import etcd_sandbox.verbs; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert not {"msgspec", "click", "dataclasses", "asyncio"} & set(done.stdout.split())

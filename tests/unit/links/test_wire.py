"""What crosses the pipe comes out as it went in, a line at a time."""

from __future__ import annotations

from etcd_sandbox.links import wire
from etcd_sandbox.model.fault import Rule
from hypothesis import given
from hypothesis import strategies as st

names = st.text(min_size=1)
seconds = st.floats(min_value=0, max_value=3600)
shares = st.floats(min_value=0, max_value=1)
rules = st.builds(
    Rule,
    cut=st.booleans(),
    delay_s=seconds,
    jitter_s=seconds,
    bytes_per_s=st.none() | seconds,
    stall=shares,
    reset=shares,
    seed=st.none() | st.integers(),
)
states = st.builds(
    wire.LinkState,
    number=st.integers(0, 2**31),
    pids=st.dictionaries(names, st.integers(1, 2**22)),
    rules=st.dictionaries(st.tuples(names, names), rules),
    resets=st.dictionaries(st.tuples(names, names), st.integers(1, 9)),
)


@given(states)
def test_a_state_comes_back_as_it_was_and_is_one_line(state: wire.LinkState) -> None:
    line = wire.encode_state(state)
    assert wire.decode_state(line) == state
    assert line.index(b"\n") == len(line) - 1


def test_a_state_is_spelt_as_documented() -> None:
    state = wire.LinkState(
        number=3,
        pids={"etcd1": 42},
        rules={("etcd1", "etcd2"): Rule(cut=True)},
        resets={("etcd1", "etcd2"): 1},
    )
    assert wire.encode_state(state) == (
        b'{"id":3,"pids":{"etcd1":42},'
        b'"rules":[["etcd1","etcd2",{"cut":true,"refuse":false,"delay_s":0.0,"jitter_s":0.0,'
        b'"bytes_per_s":null,"stall":0.0,"reset":0.0,"seed":null}]],'
        b'"resets":[["etcd1","etcd2",1]]}\n'
    )


def test_the_links_come_back_as_they_were() -> None:
    lines = [
        wire.Line(member="etcd1", fd=7, host="127.0.0.1", port=12382),
        wire.Line(member="etcd2", fd=8, host="::1", port=22382),
    ]
    assert wire.decode_lines(wire.encode_lines(lines)) == lines


def test_a_link_that_comes_or_goes_is_one_line() -> None:
    line = wire.Line(member="etcd4", fd=9, host="127.0.0.1", port=42382)
    for meant in (line, "etcd4"):
        said = wire.encode_change(meant)
        assert said.index(b"\n") == len(said) - 1
        assert wire.decode_change(said) == meant

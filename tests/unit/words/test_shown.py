from __future__ import annotations

import pytest
from etcd_sandbox.verbs.figures import delay
from etcd_sandbox.words import shown


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (20480, "20.0 KiB"),
        (31_000_000, "29.6 MiB"),
        (5 * 1024**4, "5120.0 GiB"),
    ],
)
def test_sizes_have_binary_units(count: int | None, text: str) -> None:
    assert shown.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.04, "0.0s"),
        (59.94, "59.9s"),
        (59.96, "1m00s"),
        (75.0, "1m15s"),
        (7500.0, "2h05m"),
        (90_000.0, "1d01h"),
    ],
)
def test_spans_have_two_units_at_most(seconds: float | None, text: str) -> None:
    assert shown.span(seconds) == text


REGISTERED = [
    {"member": "infra1", "id": "a", "peer_urls": "http://127.0.0.1:12380"},
    {"member": "infra2", "id": "b", "peer_urls": "http://127.0.0.1:22380"},
]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"way": "static", "runtime": "process"}, "a static list of the members"),
        (
            {"way": "static", "runtime": "podman"},
            "a static list of the members, in podman containers",
        ),
        ({"way": "discovery", "service": None}, "discovery service"),
        (
            {
                "way": "discovery",
                "runtime": "process",
                "service": "http://127.0.0.1:12383",
                "protocol": "v2",
                "token": "t0",
                "size": 3,
                "registered": REGISTERED,
            },
            "discovery service http://127.0.0.1:12383 (v2), token t0 "
            "with 2 of 3 registered: infra1, infra2",
        ),
        (
            {
                "way": "discovery",
                "service": "http://127.0.0.1:12383",
                "protocol": "v3",
                "token": "t0",
                "size": 3,
                "registered": None,
            },
            "discovery service http://127.0.0.1:12383 (v3), token t0",
        ),
        ({"way": "dns", "service": None}, "DNS SRV records"),
        (
            {"way": "dns", "domain": "etcd-sandbox.test", "service": "127.53.48.91"},
            "DNS SRV records of etcd-sandbox.test, served at 127.53.48.91",
        ),
    ],
)
def test_how_a_cluster_was_bootstrapped_in_words(told: dict[str, object], text: str) -> None:
    assert shown.bootstrap(told) == text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 µs"),
        (0.000058, "58 µs"),
        (0.0000996, "0.10 ms"),
        (0.00082, "0.82 ms"),
        (0.00996, "10.0 ms"),
        (0.0123, "12.3 ms"),
        (0.0996, "100 ms"),
        (0.123, "123 ms"),
        (0.9996, "1.00 s"),
        (12.0, "12.00 s"),
    ],
)
def test_a_latency_is_told_in_the_unit_that_suits_it(seconds: float, words: str) -> None:
    assert shown.latency(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "200 ms"), (0.0, "0 ms"), (1.5, "1.5 s")])
def test_a_delay_is_told_as_it_was_asked_for(seconds: float, words: str) -> None:
    assert delay(seconds) == words

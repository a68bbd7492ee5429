"""Numbers that are none, or that nothing can hold: one error and exit code 2, whatever the option."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click
import pytest
from etcd_sandbox.cli.root import COMMANDS, load

from tests.unit.cli.conftest import Ran

ODD = ("9" * 5000, "1e400", "nan", "inf", "-1e400", "٣", "²", "３", "1_000", "0x10", "")

FILLED = {"cut": ["a", "b"], "snapshot": ["f"], "restore": ["f"], "slow": ["a"]}
"""What must stand on the line beside the option."""


def numeric_options() -> Iterator[tuple[str, str]]:
    for name in COMMANDS:
        for param in load(name).params:
            if isinstance(param, click.Option) and not isinstance(
                param.type,
                click.types.StringParamType | click.types.BoolParamType | click.Choice | click.Path,
            ):
                yield name, param.opts[-1]


@pytest.mark.parametrize(("command", "option"), sorted(set(numeric_options())))
def test_a_number_that_is_none_is_one_error_that_names_the_option(
    command: str, option: str, cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever would come through does nothing here.
    monkeypatch.setattr(load(command), "callback", lambda **_: 0)
    for odd in ODD:
        ran = cli(command, *FILLED.get(command, []), option, odd)
        assert ran.code == 2, (odd[:20], ran)
        assert ran.err.count("error:") == 1
        assert "unexpected" not in ran.err
        assert option in ran.err, (odd[:20], ran.err[:300])
        assert len(ran.err) < 1000, "thousands of digits hide the sentence"
        if odd == ODD[0]:
            assert "is not a whole number" not in ran.err, "it is one, and too large"


@pytest.mark.parametrize("odd", ["9" * 5000, "3." + "9" * 5000, "٣.٥", "1e400", "nan"])
def test_odd_numbers_as_words_are_one_error_too(odd: str, cli: Callable[..., Ran]) -> None:
    for line in (
        ("up", "--dry-run", "-n", "1", "--etcd", odd),
        ("learn", odd),
        ("-c", odd, "status"),
        ("kill", odd),
        ("kill", "leader", "--signal", odd),
        ("logs", "--since", odd),
    ):
        ran = cli(*line)
        assert ran.code in (2, 3), (line[:2], ran)
        assert "unexpected" not in ran.err, (line[:2], ran.err[:300])


@pytest.mark.parametrize("odd", ["9" * 5000, "1e400", "nan", "inf", "-1", "true", '"٣"'])
@pytest.mark.parametrize(
    "place",
    [
        "[cluster]\nmembers = %s",
        "[cluster]\nbase_port = %s",
        "[cluster]\nport_step = %s",
        "[supervise]\nstop_timeout_s = %s",
    ],
)
def test_odd_numbers_in_a_profile_are_one_error_that_names_their_place(
    odd: str, place: str, cli: Callable[..., Ran], tmp_path: object
) -> None:
    profile = f"{tmp_path}/odd.toml"
    with open(profile, "w") as file:  # noqa: PTH123
        file.write(place % odd + "\n")
    ran = cli("check", profile)
    assert ran.code == 2, (odd[:20], ran)
    assert "unexpected" not in ran.err, ran.err[:300]
    assert "odd.toml" in ran.err

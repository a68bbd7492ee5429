"""Signs and colours: each has one meaning."""

from __future__ import annotations

from etcd_sandbox.cli.output import PALETTE as SGR
from etcd_sandbox.model.event import Kind
from etcd_sandbox.tui.colours import DARK, LIGHT, PALETTE, of_process
from etcd_sandbox.tui.store import Store
from etcd_sandbox.tui.stripdrawing import mark_of

from tests.tui.samples import event

PLAIN = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")


def test_a_member_has_the_colour_that_the_other_commands_give_it() -> None:
    numbers = {
        **{name: str(30 + number) for number, name in enumerate(PLAIN)},
        **{f"bright_{name}": str(90 + number) for number, name in enumerate(PLAIN)},
    }
    assert tuple(numbers[name] for name in PALETTE) == SGR


def test_the_eleventh_member_has_the_colour_of_the_first() -> None:
    assert of_process(10) == of_process(0)


def test_no_two_colours_are_the_same_in_either_palette() -> None:
    for palette in (DARK, LIGHT):
        colours = [palette.ansi_colors[number] for number in range(16)]
        assert len(set(colours)) == 16


def test_what_stands_on_the_time_line_has_a_sign_and_a_word_of_its_own() -> None:
    store = Store(cluster="default")
    for kind in Kind:
        store.take_event(event(0, kind))
    marks = [mark_of(marked) for _, marked in store.marks()]
    assert all(mark.word and len(mark.sign) == 1 for mark in marks)
    assert len({mark.sign for mark in marks}) == len(marks)


def test_every_kind_of_event_has_a_sign() -> None:
    assert all(mark_of(event(0, kind)).sign.strip() for kind in Kind)

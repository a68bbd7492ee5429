"""What is held outlives the handler, in whichever moment that dies."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import pytest
from etcd_sandbox.disks.journal import ENTRIES, SIZE, Decision, Journal


@pytest.fixture
def memory() -> Iterator[int]:
    """The descriptor of a journal's memory."""
    fd = os.memfd_create("journal")
    os.ftruncate(fd, SIZE)
    yield fd
    os.close(fd)


def receive(journal: Journal, listener: int, call_id: int) -> int:
    """What the kernel writes for a call: fdatasync of descriptor 7, by thread 42."""
    entry = journal.free()
    assert entry is not None
    with journal.room(entry, listener) as room:
        struct.pack_into("=QIIiIQ6Q", room, 0, call_id, 42, 0, 75, 0, 0, 7, 0, 0, 0, 0, 0)
    return entry


def test_a_call_that_was_received_and_not_decided_is_there_for_the_next(memory: int) -> None:
    journal = Journal(memory)
    receive(journal, 3, 11)
    journal.close()
    (held,) = Journal(memory)
    assert (held.listener, held.id, held.task, held.call, held.file) == (3, 11, 42, 75, 7)
    assert held.decision is None


def test_a_decision_outlives_and_a_call_is_counted_once_whenever_the_handler_dies(
    memory: int,
) -> None:
    journal = Journal(memory)
    entry = receive(journal, 3, 11)
    journal.decide(entry, Decision(12.5, 28, 9, 1))
    assert journal.used(9) == 1
    journal.count(9, 0)  # as if it had died before the count
    journal.close()
    after = Journal(memory)
    after.recover()
    assert after.used(9) == 1
    after.recover()
    assert after.used(9) == 1
    (held,) = after
    assert held.decision == Decision(12.5, 28, 9, 1)
    after.clear(entry)
    assert list(after) == []
    assert after.used(9) == 1
    assert after.used(9 + 64) == 0


def test_a_place_is_used_again_and_a_full_journal_has_none(memory: int) -> None:
    journal = Journal(memory)
    entries = [receive(journal, 1, number + 1) for number in range(ENTRIES)]
    assert journal.free() is None
    journal.clear(entries[5])
    assert receive(journal, 2, 999) == entries[5]
    held = journal.held(entries[5])
    assert held is not None
    assert (held.listener, held.decision) == (2, None)

"""A command line that can be copied from the screen and run."""

from __future__ import annotations

from etcd_sandbox.tui.detailrows import command_rows


def test_each_flag_has_a_row_and_its_value_beside_it() -> None:
    assert command_rows(["/usr/bin/etcd", "--name", "infra1", "--pre-vote", "--data-dir=/a b"]) == [
        "/usr/bin/etcd \\",
        "--name infra1 \\",
        "--pre-vote \\",
        "'--data-dir=/a b'",
    ]


def test_the_script_of_a_shell_is_unfolded() -> None:
    assert command_rows(["/bin/sh", "-c", "exec etcd --name infra1 --pre-vote"]) == [
        "/bin/sh \\",
        "-c 'exec etcd \\",
        "--name infra1 \\",
        "--pre-vote'",
    ]


def test_a_script_that_is_more_than_one_command_stays_as_it_is() -> None:
    assert command_rows(["/bin/sh", "-c", "ls -l && cd /x"])[-1] == "-c 'ls -l && cd /x'"

"""A user of etcd, for clusters with authentication."""

from __future__ import annotations

from typing import NamedTuple

from etcd_sandbox.errors import InputError

USER_VARIABLE = "ETCD_SANDBOX_USER"
"""The variable with the user as whom the supervisor is to ask the members."""


WANTS_USER = "answers, but wants a user (authentication is on)"
"""What is said of a member that tells a stranger nothing."""


class Credentials(NamedTuple):
    """The name and the password of a user of etcd."""

    name: str
    password: str

    @classmethod
    def parse(cls, text: str, where: str = "") -> Credentials:
        """`NAME:PASSWORD`, as etcdctl's --user has it. Raises InputError for anything else."""
        name, colon, password = text.partition(":")
        if not (name and colon and password):
            raise InputError(
                "a user of etcd is given as NAME:PASSWORD", where, hint="for example root:secret"
            )
        return cls(name, password)

    def __str__(self) -> str:
        return f"{self.name}:{self.password}"

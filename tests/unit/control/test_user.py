"""The user of etcd that a command was given reaches the supervisor, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from etcd_sandbox.control.bounded import UserHeader
from etcd_sandbox.control.requests import USER_HEADER, user_header
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.access import USER_VARIABLE, Credentials


class FakeCluster:
    def __init__(self) -> None:
        self.users: list[Credentials] = []

    def become(self, user: Credentials) -> None:
        self.users.append(user)


def users_of(headers: dict[str, str]) -> list[Credentials]:
    cluster = FakeCluster()
    passed: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["type"])

    scope = {
        "type": "http",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    gate: Any = UserHeader(application, cluster)  # type: ignore[arg-type]
    asyncio.run(gate(scope, None, None))
    assert passed == ["http"]
    return cluster.users


def test_a_user_comes_out_as_it_went_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(USER_VARIABLE, raising=False)
    assert users_of(user_header(None)) == []
    assert users_of(user_header("root:p:w ü")) == [Credentials("root", "p:w ü")]
    monkeypatch.setenv(USER_VARIABLE, "joe:secret")
    assert users_of(user_header(None)) == [Credentials("joe", "secret")]
    assert users_of(user_header("root:pw")) == [Credentials("root", "pw")]


@pytest.mark.parametrize("value", ["", "not base64!", "cm9vdA==", "//8="])
def test_a_header_that_names_nobody_is_passed_over(value: str) -> None:
    assert users_of({USER_HEADER: value}) == []


@pytest.mark.parametrize("text", ["root", ":pw", "root:", ""])
def test_a_user_without_name_or_password_is_an_error(text: str) -> None:
    with pytest.raises(InputError, match="NAME:PASSWORD"):
        Credentials.parse(text)

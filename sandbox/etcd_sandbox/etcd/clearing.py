"""Takes out of a running cluster what clients put into it: keys, their history, leases, users, roles, alarms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from etcd_sandbox.errors import SandboxError, TimedOut
from etcd_sandbox.etcd.answers import is_about_users
from etcd_sandbox.etcd.exchange import TROUBLE, Exchange

T = TypeVar("T")

_ALL = {"key": "AA==", "range_end": "AA=="}
_NOT_FOUND, _OUT_OF_RANGE = 5, 11
_AT_ONCE = 16


class CannotBeCleared(Exception):
    """The cluster has to be made anew; the message is the reason."""


class Clearing:
    """Asks one member, for all. `within_s` is how long each question may take."""

    def __init__(self, http: Exchange, client_url: str, within_s: float) -> None:
        self._http = http
        self._url = client_url
        self._within_s = within_s

    async def check(self) -> None:
        """Raises CannotBeCleared where authentication is on."""
        await self._ask("kv/range", {**_ALL, "count_only": True, "serializable": True})

    async def clear(self, member_urls: Sequence[str]) -> int:
        """Empty the cluster; the revision at which it is empty. `member_urls` are those of all members.

        Raises CannotBeCleared where authentication is on or the members' data differ, SandboxError
        with etcd's reason for what it refuses, TimedOut when it does not answer.
        """
        alarms, leases, users, roles = await _all(
            self._listed("maintenance/alarm", "alarms", {"action": "GET"}),
            self._listed("lease/leases", "leases"),
            self._listed("auth/user/list", "users"),
            self._listed("auth/role/list", "roles"),
        )
        if any(alarm.get("alarm") == "CORRUPT" for alarm in alarms):
            raise CannotBeCleared("the data of its members differ (alarm CORRUPT)")
        await self._each("lease/revoke", [{"ID": lease["ID"]} for lease in leases])
        # Without users nobody has a role.
        await self._each("auth/user/delete", [{"name": user} for user in users])
        await self._each("auth/role/delete", [{"role": role} for role in roles])
        answer = await self._ask("kv/deleterange", _ALL)
        revision = int(answer["header"]["revision"])
        await self._ask(
            "kv/compaction",
            {"revision": str(revision), "physical": bool(alarms)},
            but=_OUT_OF_RANGE,  # nothing has happened since the last time
        )
        if alarms:
            for url in member_urls:
                await self._ask("maintenance/defragment", {}, url)
            await self._each(
                "maintenance/alarm", [{**each, "action": "DEACTIVATE"} for each in alarms]
            )
        return revision

    async def _listed(
        self, method: str, key: str, body: Mapping[str, Any] | None = None
    ) -> list[Any]:
        answer = await self._ask(method, body or {})
        return list(answer.get(key) or ())

    async def _each(self, method: str, bodies: Sequence[Mapping[str, Any]]) -> None:
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(body: Mapping[str, Any]) -> None:
            async with turn:
                await self._ask(method, body, but=_NOT_FOUND)  # it went by itself

        await _all(*map(one, bodies))

    async def _ask(
        self, method: str, body: Mapping[str, Any], url: str = "", *, but: int = 0
    ) -> dict[str, Any]:
        """The answer; a refusal with the code `but` is one as well."""
        place = f"{url or self._url}/v3/{method}"
        try:
            async with asyncio.timeout(self._within_s):
                _, text = await self._http.send("POST", place, json.dumps(body).encode())
            answer = json.loads(text)
        except TROUBLE as error:
            raise TimedOut(
                f"the member did not answer within {self._within_s:g} s", place
            ) from error
        if not isinstance(answer, dict):
            raise SandboxError("this is no answer of an etcd", place)
        code = answer.get("code", 0)
        if code in (0, but):
            return answer
        message = str(answer.get("message") or answer.get("error") or f"code {code}")
        if is_about_users(int(code), message):
            raise CannotBeCleared("authentication is on")
        raise SandboxError(f"etcd refuses: {message.removeprefix('etcdserver: ')}", place)


async def _all(*questions: Coroutine[Any, Any, T]) -> list[T]:
    """The answers to all; raises the first error when each has come to its end: no connection is left half made."""
    ended = await asyncio.gather(*questions, return_exceptions=True)
    answers: list[T] = []
    for each in ended:
        if isinstance(each, BaseException):
            raise each
        answers.append(each)
    return answers

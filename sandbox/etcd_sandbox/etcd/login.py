"""The token that etcd gives a user for the password."""

from __future__ import annotations

import asyncio
import json
import time

from etcd_sandbox.etcd.exchange import TROUBLE, Exchange
from etcd_sandbox.model.access import Credentials

LOGIN_WITHIN_S = 10.0
"""The time that etcd has for a token: etcd compares a slow hash, and asks a quorum."""

HANGS_AFTER_S = 1.0
"""How long one member is asked alone: one that hangs must not keep the others' requests waiting."""

APPLIED_WITHIN_S = 0.5
"""How long a new token may be unknown to a member: a simple token is an entry of Raft's log, and a follower
applies the entry a moment after the member that gave the token (3.4 to 3.7: `auth/simple_token.go` waits for
the entry before that one only)."""

TRY_AGAIN_S = 5.0
"""How long after a refusal, or a silence, no other token is asked for."""


class Login:
    """The token of one user, renewed when members do not take it any more.

    `user` logs in, None while nobody does; `token` is what a request carries now.
    `refused` is why etcd gave none, None while nothing is known against the user. A simple token
    is forgotten by a member that restarts: the first that misses it has a new one asked for.
    """

    def __init__(self, http: Exchange) -> None:
        self._http = http
        self.user: Credentials | None = None
        self.token: str | None = None
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._asked = 0.0
        self._given = 0.0
        self._not_before = 0.0
        self.refused: str | None = None

    def become(self, user: Credentials | None) -> None:
        """Log in as this user from now on."""
        if user != self.user:
            self.user, self.token, self.refused, self._not_before = user, None, None, 0.0

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of a request."""
        return (("Authorization", self.token),) if self.token else ()

    def is_fresh(self, token: str | None) -> bool:
        """A member that does not know this token may not have applied the token's entry yet."""
        is_ours = token is not None and token == self.token
        return is_ours and time.monotonic() - self._given < APPLIED_WITHIN_S

    async def renew(self, client_url: str, stale: str | None, within_s: float) -> bool:
        """Have another token than `stale`, from that member; whether there is one in time.

        Who gives up waiting leaves the question under way: the next request has its answer.
        """
        if self.user is None:
            return False
        if self.token != stale:
            return True
        now = time.monotonic()
        if not self._asking and now < self._not_before:
            return False
        if not self._asking or (
            client_url not in self._asking and now - self._asked >= HANGS_AFTER_S
        ):
            self._asked = now
            self._asking[client_url] = asyncio.create_task(self._ask(client_url, self.user))
        await self._first_answer(within_s)
        return self.token is not None and self.token != stale

    async def settled(self, within_s: float) -> bool:
        """Wait for a token that is being asked for; whether one was."""
        if not self._asking:
            return False
        await self._first_answer(within_s)
        return True

    async def _first_answer(self, within_s: float) -> None:
        await asyncio.wait(
            self._asking.values(),
            timeout=max(0.0, within_s),
            return_when=asyncio.FIRST_COMPLETED,
        )

    def close(self) -> None:
        """Ask no more."""
        for asking in self._asking.values():
            asking.cancel()

    async def _ask(self, client_url: str, user: Credentials) -> None:
        body = json.dumps({"name": user.name, "password": user.password}).encode()
        try:
            async with asyncio.timeout(LOGIN_WITHIN_S):
                _, text = await self._http.send("POST", f"{client_url}/v3/auth/authenticate", body)
            answer = json.loads(text)
        except (*TROUBLE, RecursionError):
            answer = None
        finally:
            del self._asking[client_url]
        if user != self.user:
            return
        token = answer.get("token") if isinstance(answer, dict) else None
        if isinstance(token, str) and token:
            self.token, self.refused, self._given = token, None, time.monotonic()
            self.close()
            return
        self._not_before = time.monotonic() + TRY_AGAIN_S
        if isinstance(answer, dict) and "code" in answer:
            self.token = None
            message = str(answer.get("message") or answer.get("error"))
            self.refused = message.removeprefix("etcdserver: ")
